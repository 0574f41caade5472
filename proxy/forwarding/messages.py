"""How is a message written so that only its framing is ours?

Names, their case, their order and values stay as they were sent. What concerns one connection only
is left out (RFC 9110 section 7.6.1); a body that came in chunks, or until the connection ended, is
given its length, at the same place among the headers. Trailers are dropped.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, TypeAlias

HeaderList: TypeAlias = list[tuple[bytes, bytes]]

CONTENT_LENGTH: Final = b"content-length"
TRANSFER_ENCODING: Final = b"transfer-encoding"
CONNECTION: Final = b"connection"
EXPECT: Final = b"expect"
CHUNKED: Final = b"chunked"
WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT.value, HTTPStatus.NOT_MODIFIED.value})
"""Statuses whose answers have no body, whatever their headers say."""

_HOP_BY_HOP: Final = frozenset(
    {CONNECTION, b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", EXPECT}
)
_NEVER_NOMINATED: Final = frozenset({b"close", b"keep-alive", CONTENT_LENGTH, b"host"})
_HOST: Final = re.compile(rb"(?im)^(host):[^\r\n]*")
_LOCATION: Final = re.compile(rb"(?im)^(location: ?)(?=/(?!/))")
_AUTHORIZATION: Final = re.compile(rb"(?im)^authorization:")


@dataclass(slots=True)
class Request:
    """A request as it was read.

    `headers` are all of them; `block` are the lines that go on, each with its line end. `body` is
    without its framing.
    """

    method: bytes
    target: bytes
    headers: HeaderList
    block: bytes
    body: bytes


@dataclass(slots=True)
class Answer:
    """An answer as it was read; `interim` are the heads of 1xx answers before it."""

    status: int
    reason: bytes
    headers: HeaderList
    block: bytes
    body: bytes
    interim: bytes = b""


def render_request(
    request: Request, target: bytes, *, authority: bytes | None, authorization: bytes | None
) -> bytes:
    """The bytes for the webhook.

    `authority` replaces Host where it is given, `authorization` is added where there is none.
    """
    block = request.block
    if authority is not None:
        block = _HOST.sub(lambda found: b"%b: %b" % (found[1], authority), block)
    if authorization is not None and _AUTHORIZATION.search(block) is None:
        block = b"%bAuthorization: %b\r\n" % (block, authorization)
    return b"".join((request.method, b" ", target, b" HTTP/1.1\r\n", block, b"\r\n", request.body))


def render_answer(answer: Answer, *, close: bool) -> bytes:
    """The bytes for the API server."""
    status_line = b"%bHTTP/1.1 %d %b\r\n" % (answer.interim, answer.status, answer.reason)
    end = b"Connection: close\r\n\r\n" if close else b"\r\n"
    return b"".join((status_line, answer.block, end, answer.body))


def redirect_below(answer: Answer, prefix: bytes) -> Answer:
    """The answer as it is shown to whoever finds the webhook's paths below a prefix.

    The API server follows redirects as Go's net/http does; without the prefix a path would lead to
    another webhook behind the same listener, or to none.
    """
    if not HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return answer
    block = _LOCATION.sub(lambda found: found[1] + prefix, answer.block)
    return replace(answer, block=block)


def render_interim(status: int, reason: bytes, headers: HeaderList) -> bytes:
    """The head of a 1xx answer."""
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, render_block(headers, length=None))


def render_sentence(status: HTTPStatus, sentence: str, *, close: bool) -> bytes:
    """An answer of our own: one line of text, never with a Retry-After."""
    body = f"{sentence}\n".encode()
    block = (
        b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        b"Content-Length: %d\r\n"
    ) % len(body)
    answer = Answer(status.value, status.phrase.encode(), [], block, body)
    return render_answer(answer, close=close)


def render_block(headers: HeaderList, *, length: int | None) -> bytes:
    """The lines that go on; `length` stands where the message said how its body was framed.

    None is for messages without a body of their own: nothing is said about it then but what they
    said themselves.
    """
    nominated = _nominated(headers)
    lines: list[bytes] = []
    for name, value in headers:
        lower = name.lower()
        if lower == TRANSFER_ENCODING:
            if length is not None:
                lines.append(b"Content-Length: %d\r\n" % length)
        elif lower not in _HOP_BY_HOP and lower not in nominated:
            lines += (name, b": ", value, b"\r\n")
    return b"".join(lines)


def has_header(headers: HeaderList, lower_name: bytes) -> bool:
    """Whether there is a header of a name, given in lower case."""
    return any(name.lower() == lower_name for name, _ in headers)


def _nominated(headers: HeaderList) -> frozenset[bytes]:
    """The headers that Connection says are for this connection only."""
    said = [value for name, value in headers if name.lower() == CONNECTION]
    return frozenset(_tokens(said)) - _NEVER_NOMINATED if said else frozenset()


def _tokens(values: Iterable[bytes]) -> Iterable[bytes]:
    return (token.strip().lower() for value in values for token in value.split(b","))
