"""What clients may do to the proxy, what it does with connections, and how it comes to its end."""

import asyncio
import contextlib
import socket

import pytest

from forwarded import (
    Authorities,
    Forwarded,
    everybody,
    forwarding,
    ok,
    post,
    raw_webhook,
)
from hostile_servers import Conversation, serve_raw
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.forwarding.servers import ForwardingServer
from webhook_fuzz.proxy.routes import RouteTable


async def test_a_thousand_connections_closed_under_us_repeat_no_call(
    authorities: Authorities,
) -> None:
    """The webhook closes after every answer without saying so beforehand."""

    async def behave(talk: Conversation) -> None:
        await talk.answer(b"{}")
        talk.writer.close()

    async with (
        serve_raw(behave, authorities.webhook_context()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
    ):

        async def ask(first: int, count: int) -> int:
            answered = 0
            async with contextlib.AsyncExitStack() as stack:
                client = await stack.enter_async_context(proxy.client())
                for number in range(first, first + count):
                    try:
                        answer = await client.ask(post(body=b"%d" % number))
                        answered += answer.status == 200
                    except (ConnectionError, asyncio.IncompleteReadError):
                        client = await stack.enter_async_context(proxy.client())
            return answered

        answered = sum(await asyncio.gather(*(ask(k * 250, 250) for k in range(4))))
        bodies = [body for _, body in webhook.requests]
        assert len(bodies) == len(set(bodies)) <= 1000
        assert answered >= 990  # Go's net/http loses the race now and then, too
        assert len(await proxy.until(1000)) == 1000


async def test_a_connection_known_to_be_closed_is_not_asked(authorities: Authorities) -> None:
    closed = asyncio.Event()

    async def behave(talk: Conversation) -> None:
        await talk.answer(b"{}")
        await asyncio.sleep(0.02)
        talk.writer.close()
        closed.set()

    async with (
        serve_raw(behave, authorities.webhook_context()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        for _ in range(5):
            assert (await client.ask(post())).status == 200
            await closed.wait()
            closed.clear()
        assert webhook.connections == 5


async def test_idle_connections_to_webhooks_are_given_up(authorities: Authorities) -> None:
    options = ForwardingOptions(upstream_idle_seconds=0.0)
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port), options=options) as proxy,
        proxy.client() as client,
    ):
        await client.ask(post())
        await asyncio.sleep(1.2)
        await client.ask(post())
        assert webhook.connections == 2


async def test_more_than_was_asked_spoils_the_connection_and_no_answer(
    authorities: Authorities,
) -> None:
    async with (
        raw_webhook(authorities, ok() + ok(b"stolen")) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        for _ in range(3):
            assert (await client.ask(post())).body == b'{"response":{}}'
        assert webhook.connections == 3


async def test_a_second_request_before_the_answer_is_not_forwarded(
    authorities: Authorities,
) -> None:
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
    ):
        for head in (b"", b"X: \r\n"):
            async with proxy.client() as client:
                first = post(body=b"1").replace(b"Accept:", head + b"Accept:")
                await client.send(first + post(body=b"2"))
                answer = await client.answer()
                assert answer.headers[-1] == b"Connection: close"
                assert await client.ended() == b""
        assert [request[-1:] for request in webhook.requests] == [b"1", b"1"]


async def test_a_request_in_pieces_is_put_together(authorities: Authorities) -> None:
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        sent = post()
        for start in range(0, len(sent), 7):
            await client.send(sent[start : start + 7])
            await asyncio.sleep(0)
        assert (await client.answer()).status == 200
        await client.send(sent[:-5])
        await asyncio.sleep(0.02)
        assert (await client.ask(sent[-5:])).status == 200
        assert webhook.requests == [sent, sent]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: " + b"x" * 5000,
    ],
)
async def test_what_is_no_proper_request_is_refused(
    authorities: Authorities, garbage: bytes
) -> None:
    options = ForwardingOptions(head_limit=4096)
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port), options=options) as proxy,
        proxy.client() as client,
    ):
        answer = await client.ask(garbage)
        assert 400 <= answer.status < 600
        assert await client.ended() in (b"", None)
        assert not webhook.requests
        assert proxy.server.statistics().refused == 1


