"""How do records get on the disk so that a kill costs only the last second?

Lines are collected and written as one complete frame, when they are many, large, or a second old.
A segment is called `….open` until it is complete, so that nobody deletes what is being written.
Names hold the time, the writer and a number: several writers share a folder without a lock.
"""

import contextlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from webhook_fuzz.corpora.recordings.schemas import RECORDING_VERSION
from webhook_fuzz.corpora.recordings.segments import (
    CLOSED_SUFFIX,
    MOST_RECORD_BYTES,
    OPEN_SUFFIX,
    build_compressor,
)

_LOG = logging.getLogger(__name__)
_FLUSH_RECORDS: Final = 256
_FLUSH_BYTES: Final = 2**20
_RETRY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a segment ends: at so many bytes of the disk, or so old."""

    bytes: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class _Open:
    path: Path
    descriptor: int
    began: float
    size: int = 0


class SegmentWriter:
    """Appends lines to segments of one folder. Raises nothing once it is there."""

    def __init__(
        self, folder: Path, rotation: Rotation, *, writer: str, tool: str, raw: bool
    ) -> None:
        self._folder = folder
        self._rotation = rotation
        self._writer = writer
        self._header = {"recording": RECORDING_VERSION, "tool": tool, "raw": raw, "writer": writer}
        self._compressor = build_compressor()
        self._lines: list[bytes] = []
        self._bytes = 0
        self._open: _Open | None = None
        self._retry_at = 0.0
        self.written = 0
        self.failed = 0
        self.bytes_written = 0
        self.begun = 0

    @property
    def path(self) -> Path | None:
        """The segment that is open, if one is."""
        return self._open.path if self._open else None

    def append(self, line: bytes) -> None:
        """Take one line, with its end; it is on the disk after the next flush."""
        if len(line) > MOST_RECORD_BYTES:
            self.failed += 1
            return
        if self._bytes + len(line) > _FLUSH_BYTES:
            self.flush(time.time())
        self._lines.append(line)
        self._bytes += len(line)
        if len(self._lines) >= _FLUSH_RECORDS or self._bytes >= _FLUSH_BYTES:
            self.flush(time.time())

    def tick(self, now: float) -> None:
        """Write what is waiting, and end the segment if it is old."""
        self.flush(now)
        if self._open and now - self._open.began >= self._rotation.seconds:
            self._end()

    def flush(self, now: float) -> None:
        """Write what is waiting as one frame; where that fails, the lines are counted as failed."""
        if not self._lines:
            return
        lines, self._lines, self._bytes = self._lines, [], 0
        try:
            if now < self._retry_at:
                raise OSError("the last attempt failed a moment ago")  # noqa: TRY301 - one end
            self._write(self._open or self._begin(now), lines)
        except OSError as error:
            self.failed += len(lines)
            if now >= self._retry_at:
                self._retry_at = now + _RETRY_SECONDS
                what = error.strerror or str(error)
                _LOG.warning("nothing can be recorded in %s: %s", self._folder, what)
                self._abandon()
            return
        self.written += len(lines)
        if self._open and self._open.size >= self._rotation.bytes:
            self._end()

    def close(self) -> None:
        """Write what is waiting and end the segment."""
        self._retry_at = 0.0
        self.flush(time.time())
        self._end()

    def _begin(self, now: float) -> _Open:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        name = f"{stamp}-{self._writer}-{self.begun + 1:06d}{OPEN_SUFFIX}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / name
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._open = _Open(path=path, descriptor=os.open(path, flags, 0o600), began=now)
        self.begun += 1
        header = orjson.dumps(self._header | {"startedAt": now}, option=orjson.OPT_APPEND_NEWLINE)
        self._write(self._open, [header])
        return self._open

    def _write(self, segment: _Open, lines: list[bytes]) -> None:
        frame = self._compressor.compress(b"".join(lines))
        if not segment.path.exists():
            raise FileNotFoundError(2, "the segment is gone")
        view = memoryview(frame)
        try:
            while view:
                view = view[os.write(segment.descriptor, view) :]
        except OSError:
            # Half a frame would be read as damage; without it the segment is whole.
            with contextlib.suppress(OSError):
                os.ftruncate(segment.descriptor, segment.size)
            raise
        segment.size += len(frame)
        self.bytes_written += len(frame)

    def _end(self) -> None:
        segment, self._open = self._open, None
        if segment is None:
            return
        os.close(segment.descriptor)
        closed = segment.path.with_name(segment.path.name.removesuffix(OPEN_SUFFIX) + CLOSED_SUFFIX)
        with contextlib.suppress(OSError):  # it is read under its open name just as well
            segment.path.rename(closed)

    def _abandon(self) -> None:
        """Let go of the segment: the next flush begins another, maybe on a disk that is there."""
        self._end()
