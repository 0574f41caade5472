"""However a webhook fails, the API server meets the same failure; on both event loops."""

import asyncio
import datetime as dt
import random
import re
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from authorities import Authority
from forwarded import Authorities, forwarding, ok, post, raw_webhook
from hostile_servers import (
    Behaviour,
    Conversation,
    answers_endlessly,
    closed_port,
    closes_before_answering,
    closes_between_chunks,
    closes_in_the_middle,
    never_answers,
    resets_before_answering,
    serve_connections,
    serve_raw,
    stalls_after_headers,
    talks_garbage,
)
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
RESET = None
"""What `RawClient.ended` returns for a connection that ends with a reset."""

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
HALF_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
HALF_HEAD = b"HTTP/1.1 200 OK\r\nContent-"
TWICE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
ENCODED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def run(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.wait_for(work, 20))

    return run


def sends(data: bytes, *, reset: bool = False) -> Behaviour:
    """These bytes, and then the end of the connection."""

    async def behave(talk: Conversation) -> None:
        await talk.send(data)
        if reset:
            await asyncio.sleep(0.02)  # or the kernel would throw it away with the reset
            await resets_before_answering(talk)
        talk.writer.close()

    return behave


@pytest.mark.parametrize(
    ("behaviour", "met", "kind", "words"),
    [
        (closes_before_answering, b"", FailureKind.RESET, "closed .* after the request"),
        (resets_before_answering, RESET, FailureKind.RESET, "reset the connection after"),
        (sends(HALF_HEAD), HALF_HEAD, FailureKind.RESET, "closed .* the answer's headers"),
        (sends(HALF_HEAD, reset=True), RESET, FailureKind.RESET, "reset .* answer's headers"),
        (closes_in_the_middle, HALF, FailureKind.RESET, "closed .* middle of the answer's body"),
        (sends(HALF, reset=True), RESET, FailureKind.RESET, "reset .* middle of the answer's body"),
        (closes_between_chunks, HALF_CHUNKED, FailureKind.RESET, "closed .* answer's body"),
        (
            talks_garbage,
            b"\x00\x01\x02 this is not HTTP\r\n\r\n",
            FailureKind.MALFORMED_HTTP,
            "does not answer in HTTP/1.1",
        ),
        (sends(TWICE), TWICE, FailureKind.MALFORMED_HTTP, "Duplicate Content-Length"),
        (sends(ENCODED), ENCODED, FailureKind.MALFORMED_HTTP, "transfer encoding"),
    ],
    ids=lambda value: "",
)
def test_a_webhook_that_breaks_off_does_so_for_the_api_server(
    authorities: Authorities,
    run: Callable[[Coroutine[Any, Any, None]], None],
    behaviour: Behaviour,
    met: bytes | None,
    kind: FailureKind,
    words: str,
) -> None:
    async def work() -> None:
        async with (
            serve_raw(behaviour, authorities.webhook_context()) as webhook,
            forwarding(authorities, authorities.route(webhook.port)) as proxy,
            proxy.client() as client,
        ):
            await client.send(post())
            assert await client.ended() == met
            (seen,) = await proxy.until(1)
            assert isinstance(seen.answer, CallFailure)
            assert seen.answer.kind is kind
            assert re.search(words, seen.answer.detail)
            assert len(webhook.requests) == 1
            assert proxy.server.statistics().webhooks[0].failures == {kind: 1}

    run(work())


@pytest.mark.parametrize("behaviour", [never_answers, stalls_after_headers])
def test_of_a_webhook_that_is_late_nothing_is_heard(
    authorities: Authorities,
    run: Callable[[Coroutine[Any, Any, None]], None],
    behaviour: Behaviour,
) -> None:
    async def work() -> None:
        gone = asyncio.Event()

        async def behave(talk: Conversation) -> None:
            task = asyncio.ensure_future(behaviour(talk))
            await talk.reader.read(1)
            task.cancel()
            gone.set()
            talk.writer.close()

        async with (
            serve_raw(behave, authorities.webhook_context()) as webhook,
            forwarding(authorities, authorities.route(webhook.port)) as proxy,
            proxy.client() as client,
        ):
            await client.send(post("/mutate?timeout=100ms"))
            (seen,) = await proxy.until(1)
            assert isinstance(seen.answer, CallFailure)
            assert seen.answer.kind is FailureKind.TIMEOUT
            assert "within 0.1 s" in seen.answer.detail
            assert 0.1 <= seen.seconds < 1
            await asyncio.wait_for(gone.wait(), 1)  # the webhook is let go
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.reader.read(100), 0.2)  # the API server is not

    run(work())


