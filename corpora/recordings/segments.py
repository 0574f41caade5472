"""How do records become bytes of a segment that survives a kill at any moment?

A segment is a file of zstd frames, each complete in itself (RFC 8878), appended by one write. What
is cut off or damaged costs the frame it is in: the next one is found by its magic number. A frame
is measured by its own block headers before anything is unpacked, and unpacked up to a limit, so
that neither a torn nor a hostile file costs more memory than a frame may have.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from webhook_fuzz.corpora.errors import InputError

if TYPE_CHECKING:
    from zstandard import ZstdCompressor, ZstdDecompressor

CLOSED_SUFFIX: Final = ".jsonl.zst"
OPEN_SUFFIX: Final = ".jsonl.zst.open"
# A review of 3 MiB and an answer of 32 MiB, with what JSON adds by escaping the answer once more.
MOST_RECORD_BYTES: Final = 64 * 2**20
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_CHUNK: Final = 64 * 2**10
_LEVEL: Final = 3
_MOST_DAMAGES: Final = 1000
_RLE_BLOCK: Final = 1
_RESERVED_BLOCK: Final = 3
_MOST_BLOCK_BYTES: Final = 128 * 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What of a segment cannot be read: where (bytes from its beginning) and what is the matter."""

    path: Path
    offset: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}: at byte {self.offset}: {self.what}"


def build_compressor() -> "ZstdCompressor":
    """What packs frames, with a checksum in each. Raises InputError without `zstandard`."""
    try:
        import zstandard  # noqa: PLC0415 - in an extra, and needed only here
    except ImportError as error:
        raise _missing() from error
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)


def build_decompressor() -> "ZstdDecompressor":
    """What unpacks them. Raises InputError without `zstandard`."""
    try:
        import zstandard  # noqa: PLC0415 - in an extra, and needed only here
    except ImportError as error:
        raise _missing() from error
    return zstandard.ZstdDecompressor(max_window_size=MOST_RECORD_BYTES)


def read_lines(
    stream: BinaryIO, path: Path, *, on_damage: Callable[[Damage], None]
) -> Iterator[tuple[int, bytes]]:
    """The lines of a segment with the offset of the frame they are in; what is damaged is told.

    JSON lines that are not packed are read as well, as `recording cat` writes them.
    """
    source = _Source(stream)
    if not source.begins_with(_MAGIC[:1]):
        yield from _read_plain(source, path, on_damage)
        return
    unpack = _Unpacking(build_decompressor())
    damages = 0
    while not source.is_at_end():
        offset = source.offset
        try:
            text = unpack(source.take_frame())
        except ValueError as error:
            damages += 1
            on_damage(Damage(path=path, offset=offset, what=str(error)))
            if damages == _MOST_DAMAGES:
                on_damage(Damage(path=path, offset=offset, what="the rest is not looked at"))
                return
            source.find_frame_after(offset)
            continue
        for line in _split_lines(text):
            yield offset, line


