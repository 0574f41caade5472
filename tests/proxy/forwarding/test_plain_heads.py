"""The quick reader may only ever say what the parser says."""

import httptools
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarded import ok, post
from webhook_fuzz.proxy.forwarding.messages import render_block
from webhook_fuzz.proxy.forwarding.plain_heads import read_plain_answer, read_plain_request

LINES = st.lists(
    st.sampled_from(
        [
            *(b"X-A: 1", b"X-Empty:", b"X-B:  spaces  ", b"X-Bytes: \xff\x80", b"X-Tab: a\tb"),
            *(b"Content-Length: 2", b"content-length: 0", b"Content-Length: +2", b"X A: 1"),
            *(b"Transfer-Encoding: chunked", b"Connection: close", b"Connection: keep-alive"),
            *(b"Connection: X-A", b"Keep-Alive: 5", b"Expect: 100-continue", b"Upgrade: h2c"),
            *(b" folded", b"no colon", b": no name", b"X-Nul: \x00", b"X-CR: a\rb", b"X-LF: a\nb"),
        ]
    ),
    max_size=6,
)
MANY = settings(max_examples=500, deadline=None)


class Heard:
    """What the parser says of one message."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.head_complete = False
        self.target = b""
        self.stays = False
        self.parser: httptools.HttpRequestParser | httptools.HttpResponseParser | None = None

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.head_complete = True
        assert self.parser is not None
        self.stays = self.parser.should_keep_alive()


def heard_request(data: bytes) -> tuple[Heard, httptools.HttpRequestParser]:
    found = Heard()
    found.parser = parser = httptools.HttpRequestParser(found)
    parser.feed_data(data)
    return found, parser


def heard_answer(data: bytes) -> tuple[Heard, httptools.HttpResponseParser]:
    found = Heard()
    found.parser = parser = httptools.HttpResponseParser(found)
    parser.feed_data(data)
    return found, parser


@MANY
@given(lines=LINES, body=st.sampled_from([b"", b"{}", b"{}more"]))
def test_a_plain_request_is_what_the_parser_says(lines: list[bytes], body: bytes) -> None:
    data = b"\r\n".join([b"POST /a?b HTTP/1.1", *lines]) + b"\r\n\r\n" + body
    plain = read_plain_request(data)
    if plain is None:
        return
    request, length = plain
    parsed, parser = heard_request(data[: len(data) - len(body)])
    assert parsed.head_complete
    assert (request.method, request.target) == (parser.get_method(), parsed.target)
    assert request.headers == parsed.headers
    assert request.body == body
    assert parsed.stays
    lengths = [value for name, value in parsed.headers if name.lower() == b"content-length"]
    assert [int(value) for value in lengths] == [length]
    assert request.block == b"".join(line + b"\r\n" for line in lines)


@MANY
@given(lines=LINES, body=st.sampled_from([b"", b"{}", b"{}more"]))
def test_a_plain_answer_is_what_the_parser_says(lines: list[bytes], body: bytes) -> None:
    data = b"\r\n".join([b"HTTP/1.1 200 OK", *lines]) + b"\r\n\r\n" + body
    plain = read_plain_answer(data)
    if plain is None:
        return
    answer, length, stays = plain
    parsed, parser = heard_answer(data[: len(data) - len(body)])
    assert answer.status == parser.get_status_code()
    assert answer.headers == parsed.headers
    assert stays <= parsed.stays
    assert b"content-length: %d" % length in [line.lower() for line in lines]
    kept = [line for line in lines if not line.lower().startswith((b"connection", b"keep-alive"))]
    assert answer.block == b"".join(line + b"\r\n" for line in kept)


def test_an_answer_with_two_lengths_is_not_plain() -> None:
    for second in (b"+2", b"2", b"3"):
        assert read_plain_answer(ok(b"{}", headers=[b"Content-Length: " + second])) is None
        spoilt = ok(b"{}", headers=[b"Content-Length: 2"])
        assert read_plain_answer(spoilt.replace(b"Length: 2", b"Length: " + second, 1)) is None


def test_what_the_api_server_sends_is_plain() -> None:
    assert read_plain_request(post()) is not None
    assert read_plain_answer(ok(headers=[b"Date: today"])) is not None


def test_a_block_rendered_anew_is_the_same_but_for_framing() -> None:
    headers = [(b"X-A", b"1"), (b"Transfer-Encoding", b"chunked"), (b"x-a", b""), (b"TE", b"a")]
    assert render_block(headers, length=3) == b"X-A: 1\r\nContent-Length: 3\r\nx-a: \r\n"
    assert render_block(headers, length=None) == b"X-A: 1\r\nx-a: \r\n"