def test_when_the_api_server_hangs_up_so_does_the_proxy(
    authorities: Authorities, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    async def work() -> None:
        gone = asyncio.Event()

        async def behave(talk: Conversation) -> None:
            await talk.reader.read(1)
            gone.set()

        async with (
            serve_raw(behave, authorities.webhook_context()) as webhook,
            forwarding(authorities, authorities.route(webhook.port)) as proxy,
        ):
            async with proxy.client() as client:
                await client.send(post())
                while not webhook.requests:  # noqa: ASYNC110 - it sets no event
                    await asyncio.sleep(0.002)
                assert proxy.server.statistics().in_flight == 1
            await asyncio.wait_for(gone.wait(), 2)
            (seen,) = await proxy.until(1)
            assert seen.hung_up
            assert isinstance(seen.answer, CallFailure)
            assert seen.answer.kind is FailureKind.TIMEOUT
            assert "hung up" in seen.answer.detail
            statistics = proxy.server.statistics()
            assert (statistics.in_flight, statistics.webhooks[0].hang_ups) == (0, 1)

    run(work())


def unreachable(kind: FailureKind, authorities: Authorities, port: int) -> Upstream:
    """The webhook at a port, so that it fails in this way."""
    upstream = authorities.upstream(port)
    return {
        FailureKind.REFUSED: replace(upstream, port=closed_port()),
        FailureKind.DNS: replace(upstream, host="webhook.invalid"),
        FailureKind.TLS_NAME: replace(upstream, server_name="other.mesh.svc"),
        FailureKind.TLS_UNTRUSTED: replace(upstream, ca_pem=authorities.proxy.ca_file.read_bytes()),
        FailureKind.TLS: replace(upstream, ca_pem=b"no PEM"),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.REFUSED,
        FailureKind.DNS,
        FailureKind.TLS_NAME,
        FailureKind.TLS_UNTRUSTED,
        FailureKind.TLS,
    ],
)
def test_a_webhook_that_cannot_be_reached_is_a_bad_gateway_in_words(
    authorities: Authorities,
    run: Callable[[Coroutine[Any, Any, None]], None],
    kind: FailureKind,
) -> None:
    async def work() -> None:
        async with raw_webhook(authorities, ok()) as webhook:
            upstream = unreachable(kind, authorities, webhook.port)
            async with (
                forwarding(authorities, Route(upstream=upstream)) as proxy,
                proxy.client() as client,
            ):
                for _ in range(2):
                    answer = await client.ask(post())
                    assert answer.status == 502
                    assert answer.body.startswith(kind.value.encode() + b": ")
                    assert answer.body.count(b"\n") == 1
                    assert not any(b"etry" in line for line in answer.headers)
                for seen in await proxy.until(2):
                    assert isinstance(seen.answer, CallFailure)
                    assert seen.answer.kind is kind
            assert not webhook.requests

    run(work())


