"""How is a copy of recordings made that appears whole or not at all?

Sorting by time takes as much memory as one piece of what is sorted: pieces are sorted in memory,
written as segments into a folder that goes away, and merged. Exchanges come in the order they
ended, so that no piece needs to know the others.
"""

import heapq
import secrets
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.recordings.appending import Rotation, SegmentWriter
from webhook_fuzz.corpora.recordings.reading import find_segments, iterate_segment
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.schemas import render_exchange
from webhook_fuzz.corpora.recordings.segments import Damage

_SEGMENT_BYTES: Final = 64 * 2**20
_PIECE_BYTES: Final = 32 * 2**20
"""Of lines; what Python makes of them is several times as large."""
_NEVER: Final = 10.0**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """How many exchanges a copy has, and whether they are raw."""

    number: int
    raw: bool


def write_copy(exchanges: Iterable[RecordedExchange], output: Path, *, tool: str) -> Copied:
    """Write exchanges as a recording of its own.

    Raises InputError where the folder is there already or cannot be written, and where some of the
    exchanges are raw and some are redacted: a header says of a whole segment what it is.
    """
    if output.exists():
        raise InputError(f"{output} is there already", hint="Give the name of a new folder.")
    temporary = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir(mode=0o700, parents=True)
        copied = _write(exchanges, temporary, tool=tool)
        temporary.rename(output)
    except OSError as error:
        raise InputError(
            f"{output} cannot be written: {error.strerror}", hint="Choose another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return copied


def by_time(
    exchanges: Iterable[RecordedExchange], *, piece_bytes: int = _PIECE_BYTES
) -> Generator[RecordedExchange]:
    """The exchanges by when they began, each id once; close it if it is not read to its end.

    Raises InputError without room for what is put aside.
    """
    with tempfile.TemporaryDirectory(prefix="webhook-fuzz-sorting-") as folder:
        pieces: list[Path] = []
        held: list[RecordedExchange] = []
        size = 0
        for each in exchanges:
            held.append(each)
            size += len(render_exchange(each))
            if size >= piece_bytes:
                pieces.append(_put_aside(held, Path(folder) / f"{len(pieces):06d}"))
                held, size = [], 0
        held.sort(key=_order)
        merged = heapq.merge(*map(_taken_up, pieces), held, key=_order)
        yield from _once(merged)


def _order(recorded: RecordedExchange) -> tuple[float, str]:
    return recorded.started_at, recorded.id


def _once(exchanges: Iterable[RecordedExchange]) -> Iterator[RecordedExchange]:
    """In order, so that those of the same id come one after the other."""
    last = None
    for each in exchanges:
        if _order(each) != last:
            yield each
        last = _order(each)


def _put_aside(held: list[RecordedExchange], folder: Path) -> Path:
    held.sort(key=_order)
    folder.mkdir(mode=0o700)
    writer = _writer(folder, tool="", raw=True)
    for each in held:
        writer.append(render_exchange(each))
    _close(writer, folder)
    return folder


def _taken_up(folder: Path) -> Iterator[RecordedExchange]:
    for segment in find_segments(folder):
        yield from iterate_segment(segment, on_damage=_refuse)


def _write(exchanges: Iterable[RecordedExchange], folder: Path, *, tool: str) -> Copied:
    writer: SegmentWriter | None = None
    is_raw, number = False, 0
    for each in exchanges:
        number += 1
        if writer is None:
            is_raw = each.raw
            writer = _writer(folder, tool=tool, raw=is_raw)
        if each.raw != is_raw:
            raise InputError(
                "some of these recordings are raw and some are redacted",
                hint="Redact the raw ones first: `webhook-fuzz recording redact`.",
            )
        writer.append(render_exchange(each))
    if writer is not None:
        _close(writer, folder)
    return Copied(number=number, raw=is_raw)


def _writer(folder: Path, *, tool: str, raw: bool) -> SegmentWriter:
    rotation = Rotation(bytes=_SEGMENT_BYTES, seconds=_NEVER)
    return SegmentWriter(folder, rotation, writer=secrets.token_hex(6), tool=tool, raw=raw)


def _close(writer: SegmentWriter, folder: Path) -> None:
    writer.close()
    if writer.failed:
        raise InputError(f"{folder} cannot be written", hint="Is there room on the disk?")


def _refuse(damage: Damage) -> None:
    raise InputError(f"what was put aside cannot be read: {damage}", hint="Is the disk whole?")