async def test_who_does_not_come_to_the_point_is_let_go(authorities: Authorities) -> None:
    options = ForwardingOptions(request_seconds=0.1, handshake_seconds=0.3, idle_seconds=0.1)
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port), options=options) as proxy,
        proxy.client() as in_the_head,
        proxy.client() as in_the_body,
        proxy.client() as silent,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)  # no TLS at all
        await in_the_head.send(post()[:20])
        await in_the_body.send(post()[:-3])
        ends = [client.ended() for client in (in_the_head, in_the_body, silent)]
        assert set(await asyncio.wait_for(asyncio.gather(*ends), 4)) <= {b"", None}
        assert proxy.server.statistics().connections == 0
        assert proxy.server.statistics().refused == 3
        writer.close()


async def test_no_more_connections_are_kept_than_allowed(authorities: Authorities) -> None:
    options = ForwardingOptions(most_connections=2)
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port), options=options) as proxy,
        proxy.client() as client,
        proxy.client(),
    ):
        with pytest.raises(ConnectionError):
            async with proxy.client() as third:
                await third.ask(post())
        assert (await client.ask(post())).status == 200


async def test_random_bytes_from_many_clients_leave_nothing_behind(
    authorities: Authorities,
) -> None:
    sound = post(headers=[b"Connection: keep-alive"])
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
    ):

        async def attack(number: int) -> None:
            spoilt = bytearray(sound)
            for at in range(number % 5 + 1):
                spoilt[(number * 37 + at * 11) % len(spoilt)] ^= 1 << (number + at) % 8
            async with proxy.client() as client:
                await client.send(bytes(spoilt[: 1 + number * 53 % len(spoilt)]))
                await asyncio.sleep(0.01)

        for start in range(0, 200, 20):
            await asyncio.gather(*(attack(number) for number in range(start, start + 20)))
        async with proxy.client() as client:
            assert (await client.ask(post())).status == 200
        await asyncio.sleep(0.05)
        statistics = proxy.server.statistics()
        assert (statistics.connections, statistics.in_flight) == (0, 0)


async def test_draining_under_load_loses_nothing(authorities: Authorities) -> None:
    async def behave(talk: Conversation) -> None:
        await asyncio.sleep(0.02)
        await talk.answer(b"{}")

    sent = answered = 0

    async def load(proxy: Forwarded) -> None:
        """As an API server: a connection that says it closes is not used again."""
        nonlocal sent, answered
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                async with proxy.client() as client:
                    closes = False
                    while not closes:
                        sent += 1
                        answer = await client.ask(post())
                        answered += answer.status == 200
                        closes = b"Connection: close" in answer.headers

    async with (
        serve_raw(behave, authorities.webhook_context()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
    ):
        loads = [asyncio.create_task(load(proxy)) for _ in range(20)]
        while sent <= 20:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.01)
        await proxy.server.drain(5)
        await asyncio.gather(*loads)
        assert sent == answered == len(proxy.seen.exchanges) == len(webhook.requests)
        assert proxy.server.statistics().connections == 0


async def test_draining_ends_after_its_time_whatever_is_under_way(
    authorities: Authorities,
) -> None:
    async def behave(_: Conversation) -> None:
        await asyncio.sleep(60)

    async with (
        serve_raw(behave, authorities.webhook_context()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        await client.send(post())
        while not webhook.requests:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.002)
        async with asyncio.timeout(2):
            await proxy.server.drain(0.2)
        (seen,) = proxy.seen.exchanges
        assert seen.hung_up
        assert await client.ended() in (b"", None)


async def test_two_servers_share_one_socket(authorities: Authorities) -> None:
    async with raw_webhook(authorities, ok()) as webhook:
        routes = RouteTable.of([authorities.route(webhook.port)])
        listening = socket.create_server(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        context = authorities.proxy.issue("localhost").server_context()
        servers = [ForwardingServer(routes=routes, observers=()) for _ in range(2)]
        for server, own in zip(servers, (listening, listening.dup()), strict=True):
            await server.start([own], context, admits=everybody)
        proxy = Forwarded(servers[0], None, port, authorities)  # type: ignore[arg-type] # not used

        async def ask() -> RawAnswer | None:
            async with proxy.client() as client:
                assert (await client.ask(post())).status == 200
                return None

        await asyncio.gather(*(ask() for _ in range(40)))
        total = servers[0].statistics() + servers[1].statistics()
        assert [each.exchanges for each in total.webhooks] == [40]
        assert total.webhooks[0].statuses == {"2xx": 40}
        for server in servers:
            await server.drain(0.1)
