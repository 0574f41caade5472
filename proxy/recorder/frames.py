"""How does an exchange get from a worker to a sink's process?

As one frame: a fixed head with the lengths of all that follows, then the bytes as they are. No
JSON, no copy of the bodies: the request path pays for a few small packs. The other end is a process
of our own, and still takes nothing for granted: a length that does not add up ends the connection.
"""

import struct
from collections.abc import Iterator
from typing import Final

from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind, WebhookIdentity
from webhook_fuzz.corpora.recordings.raw_exchanges import Headers, RawAnswer, RawExchange

# Length of what follows; started_at, seconds, upstream_seconds; flags; status; then how many
# request and answer headers, and the lengths of: target, configuration, name, URL, kind, detail,
# request body, answer body.
_HEAD: Final = struct.Struct("<IdddBi10I")
_LENGTH: Final = struct.Struct("<I")
_HUNG_UP: Final = 1
_FAILED: Final = 2
_NO_STATUS: Final = -1
MOST_FRAME_BYTES: Final = 256 * 2**20
"""Far above a review of 3 MiB and the largest answer a proxy lets pass."""
_MOST_HEADERS: Final = 100_000

_identities: dict[WebhookIdentity, tuple[bytes, bytes, bytes]] = {}
_MOST_IDENTITIES: Final = 10_000


class FrameError(Exception):
    """What came is no frame; nothing behind it can be read."""


def encode_frame(exchange: RawExchange) -> tuple[list[bytes], int]:
    """The parts of one frame, to be sent one after the other, and their length in bytes."""
    answer = exchange.answer
    configuration, name, url = _encode_identity(exchange.webhook)
    flags = _HUNG_UP if exchange.hung_up else 0
    if isinstance(answer, RawAnswer):
        status, answer_headers, body, kind, detail = (
            answer.status, answer.headers, answer.body, b"", b"",
        )  # fmt: skip
    else:
        flags |= _FAILED
        status = _NO_STATUS if answer.status is None else answer.status
        answer_headers, body = (), answer.body
        kind, detail = answer.kind.value.encode(), answer.detail.encode("utf-8", "replace")
    texts = [text for pair in exchange.request_headers for text in pair]
    texts += [text for pair in answer_headers for text in pair]
    lengths = struct.pack(f"<{len(texts)}I", *map(len, texts))
    small = b"".join((lengths, *texts, exchange.target, configuration, name, url, kind, detail))
    length = _HEAD.size - _LENGTH.size + len(small) + len(exchange.request_body) + len(body)
    head = _HEAD.pack(
        length,
        exchange.started_at,
        exchange.seconds,
        exchange.upstream_seconds,
        flags,
        status,
        len(exchange.request_headers),
        len(answer_headers),
        len(exchange.target),
        len(configuration),
        len(name),
        len(url),
        len(kind),
        len(detail),
        len(exchange.request_body),
        len(body),
    )
    return [head + small, exchange.request_body, body], length + _LENGTH.size


class FrameReader:
    """Makes exchanges of the bytes of one connection, however they were cut."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes | bytearray | memoryview) -> Iterator[RawExchange]:
        """The exchanges that are complete with this chunk. Raises FrameError."""
        self._held += chunk
        start = 0
        while len(self._held) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held, start)
            if length > MOST_FRAME_BYTES:
                raise FrameError(f"a frame of {length} bytes")
            end = start + _LENGTH.size + length
            if len(self._held) < end:
                break
            yield decode_frame(bytes(self._held[start:end]))
            start = end
        del self._held[:start]


def decode_frame(frame: bytes) -> RawExchange:
    """The exchange of one whole frame. Raises FrameError where its lengths do not add up."""
    if len(frame) < _HEAD.size:
        raise FrameError("a frame without a head")
    (
        _, started_at, seconds, upstream_seconds, flags, status, requested, answered, *lengths
    ) = _HEAD.unpack_from(frame)  # fmt: skip
    if requested + answered > _MOST_HEADERS:
        raise FrameError("a frame of too many headers")
    cut = _Cutting(frame, requested + answered, lengths)
    request_headers, answer_headers = cut.pairs(requested), cut.pairs(answered)
    target, configuration, name, url, kind, detail, request_body, body = map(cut.bytes, lengths)
    return RawExchange(
        webhook=WebhookIdentity(
            configuration=_decode(configuration), name=_decode(name), url=_decode(url)
        ),
        started_at=started_at,
        seconds=seconds,
        upstream_seconds=upstream_seconds,
        target=target,
        request_headers=request_headers,
        request_body=request_body,
        answer=(
            CallFailure(
                kind=_kind(kind),
                detail=_decode(detail),
                status=None if status == _NO_STATUS else status,
                body=body,
            )
            if flags & _FAILED
            else RawAnswer(status=status, headers=answer_headers, body=body)
        ),
        hung_up=bool(flags & _HUNG_UP),
    )


class _Cutting:
    """Cuts a frame into what its head says is in it."""

    def __init__(self, frame: bytes, pairs: int, lengths: list[int]) -> None:
        self._frame = frame
        packed = struct.Struct(f"<{2 * pairs}I")
        self._at = _HEAD.size + packed.size
        if self._at > len(frame):
            raise FrameError("a frame shorter than its headers")
        self._header_lengths = iter(texts := packed.unpack_from(frame, _HEAD.size))
        if self._at + sum(texts) + sum(lengths) != len(frame):
            raise FrameError("a frame whose lengths do not add up")

    def pairs(self, number: int) -> Headers:
        """The next so many headers."""
        take = self._header_lengths
        return tuple((self.bytes(next(take)), self.bytes(next(take))) for _ in range(number))

    def bytes(self, length: int) -> bytes:
        """The next so many bytes."""
        start, self._at = self._at, self._at + length
        return self._frame[start : self._at]


def _encode_identity(webhook: WebhookIdentity) -> tuple[bytes, bytes, bytes]:
    found = _identities.get(webhook)
    if found is None:
        if len(_identities) >= _MOST_IDENTITIES:
            _identities.clear()
        texts = (webhook.configuration, webhook.name, webhook.url)
        first, second, third = (text.encode("utf-8", "replace") for text in texts)
        found = _identities[webhook] = (first, second, third)
    return found


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _kind(text: bytes) -> FailureKind:
    try:
        return FailureKind(text.decode("ascii", "replace"))
    except ValueError as error:
        raise FrameError("a frame of an unknown failure") from error
