"""How does a person see that minutes of building are not a hang?

Whoever builds is given a function that takes lines of progress: a script prints them, tests need
`fixtures.past_capture`.
"""

import time
from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str], None]
"""Receives one line for people at a time, without a line break."""

QUIET_SECONDS = 2.0
"""Work that takes longer than this says so."""
REPEAT_SECONDS = 10.0
"""Afterwards it says so again this often."""


class Clock:
    """Says what is being done once that takes longer than two seconds, then every ten."""

    def __init__(self, doing: str, progress: Progress) -> None:
        self._doing = doing
        self._progress = progress
        self._started = time.monotonic()
        self._next = QUIET_SECONDS

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._started

    def tick(self) -> None:
        """Print a line if one is due."""
        if self.seconds >= self._next:
            self._progress(f"{self._doing} … {self.seconds:.0f} s")
            self._next = self.seconds + REPEAT_SECONDS

    def finish(self, what: str) -> None:
        """Print how long it took, if it was announced at all."""
        if self._next > QUIET_SECONDS:
            self._progress(f"{what} after {self.seconds:.0f} s")
