"""Which segments go when a recording has grown too large or too old?

The oldest that are complete, whoever wrote them. What is being written is never touched; a segment
that was left open by a writer that was killed counts as complete when nobody wrote to it for long.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from webhook_fuzz.corpora.recordings.segments import CLOSED_SUFFIX, OPEN_SUFFIX

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Segment:
    path: Path
    size: int
    modified: float


class Retention:
    """Deletes segments of a folder; 0 bytes or seconds keep all. Raises nothing."""

    def __init__(
        self,
        folder: Path,
        *,
        retain_bytes: int,
        retain_seconds: float,
        abandoned_seconds: float,
    ) -> None:
        self._folder = folder
        self._retain_bytes = retain_bytes
        self._retain_seconds = retain_seconds
        self._abandoned_seconds = abandoned_seconds
        self.deleted = 0
        self.bytes_on_disk = 0

    def apply(self, now: float, *, own: Path | None) -> None:
        """Delete what is to go; `own` is what is being written by whoever asks."""
        segments = _list_segments(self._folder)
        total = sum(segment.size for segment in segments)
        for segment in segments:
            too_large = 0 < self._retain_bytes < total
            too_old = 0 < self._retain_seconds < now - segment.modified
            if (too_large or too_old) and self._may_go(segment, now, own) and _delete(segment.path):
                self.deleted += 1
                total -= segment.size
        self.bytes_on_disk = total

    def _may_go(self, segment: _Segment, now: float, own: Path | None) -> bool:
        if segment.path == own:
            return False
        is_complete = segment.path.name.endswith(CLOSED_SUFFIX)
        return is_complete or now - segment.modified > self._abandoned_seconds


def _list_segments(folder: Path) -> list[_Segment]:
    """By name, which begins with the time; empty where the folder is gone."""
    found: list[_Segment] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith((CLOSED_SUFFIX, OPEN_SUFFIX)):
                    status = entry.stat()
                    found.append(_Segment(Path(entry.path), status.st_size, status.st_mtime))
    except OSError:  # told by whoever writes there
        return []
    return sorted(found, key=lambda segment: segment.path.name)


def _delete(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _LOG.warning("an old segment cannot be deleted: %s: %s", path, error.strerror)
        return False
    return True