def _split_lines(text: bytes) -> Iterator[bytes]:
    """One line at a time: a list of them could be many times the size of a hostile text."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        if end > start:
            yield text[start:end]
        start = end + 1


def _read_plain(
    source: "_Source", path: Path, on_damage: Callable[[Damage], None]
) -> Iterator[tuple[int, bytes]]:
    while not source.is_at_end():
        offset = source.offset
        line = source.take_line(MOST_RECORD_BYTES)
        if line is None:
            what = f"a line is longer than {MOST_RECORD_BYTES} bytes; the rest is not looked at"
            on_damage(Damage(path=path, offset=offset, what=what))
            return
        if line:
            yield offset, line


class _Unpacking:
    """Unpacks one frame after the other, never more than a record may have."""

    def __init__(self, decompressor: "ZstdDecompressor") -> None:
        import zstandard  # noqa: PLC0415 - the decompressor is of it

        self._decompressor = decompressor
        self._error = zstandard.ZstdError

    def __call__(self, frame: bytes) -> bytes:
        try:
            with self._decompressor.stream_reader(frame) as reader:
                text = reader.read(MOST_RECORD_BYTES + 1)
        except self._error as error:
            raise ValueError(f"a frame is damaged ({error})") from error
        if len(text) > MOST_RECORD_BYTES:
            raise ValueError(f"a frame holds more than {MOST_RECORD_BYTES} bytes")
        return text


class _Source:
    """A stream read in chunks, of which as much is kept as one frame or line needs."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = bytearray()
        self._start = 0  # of what is not used yet, in `_held`
        self.offset = 0

    def begins_with(self, beginning: bytes) -> bool:
        return self._has(len(beginning)) and self._held.startswith(beginning, self._start)

    def is_at_end(self) -> bool:
        return not self._has(1)

    def take_frame(self) -> bytes:
        """The bytes of the frame that begins here; ValueError where none does, or not all of it."""
        length = self._measure_frame()
        frame = bytes(self._held[self._start : self._start + length])
        self._skip(length)
        return frame

    def take_line(self, most: int) -> bytes | None:
        """The bytes up to the next line end or the end; None where that is further than `most`."""
        searched = 0
        while (end := self._held.find(b"\n", self._start + searched)) < 0:
            searched = len(self._held) - self._start
            if searched > most:
                return None
            if not self._has(searched + 1):
                end = len(self._held)
                break
        line = bytes(self._held[self._start : end])
        self._skip(min(len(line) + 1, len(self._held) - self._start))
        return line

    def find_frame_after(self, offset: int) -> None:
        """Go on to where a frame may begin, or to the end."""
        if self.offset == offset and self._has(1):
            self._skip(1)
        while (found := self._held.find(_MAGIC, self._start)) < 0:
            rest = max(0, len(self._held) - self._start - len(_MAGIC) + 1)
            self._skip(rest)
            if not self._has(len(_MAGIC)):
                self._skip(len(self._held) - self._start)
                return
        self._skip(found - self._start)

    def _measure_frame(self) -> int:
        """How long the frame is, by its headers (RFC 8878, 3.1.1)."""
        self._need(len(_MAGIC) + 1)
        if not self.begins_with(_MAGIC):
            raise ValueError("no frame begins here")
        at = len(_MAGIC) + _descriptor_bytes(self._held[self._start + len(_MAGIC)])
        has_checksum = bool(self._held[self._start + len(_MAGIC)] & 4)
        is_last = False
        while not is_last:
            self._need(at + 3)
            low, high = struct.unpack_from("<HB", self._held, self._start + at)
            header = low | high << 16
            is_last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
            if kind == _RESERVED_BLOCK or size > _MOST_BLOCK_BYTES:
                raise ValueError("a frame is damaged (no such block)")
            at += 3 + (1 if kind == _RLE_BLOCK else size)
            if at > MOST_RECORD_BYTES:
                raise ValueError(f"a frame is longer than {MOST_RECORD_BYTES} bytes")
        length = at + (4 if has_checksum else 0)
        self._need(length)
        return length

    def _need(self, length: int) -> None:
        if not self._has(length):
            raise ValueError("the last frame is cut off")

    def _has(self, length: int) -> bool:
        while len(self._held) - self._start < length:
            chunk = self._stream.read(_CHUNK)
            if not chunk:
                return False
            if self._start:
                del self._held[: self._start]
                self._start = 0
            self._held += chunk
        return True

    def _skip(self, length: int) -> None:
        self._start += length
        self.offset += length


def _descriptor_bytes(descriptor: int) -> int:
    """The length of a frame's header behind the magic number (RFC 8878, 3.1.1.1)."""
    is_single = bool(descriptor & 0x20)
    window = 0 if is_single else 1
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
    return 1 + window + dictionary + content


def _missing() -> InputError:
    return InputError(
        "the package `zstandard` is not installed, which packs recordings",
        hint="Install it with: pip install 'webhook-fuzz[proxy]'",
    )
