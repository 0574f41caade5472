"""Is this a head as API servers and webhooks send it all day, and what does it say?

Complete in the first bytes, HTTP/1.1, one Content-Length, nothing about transfer encodings or
upgrades: such a head is read by two regular expressions, and its lines go on as the very bytes
they came in, spaces included, instead of being written anew. (That saves a tenth of the time a
call spends in Python, too: 2 of 20 microseconds.) They match less than RFC 9112 allows; for
whatever they do not match there is httptools, and tests hold both against each other.
"""

import re
from typing import Final

from webhook_fuzz.proxy.forwarding.messages import (
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TRANSFER_ENCODING,
    WITHOUT_BODY,
    Answer,
    HeaderList,
    Request,
)

_END: Final = b"\r\n\r\n"
# Everything that is one line, up to its end, which begins the next.
_LINE: Final = re.compile(
    rb"\r\n([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)(?=\r\n)"
)
_REQUEST_LINE: Final = re.compile(
    rb"(POST|GET|PUT|PATCH|DELETE|OPTIONS) (/[!\"$-~]*) HTTP/1\.1(?=\r\n)"
)
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) ([\t -~\x80-\xff]*)(?=\r\n)")
_PERSISTENCE: Final = re.compile(rb"(?i)\r\n(?:connection|keep-alive):[^\r\n]*(?=\r\n)")
_TELLING: Final = frozenset(
    {
        *(CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING, EXPECT, b"keep-alive"),
        *(b"proxy-connection", b"te", b"trailer", b"upgrade"),
    }
)
_PERSISTENT: Final = frozenset({CONNECTION, b"keep-alive"})
_LONGEST_LENGTH: Final = 12
_SEPARATOR: Final = 2


def read_plain_request(data: bytes) -> tuple[Request, int] | None:
    """The request that begins `data` and the length of its body, None where it is not plain.

    The request's body is whatever follows the head: less than its length, or more.
    """
    end = data.find(_END)
    line = _REQUEST_LINE.match(data) if end > 0 else None
    if line is None:
        return None
    start = line.end()
    headers = _lines(data, start, end)
    length = -1
    for name, value in headers:
        lower = name.lower()
        if lower in _TELLING:
            if lower != CONTENT_LENGTH or length >= 0:
                return None
            length = _length(value)
            if length < 0:
                return None
    if length < 0:
        return None
    block = data[start + _SEPARATOR : end + _SEPARATOR]
    return Request(line[1], line[2], headers, block, data[end + len(_END) :]), length


def read_plain_answer(data: bytes) -> tuple[Answer, int, bool] | None:
    """The answer that begins `data`, the length of its body, and whether the connection stays.

    None where it is not plain; its body is whatever follows the head.
    """
    end = data.find(_END)
    line = _STATUS_LINE.match(data) if end > 0 else None
    if line is None:
        return None
    status, start = int(line[1]), line.end()
    headers = _lines(data, start, end)
    length, stays, persistence = -1, True, False
    for name, value in headers:
        lower = name.lower()
        if lower not in _TELLING:
            continue
        if lower == CONTENT_LENGTH and length < 0 <= (given := _length(value)):
            length = given
        elif lower in _PERSISTENT:
            persistence = True
            stays = stays and (lower != CONNECTION or value.lower() == b"keep-alive")
            if lower == CONNECTION and value.lower() not in {b"keep-alive", b"close"}:
                return None
        else:
            return None
    if length < 0 or status in WITHOUT_BODY:
        return None
    block = data[start : end + _SEPARATOR]
    block = (_PERSISTENCE.sub(b"", block) if persistence else block)[_SEPARATOR:]
    return Answer(status, line[2], headers, block, data[end + len(_END) :]), length, stays


def _lines(data: bytes, start: int, end: int) -> HeaderList:
    """The headers between the first line and the empty one; none unless every line is plain."""
    headers: HeaderList = _LINE.findall(data, start, end + _SEPARATOR)
    return headers if len(headers) == data.count(b"\r\n", start, end) else []


def _length(value: bytes) -> int:
    """The number a Content-Length gives, -1 where it gives none that is plain."""
    return int(value) if value.isdigit() and len(value) <= _LONGEST_LENGTH else -1
