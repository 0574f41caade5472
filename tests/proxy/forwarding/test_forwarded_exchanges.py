"""Which webhook is asked, how, and what observers are told of it."""

import asyncio
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest

from forwarded import (
    IDENTITY,
    REVIEW,
    Authorities,
    forwarding,
    ok,
    post,
    raw_webhook,
)
from hostile_servers import Conversation, demanding_client_certificates, serve_raw
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.routes import Route, RouteTable

MIB = 2**20


async def test_an_observer_is_told_everything(authorities: Authorities) -> None:
    before = time.time()
    answer = ok(b"{}", headers=[b"X-B: 2"])
    async with (
        raw_webhook(authorities, answer) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        await client.ask(post("/mutate?timeout=7s", headers=[b"X-A: 1"]))
        (seen,) = await proxy.until(1)
    assert seen.webhook == IDENTITY
    assert before <= seen.started_at <= time.time()
    assert 0 < seen.upstream_seconds <= seen.seconds < 5
    assert seen.target == b"/mutate?timeout=7s"
    assert seen.request_headers[0] == (b"Host", b"inject.example.svc:443")
    assert seen.request_headers[-1] == (b"X-A", b"1")
    assert seen.request_body == REVIEW
    headers = ((b"Content-Length", b"2"), (b"X-B", b"2"))
    assert seen.answer == RawAnswer(status=200, headers=headers, body=b"{}")
    assert not seen.hung_up


async def test_connections_are_used_again_on_both_sides(authorities: Authorities) -> None:
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        for _ in range(20):
            assert (await client.ask(post())).status == 200
        assert proxy.server.statistics().connections == 1
        assert webhook.connections == 1


async def test_routes_are_found_by_name_and_path(authorities: Authorities) -> None:
    def route(port: int, name: str, prefix: str, server_name: str) -> Route:
        identity = WebhookIdentity(configuration="c", name=name, url="")
        upstream = authorities.upstream(port, webhook=identity)
        return Route(upstream=upstream, prefix=prefix, server_names=frozenset({server_name}))

    async with raw_webhook(authorities, ok(b"1")) as one, raw_webhook(authorities, ok(b"2")) as two:
        routes = [
            route(one.port, "one", "/a", "one.example"),
            route(two.port, "two", "/a/b", "one.example"),
            route(two.port, "three", "", "two.example"),
        ]
        names = ("one.example", "two.example", "other.example")
        async with forwarding(authorities, *routes, names=names) as proxy:
            async with proxy.client("one.example") as client:
                assert (await client.ask(post("/a/x?timeout=1s"))).body == b"1"
                assert (await client.ask(post("/a/b/x"))).body == b"2"
                assert (await client.ask(post("/a?x=1"))).body == b"1"
                assert (await client.ask(post("/ab"))).status == 404
            async with proxy.client("two.example") as client:
                assert (await client.ask(post("/a/b/x"))).body == b"2"
            async with proxy.client("other.example") as client:
                lost = await client.ask(post("/a"))
            statistics = proxy.server.statistics()
        assert [request.split(b" ")[1] for request in one.requests] == [b"/x?timeout=1s", b"/?x=1"]
        assert [request.split(b" ")[1] for request in two.requests] == [b"/x", b"/a/b/x"]
    assert (lost.status, lost.body.count(b"\n")) == (404, 1)
    assert not [line for line in lost.headers if line.lower().startswith(b"retry-after")]
    assert statistics.unrouted == 2
    assert sum(each.exchanges for each in statistics.webhooks) == 4


async def test_other_routes_are_used_from_the_next_request_on(authorities: Authorities) -> None:
    async with (
        raw_webhook(authorities, ok(b"1")) as one,
        raw_webhook(authorities, ok(b"2")) as two,
        forwarding(authorities, authorities.route(one.port)) as proxy,
        proxy.client() as client,
    ):
        assert (await client.ask(post())).body == b"1"
        proxy.server.set_routes(RouteTable.of([authorities.route(two.port)]))
        assert (await client.ask(post())).body == b"2"
        proxy.server.set_routes(RouteTable.of([]))
        assert (await client.ask(post())).status == 404
        assert [each.exchanges for each in proxy.server.statistics().webhooks] == [2]


async def test_host_is_replaced_only_where_the_upstream_says_so(authorities: Authorities) -> None:
    async with raw_webhook(authorities, ok()) as webhook:
        upstream = replace(authorities.upstream(webhook.port), authority="other.svc:443")
        async with (
            forwarding(authorities, Route(upstream=upstream)) as proxy,
            proxy.client() as client,
        ):
            await client.ask(post())
    assert webhook.requests == [post().replace(b"inject.example.svc:443", b"other.svc:443")]


async def test_the_token_is_read_for_every_connection_and_yields_to_the_api_servers(
    authorities: Authorities, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    closing = ok(headers=[b"Connection: close"])
    async with raw_webhook(authorities, closing) as webhook:
        upstream = replace(authorities.upstream(webhook.port), bearer_token_file=token)
        async with (
            forwarding(authorities, Route(upstream=upstream)) as proxy,
            proxy.client() as client,
        ):
            await client.ask(post())
            token.write_text("second\n")
            await client.ask(post())
            await client.ask(post(headers=[b"authorization: Bearer mine"]))
    assert b"Authorization: Bearer first\r\n" in webhook.requests[0]
    assert b"Authorization: Bearer second\r\n" in webhook.requests[1]
    assert webhook.requests[2] == post(headers=[b"authorization: Bearer mine"])


async def test_the_client_certificate_is_shown_and_read_again(
    authorities: Authorities, tmp_path: Path
) -> None:
    context = authorities.webhook_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authorities.webhook.ca_file)
    with demanding_client_certificates(context) as port:
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        upstream = replace(authorities.upstream(port), client_cert_file=cert, client_key_file=key)
        async with (
            forwarding(authorities, Route(upstream=upstream)) as proxy,
            proxy.client() as client,
        ):
            missing = await client.ask(post())
            issued = authorities.webhook.issue("kube-apiserver")
            cert.write_bytes(issued.cert_file.read_bytes())
            key.write_bytes(issued.key_file.read_bytes())
            shown = await client.ask(post())
    assert (missing.status, shown.status) == (502, 200)
    assert b"client certificate" in missing.body


async def test_an_address_is_verified_as_an_address(authorities: Authorities) -> None:
    async with raw_webhook(authorities, ok(), names=("127.0.0.1",)) as webhook:
        upstream = replace(authorities.upstream(webhook.port), server_name="127.0.0.1")
        async with (
            forwarding(authorities, Route(upstream=upstream)) as proxy,
            proxy.client() as client,
        ):
            assert (await client.ask(post())).status == 200


async def test_large_objects_pass(authorities: Authorities) -> None:
    body = b'{"object":"' + b"x" * (7 * MIB) + b'"}'
    async with (
        raw_webhook(authorities, ok(body)) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        answer = await client.ask(post(body=body))
        assert answer.body == body
        assert webhook.requests == [post(body=body)]


async def test_a_request_beyond_the_limit_is_refused_and_not_forwarded(
    authorities: Authorities,
) -> None:
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(
            authorities,
            authorities.route(webhook.port),
            options=ForwardingOptions(request_limit=1000),
        ) as proxy,
    ):
        async with proxy.client() as client:
            await client.send(post(body=b"x" * 1001)[:400])
            assert (await client.answer()).status == 413
        async with proxy.client() as client:
            head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            await client.send(head + b"400\r\n" + b"x" * 1024 + b"\r\n")
            assert (await client.answer()).status == 413
        assert proxy.server.statistics().refused == 2
        assert not webhook.requests


async def test_other_methods_are_forwarded_and_not_recorded(authorities: Authorities) -> None:
    head_answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    async with (
        raw_webhook(authorities, ok(), head_answer, b"HTTP/1.1 204 No\r\n\r\n", ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        get = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        assert (await client.ask(get)).body == b'{"response":{}}'
        await client.send(get.replace(b"GET", b"HEAD"))
        assert await client.reader.readuntil(b"\r\n\r\n") == head_answer
        await client.send(get)
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 204 No\r\n\r\n"
        assert (await client.ask(post())).status == 200
        assert webhook.requests[0] == get
        assert len(await proxy.until(1)) == 1
        assert proxy.server.statistics().webhooks[0].others == 3


async def test_an_answer_without_a_length_ends_with_its_connection(
    authorities: Authorities,
) -> None:
    async def behave(talk: Conversation) -> None:
        await talk.send(b"HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\n{}")
        talk.writer.close()

    async with (
        serve_raw(behave, authorities.webhook_context()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        for _ in range(2):
            answer = await client.ask(post())
            assert (answer.status_line, answer.body) == (b"HTTP/1.1 200 OK", b"{}")
            assert answer.headers == [b"X-A: 1", b"Content-Length: 2"]


async def test_continue_is_said_by_the_proxy(authorities: Authorities) -> None:
    request = post(headers=[b"Expect: 100-continue"])
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        await client.send(request[: -len(REVIEW)])
        line = await client.reader.readuntil(b"\r\n\r\n")
        assert line == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(REVIEW)).status == 200
        assert webhook.requests == [post()]


async def test_an_observer_that_fails_fails_no_review(authorities: Authorities) -> None:
    class Failing:
        def observe(self, exchange: RawExchange) -> None:
            raise KeyError(exchange.target)

    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(authorities, authorities.route(webhook.port), observers=[Failing()]) as proxy,
        proxy.client() as client,
    ):
        for _ in range(3):
            assert (await client.ask(post())).status == 200
        assert len(await proxy.until(3)) == 3
        assert proxy.server.statistics().observer_failures == 3


async def test_who_is_not_admitted_is_not_listened_to(authorities: Authorities) -> None:
    async with (
        raw_webhook(authorities, ok()) as webhook,
        forwarding(
            authorities, authorities.route(webhook.port), admits=lambda peer: peer != "127.0.0.1"
        ) as proxy,
    ):
        with pytest.raises(ConnectionError):
            async with proxy.client() as client:
                await client.ask(post())
        assert proxy.server.statistics().rejected_peers == 1
        assert not webhook.connections
        assert not proxy.seen.exchanges


async def test_http_1_1_is_the_only_protocol_offered(authorities: Authorities) -> None:
    async with forwarding(authorities) as proxy:
        context = proxy.client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection(
            "127.0.0.1", proxy.port, ssl=context, server_hostname="localhost"
        )
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.transport.abort()
    assert agreed == "http/1.1"
