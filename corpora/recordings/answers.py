"""What does the API server read of the answer on the wire?

A body packed with gzip is unpacked (Go's transport asks for gzip itself, net/http transport.go),
any other encoding stays unreadable; a status of 200 to 206 is an answer and everything else a call
error (client-go rest/request.go, `transformResponse`). Unpacking stops at a limit: a gzip bomb is
a small answer.
"""

import zlib
from typing import Final

from webhook_fuzz.corpora.exchanges import Answered, CallFailure, FailureKind, Outcome
from webhook_fuzz.corpora.recordings.raw_exchanges import Headers, RawAnswer

# As the transports that call webhooks directly: a patch that holds the largest object there is,
# every byte of it escaped and the whole in base64, is 24 MiB.
MOST_ANSWER_BYTES: Final = 32 * 2**20
_ERROR_BYTES: Final = 512
_OK: Final = range(200, 207)
_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS


class _TooLargeError(Exception):
    """The unpacked body is larger than the limit."""


def read_outcome(answer: RawAnswer | CallFailure) -> Outcome:
    """The outcome of a call whose complete answer, or whose failure, the proxy saw."""
    if isinstance(answer, CallFailure):
        return answer
    is_error = answer.status not in _OK
    try:
        body = read_body(answer)
    except _TooLargeError:
        return _unread(answer, FailureKind.TOO_LARGE, f"larger than {MOST_ANSWER_BYTES} bytes")
    except zlib.error as error:
        if not is_error:
            return _unread(answer, FailureKind.MALFORMED_HTTP, f"not valid gzip: {error}")
        body = b""
    if is_error:
        return CallFailure(
            kind=FailureKind.STATUS,
            detail=f"HTTP status {answer.status}",
            status=answer.status,
            body=body[:_ERROR_BYTES],
        )
    content_type = find_header(answer.headers, b"content-type")
    return Answered(status=answer.status, content_type=content_type, body=body)


def read_body(answer: RawAnswer) -> bytes:
    """The body as the API server reads it; zlib.error where it is not what its headers say."""
    if find_header(answer.headers, b"content-encoding").lower() != "gzip":
        if len(answer.body) > MOST_ANSWER_BYTES:
            raise _TooLargeError
        return answer.body
    return _gunzip(answer.body)


def find_header(headers: Headers, name: bytes) -> str:
    """The first value of a header by its lower-case name, "" where there is none."""
    for each, value in headers:
        if each.lower() == name:
            return value.decode("latin-1")
    return ""


def _unread(answer: RawAnswer, kind: FailureKind, what: str) -> CallFailure:
    return CallFailure(kind=kind, detail=f"the answer is {what}", status=answer.status)


def _gunzip(packed: bytes) -> bytes:
    """All members of a gzip stream, as Go's compress/gzip reads them."""
    body, rest = bytearray(), packed
    while rest:
        decoder = zlib.decompressobj(_GZIP_WBITS)
        body += decoder.decompress(rest, MOST_ANSWER_BYTES + 1 - len(body))
        if len(body) > MOST_ANSWER_BYTES:
            raise _TooLargeError
        if not decoder.eof:
            raise zlib.error("it ends too early")
        rest = decoder.unused_data
    return bytes(body)
