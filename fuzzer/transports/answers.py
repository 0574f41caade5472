"""What did the webhook answer, without reading more than we can hold?

The API server reads answers of any size (`io.ReadAll`); we call many webhooks at once and some
of them are broken, so reading stops at a limit. Bodies are unpacked here and not by the HTTP
client, for two reasons: the limit has to hold for the unpacked bytes (a gzip bomb is a small
answer), and Go unpacks gzip only, so an answer in another encoding must stay unreadable.
"""

import contextlib
import zlib

import aiohttp

from webhook_fuzz.corpora.exchanges import Answered, CallFailure, FailureKind, Outcome
from webhook_fuzz.fuzzer.transports.failures import failure, render_detail

# How much of an error page is kept (`CallFailure.body`).
_ERROR_BYTES = 512
# An error page up to this size is read to its end, so that the connection can be used again.
_DRAINED_BYTES = 64 * 1024
_GZIP_WBITS = 16 + zlib.MAX_WBITS
# C0, DEL and C1: an error page must not move the cursor of the terminal it is shown on.
_CONTROL_CHARACTERS = dict.fromkeys(
    {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")}, None
)


class _TooLargeError(Exception):
    """The limit was reached; the connection is dropped by whoever catches this."""


async def read_answer(response: aiohttp.ClientResponse, limit: int) -> Outcome:
    """The answer with a status of 200 to 206, or why it cannot be read.

    `limit` is in bytes of the unpacked body.
    """
    try:
        body = await _read_body(response, limit)
    except _TooLargeError:
        response.close()
        return failure(FailureKind.TOO_LARGE, f"the answer is larger than {limit} bytes")
    except zlib.error as error:
        response.close()
        return failure(FailureKind.MALFORMED_HTTP, f"the answer is not valid gzip: {error}")
    return Answered(
        status=response.status,
        content_type=response.headers.get("Content-Type", ""),
        body=body,
    )


async def read_refusal(response: aiohttp.ClientResponse) -> CallFailure:
    """A status outside 200..206, with the beginning of its body for people to read."""
    return CallFailure(
        kind=FailureKind.STATUS,
        detail=_status_detail(response),
        status=response.status,
        body=await _read_error_page(response),
    )


async def _read_error_page(response: aiohttp.ClientResponse) -> bytes:
    page, read, gzip = bytearray(), 0, _Gunzip() if _is_packed(response) else None
    # The status is what failed: a page that is cut off or badly packed changes nothing.
    with contextlib.suppress(aiohttp.ClientPayloadError, zlib.error):
        async for chunk in response.content.iter_any():
            read += len(chunk)
            if len(page) < _ERROR_BYTES:
                page += gzip.unpack(chunk, most=_ERROR_BYTES) if gzip else chunk[:_ERROR_BYTES]
            if read > _DRAINED_BYTES:
                response.close()
                break
    text = bytes(page[:_ERROR_BYTES]).decode(errors="replace").translate(_CONTROL_CHARACTERS)
    return text.encode()[:_ERROR_BYTES]


def _status_detail(response: aiohttp.ClientResponse) -> str:
    detail = f"HTTP status {response.status}"
    location = response.headers.get("Location")
    if location is not None:
        detail += f", a redirect to {location!r} that is not followed"
    if "Retry-After" in response.headers:
        # client-go repeats on 429 and 5xx with Retry-After (rest/with_retry.go); a repeated call
        # would hide from the judge what the first one did.
        detail += "; with Retry-After: the API server would call again, up to 10 times"
    return render_detail(detail)


def _is_packed(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("Content-Encoding", "").lower() == "gzip"


async def _read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    announced = response.content_length
    if announced is not None and announced > limit:
        raise _TooLargeError
    if _is_packed(response):
        return await _read_packed(response, limit)
    return await (response.read() if announced is not None else _read_plain(response, limit))


async def _read_plain(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise _TooLargeError
    return bytes(body)


async def _read_packed(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body, gzip = bytearray(), _Gunzip()
    async for chunk in response.content.iter_any():
        body += gzip.unpack(chunk, most=limit + 1 - len(body))
        if len(body) > limit:
            raise _TooLargeError
    gzip.finish()
    return bytes(body)


class _Gunzip:
    """Unpacks a stream of gzip members, as Go's compress/gzip does, never more than asked for."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(_GZIP_WBITS)
        self._began = False

    def unpack(self, chunk: bytes, *, most: int) -> bytes:
        """At most `most` bytes (at least 1) of what `chunk` adds; zlib.error if it is no gzip."""
        body, rest = bytearray(), self._decoder.unconsumed_tail + chunk
        while rest and len(body) < most:
            if self._decoder.eof:
                self._decoder = zlib.decompressobj(_GZIP_WBITS)
            self._began = True
            body += self._decoder.decompress(rest, most - len(body))
            rest = self._decoder.unused_data if self._decoder.eof else b""
        return bytes(body)

    def finish(self) -> None:
        """zlib.error when the stream ended inside of a member."""
        if self._began and not self._decoder.eof:
            raise zlib.error("it ends too early")
