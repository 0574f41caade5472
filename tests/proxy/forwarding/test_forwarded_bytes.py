"""What reaches the webhook, and what comes back, to the byte; on both event loops."""

import asyncio
import contextlib
import gzip
from collections.abc import Callable, Generator

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forwarded import (
    REVIEW,
    Authorities,
    Forwarded,
    RawClient,
    RawWebhook,
    forwarding,
    ok,
    post,
    raw_webhook,
)
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
MIB = 2**20
LARGE = ForwardingOptions(request_limit=4 * MIB)


class Line:
    """A client, the proxy and a webhook, which stay as they are for many exchanges."""

    def __init__(self, runner: asyncio.Runner, authorities: Authorities) -> None:
        self._runner = runner
        self._authorities = authorities
        self._stack = contextlib.AsyncExitStack()
        runner.run(self._open())

    async def _open(self) -> None:
        enter = self._stack.enter_async_context
        self.webhook: RawWebhook = await enter(raw_webhook(self._authorities, ok()))
        route = self._authorities.route(self.webhook.port)
        self.proxy: Forwarded = await enter(forwarding(self._authorities, route))
        self.client: RawClient = await enter(self.proxy.client())

    def exchange(self, request: bytes, answer: bytes, *, heads: int = 1) -> tuple[bytes, bytes]:
        """What the webhook was sent, and what the client got: so many heads and a body."""
        self.webhook.answers[:] = [answer]
        self.webhook.requests.clear()

        async def converse() -> bytes:
            await self.client.send(request)
            got = b""
            for _ in range(heads):
                found = await self.client.answer()
                lines = [found.status_line, *found.headers]
                got += b"\r\n".join(lines) + b"\r\n\r\n" + found.body
            return got

        got = self._runner.run(asyncio.wait_for(converse(), 5))
        return self.webhook.requests[-1], got

    def close(self) -> None:
        self._runner.run(self._stack.aclose())


@pytest.fixture(scope="module", params=LOOPS)
def line(request: pytest.FixtureRequest, authorities: Authorities) -> Generator[Line]:
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        line = Line(runner, authorities)
        yield line
        line.close()


NAMES = st.from_regex(rb"[Xx]-[A-Za-z0-9!#$&'*+.^_`|~-]{1,20}", fullmatch=True)
VALUES = st.one_of(
    st.from_regex(rb"[!-~\x80-\xff]([ -~\t\x80-\xff]{0,60}[!-~])?", fullmatch=True), st.just(b"")
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=12).map(
    lambda pairs: [b"%b: %b" % pair for pair in pairs]
)
ENDS = [b"0\r\n\r\n", b"0\r\nX-Trailer: dropped\r\n\r\n"]
BODIES = st.one_of(st.binary(max_size=2000), st.just(REVIEW))
OFTEN = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@OFTEN
@given(headers=HEADERS, body=BODIES)
def test_a_request_reaches_the_webhook_as_the_very_bytes(
    line: Line, headers: list[bytes], body: bytes
) -> None:
    sent = post(body=body, headers=headers)
    received, _ = line.exchange(sent, ok())
    assert received == sent


@OFTEN
@given(headers=HEADERS, body=BODIES, status=st.sampled_from([200, 206, 404, 429, 500, 503, 599]))
def test_an_answer_reaches_the_api_server_as_the_very_bytes(
    line: Line, headers: list[bytes], body: bytes, status: int
) -> None:
    sent = ok(body, headers=headers).replace(b"200 OK", b"%d Any thing\xe9" % status)
    _, received = line.exchange(post(), sent)
    assert received == sent


@OFTEN
@given(headers=HEADERS, body=BODIES, size=st.integers(1, 400), end=st.sampled_from(ENDS))
def test_chunks_become_a_length_at_the_same_place_and_nothing_else_changes(
    line: Line, headers: list[bytes], body: bytes, size: int, end: bytes
) -> None:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = [b"HTTP/1.1 200 OK", b"X-Before: 1", b"Transfer-Encoding: chunked", *headers]
    _, received = line.exchange(post(), b"\r\n".join(head) + b"\r\n\r\n" + chunks + end)
    head[2] = b"Content-Length: %d" % len(body)
    assert received == b"\r\n".join(head) + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "target", ["/a%2Fb/%zz?timeout=5s&x=%20+;,", "/?timeout=5s", "/mutate", "/a//b/../c?", "/a?b?c"]
)
def test_path_and_query_are_not_touched(line: Line, target: str) -> None:
    received, _ = line.exchange(post(target), ok())
    assert received == post(target)


def test_what_concerns_one_connection_only_does_not_go_on(line: Line) -> None:
    mine = [b"Connection: keep-alive, X-Mine", b"X-Mine: 1", b"Keep-Alive: 5", b"TE: trailers"]
    received, _ = line.exchange(post(headers=[*mine, b"X-Other: 2"]), ok())
    assert received == post(headers=[b"X-Other: 2"])
    _, answered = line.exchange(post(), ok(headers=[*mine[:3], b"X-Other: 2"]))
    assert answered == ok(headers=[b"X-Other: 2"])
    _, plain = line.exchange(post(), ok(headers=[b"Connection: keep-alive", b"keep-alive: 3"]))
    assert plain == ok()


def test_a_chunked_request_gets_a_length(line: Line) -> None:
    head = b"POST /mutate HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n"
    received, _ = line.exchange(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", ok())
    expected = b"POST /mutate HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nabcde"
    assert received == expected


def test_interim_answers_come_before_the_answer(line: Line) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    _, received = line.exchange(post(), interim + ok(), heads=2)
    assert received == interim + ok()


def test_an_answer_in_gzip_is_passed_on_and_kept_as_it_is(line: Line) -> None:
    answer = ok(gzip.compress(b'{"response":{}}'), headers=[b"Content-Encoding: gzip"])
    _, received = line.exchange(post(), answer)
    assert received == answer
