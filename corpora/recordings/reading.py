"""What is in a recording?

Segments are read one after the other in the order they were begun, and streamed: memory holds one
frame at a time, whatever the size of the recording. Nothing in a file raises; what cannot be read
is told as damage, and reading goes on behind it.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.recordings.conversions import Conversion, find_conversion
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.schemas import RECORDING_VERSION, parse_exchange
from webhook_fuzz.corpora.recordings.segments import (
    CLOSED_SUFFIX,
    OPEN_SUFFIX,
    Damage,
    build_decompressor,
    read_lines,
)

__all__ = ["Damage", "SegmentHeader", "find_segments", "iterate_recordings", "iterate_segment"]

STANDARD_INPUT: Final = Path("-")
_MOST_UNREAD: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """Who wrote a segment: version of the format and the tool, when begun, raw or redacted."""

    version: str
    tool: str
    started_at: float
    raw: bool
    writer: str


def iterate_recordings(
    paths: Sequence[Path], *, on_damage: Callable[[Damage], None]
) -> Iterator[RecordedExchange]:
    """The exchanges of recordings: folders, single segments, `-` for standard input.

    They come segment by segment, in each in the order they ended: `recording merge` sorts by time.
    Raises InputError, before anything is read, for a path that is no recording.
    """
    build_decompressor()
    segments = [segment for path in paths for segment in find_segments(path)]
    return _iterate(segments, on_damage)


def find_segments(path: Path) -> list[Path]:
    """The segments of one recording in the order they were begun; InputError if it is none."""
    if path == STANDARD_INPUT or path.is_file():
        return [path]
    try:
        found = [each for each in path.iterdir() if _is_segment(each)]
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}", hint="Give the folder of a recording, or a segment of it."
        ) from error
    if not found:
        raise InputError(
            f"{path}: there is no recording in it",
            hint=f"A recording is a folder of files `*{CLOSED_SUFFIX}`, as `--recording` writes.",
        )
    return sorted(found, key=lambda each: each.name)


def iterate_segment(
    path: Path,
    *,
    on_damage: Callable[[Damage], None],
    on_header: Callable[[SegmentHeader], None] = lambda _: None,
) -> Iterator[RecordedExchange]:
    """The exchanges of one segment, and what its header says as soon as it was read."""
    try:
        stream = _open(path)
    except OSError as error:
        on_damage(Damage(path=path, offset=0, what=f"it cannot be read: {error.strerror}"))
        return
    try:
        yield from _Records(path, on_damage, on_header).read(stream)
    except OSError as error:
        on_damage(Damage(path=path, offset=0, what=f"it cannot be read on: {error.strerror}"))
    finally:
        if path != STANDARD_INPUT:
            stream.close()


def _iterate(
    segments: Sequence[Path], on_damage: Callable[[Damage], None]
) -> Iterator[RecordedExchange]:
    for segment in segments:
        yield from iterate_segment(segment, on_damage=on_damage)


def _is_segment(path: Path) -> bool:
    return path.name.endswith((CLOSED_SUFFIX, OPEN_SUFFIX)) and path.is_file()


def _open(path: Path) -> BinaryIO:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except FileNotFoundError:
        # It was closed, and renamed by that, since it was listed.
        return path.with_name(path.name.removesuffix(".open")).open("rb")


class _Records:
    """Makes exchanges of the lines of one segment."""

    def __init__(
        self,
        path: Path,
        on_damage: Callable[[Damage], None],
        on_header: Callable[[SegmentHeader], None],
    ) -> None:
        self._path = path
        self._on_damage = on_damage
        self._on_header = on_header
        self._convert: Conversion | None = None
        self._unread = 0

    def read(self, stream: BinaryIO) -> Iterator[RecordedExchange]:
        for offset, line in read_lines(stream, self._path, on_damage=self._on_damage):
            try:
                record = _parse_line(line)
                if isinstance(record.get("recording"), str):
                    self._take_header(record)
                    continue
                exchange = self._parse(record)
            except _UnreadableError as error:
                self._tell(offset, str(error))
                return
            except ValueError as error:
                self._tell(offset, f"a record cannot be read: {error}")
                self._unread += 1
                if self._unread == _MOST_UNREAD:
                    self._tell(offset, "the rest is not looked at")
                    return
                continue
            yield exchange

    def _parse(self, record: JsonObject) -> RecordedExchange:
        if self._convert is None:  # the header was in a damaged frame, which was told
            self._convert = find_conversion(RECORDING_VERSION)
        return parse_exchange(self._convert(record))

    def _take_header(self, record: JsonObject) -> None:
        header = parse_header(record)
        try:
            self._convert = find_conversion(header.version)
        except ValueError as error:
            raise _UnreadableError(str(error)) from error
        self._on_header(header)

    def _tell(self, offset: int, what: str) -> None:
        self._on_damage(Damage(path=self._path, offset=offset, what=what))


class _UnreadableError(Exception):
    """Nothing of this segment can be read by this program."""


def _parse_line(line: bytes) -> JsonObject:
    value: JsonValue = orjson.loads(line)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - as orjson's own for what is none
    return value


def parse_header(record: JsonObject) -> SegmentHeader:
    """What the first line of a segment says; what it leaves out is empty."""
    started_at = record.get("startedAt")
    return SegmentHeader(
        version=str(record.get("recording")),
        tool=str(record.get("tool", "")),
        started_at=float(started_at) if isinstance(started_at, int | float) else 0.0,
        raw=record.get("raw") is True,
        writer=str(record.get("writer", "")),
    )
