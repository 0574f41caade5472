"""When has an API server been silent for so long that asking again only costs time?

Each request has its own budget of time. A run has a thousand of them: without this, a server that
drops everything would be waited for a thousand times.
"""

import time
from collections.abc import Callable
from typing import Final

_MOST_SILENCES: Final = 5
_PROBE_SECONDS: Final = 5.0


class Outage:
    """Counts the requests in a row that got no answer at all.

    After five, only one request in five seconds is let through; any answer ends the outage.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silences = 0
        self._next_probe = 0.0

    def lets_through(self) -> bool:
        """Whether a request may be sent now."""
        if self._silences < _MOST_SILENCES:
            return True
        now = self._clock()
        if now < self._next_probe:
            return False
        self._next_probe = now + _PROBE_SECONDS
        return True

    def note_silence(self) -> None:
        """A request got no answer, however often it was repeated."""
        self._silences += 1
        self._next_probe = self._clock() + _PROBE_SECONDS

    def note_answer(self) -> None:
        """An answer of any status came."""
        self._silences = 0