async def test_an_expired_certificate_is_a_class_of_its_own(authorities: Authorities) -> None:
    hour = dt.timedelta(hours=1)
    expired = authorities.webhook.issue("localhost", age=2 * hour, lifetime=hour)

    async with (
        serve_raw(never_answers, expired.server_context()) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        answer = await client.ask(post())
        assert (answer.status, answer.body[:12]) == (502, b"tls-expired:")


async def test_a_rotated_bundle_is_used_as_soon_as_the_routes_say_so(
    authorities: Authorities, tmp_path: Path
) -> None:
    new = Authority(tmp_path / "new")
    context = new.issue("localhost").server_context()
    async with serve_raw(answers_shortly, context) as webhook:
        old = authorities.upstream(webhook.port)
        async with (
            forwarding(authorities, Route(upstream=old)) as proxy,
            proxy.client() as client,
        ):
            assert (await client.ask(post())).status == 502
            rotated = replace(old, ca_pem=new.ca_file.read_bytes())
            proxy.server.set_routes(RouteTable.of([Route(upstream=rotated)]))
            assert (await client.ask(post())).status == 200


async def answers_shortly(talk: Conversation) -> None:
    await talk.answer(b"{}")


async def test_what_does_not_speak_tls_is_said(authorities: Authorities) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with (
        serve_connections(plain) as port,
        forwarding(authorities, authorities.route(port)) as proxy,
        proxy.client() as client,
    ):
        answer = await client.ask(post())
        assert (answer.status, answer.body[:14]) == (502, b"tls-handshake:")


def test_an_answer_longer_than_is_kept_still_passes_whole(
    authorities: Authorities, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    total = 4 * 2**20

    async def work() -> None:
        async with (
            serve_raw(answers_endlessly(total), authorities.webhook_context()) as webhook,
            forwarding(
                authorities,
                authorities.route(webhook.port),
                options=ForwardingOptions(answer_limit=2**20),
            ) as proxy,
            proxy.client() as client,
        ):
            await client.send(post())
            whole = await client.ended()
            assert whole is not None
            assert len(whole) == webhook.bytes_sent
            assert whole.endswith(b"0\r\n\r\n")
            (seen,) = await proxy.until(1)
            assert isinstance(seen.answer, CallFailure)
            assert seen.answer.kind is FailureKind.TOO_LARGE

    run(work())


async def test_a_webhooks_own_retry_after_passes(authorities: Authorities) -> None:
    answer = ok(headers=[b"Retry-After: 1"]).replace(b"200 OK", b"429 Too Many Requests")
    async with (
        raw_webhook(authorities, answer) as webhook,
        forwarding(authorities, authorities.route(webhook.port)) as proxy,
        proxy.client() as client,
    ):
        found = await client.ask(post())
        assert b"Retry-After: 1" in found.headers
        (seen,) = await proxy.until(1)
        assert isinstance(seen.answer, RawAnswer)
        assert seen.answer.status == 429


def test_hostile_answers_stop_nothing(
    authorities: Authorities, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    chance = random.Random(5)  # noqa: S311 - to be the same every time
    body = b'{"response":{"uid":"1","allowed":true}}'
    sound = [
        ok(body, headers=[b"X-A: 1"]),
        b"HTTP/1.1 100 Continue\r\n\r\n" + ok(body),
        HALF_CHUNKED + b"0\r\n\r\n",
    ]

    def spoilt() -> bytes:
        answer = bytearray(chance.choice(sound))
        for _ in range(chance.randrange(1, 4)):
            answer[chance.randrange(len(answer))] ^= 1 << chance.randrange(8)
        return bytes(answer[: chance.randrange(len(answer) + 1)])

    async def behave(talk: Conversation) -> None:
        await talk.send(spoilt())
        talk.writer.close()

    async def work() -> None:
        async with (
            serve_raw(behave, authorities.webhook_context()) as webhook,
            forwarding(authorities, authorities.route(webhook.port)) as proxy,
        ):

            async def ask() -> None:
                async with proxy.client() as client:
                    await client.send(post())
                    reading = asyncio.ensure_future(client.reader.read(1))
                    await asyncio.wait([reading], timeout=5)
                    assert reading.done()
                    reading.exception()

            for _ in range(HOSTILE // 20):
                await asyncio.gather(*(ask() for _ in range(20)))
            seen = await proxy.until(HOSTILE)
            assert len(seen) == HOSTILE == len(webhook.requests)
            assert proxy.server.statistics().in_flight == 0

    run(work())


HOSTILE = 100
"""On each of two event loops."""
