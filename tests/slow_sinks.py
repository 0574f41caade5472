"""Sinks that take their time; importable, so that a process of their own can open them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.corpora.recordings.sinks import Count


@dataclass(slots=True)
class SlowSink:
    """Takes a while for each, and counts them."""

    seconds: float
    taken: int = 0

    def take(self, exchange: RawExchange) -> None:
        time.sleep(self.seconds)
        self.taken += 1

    def tick(self, now: float) -> None:
        pass

    def counts(self) -> Sequence[Count]:
        return (Count(name="taken", value=self.taken),)

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class SlowFactory:
    """Opens a slow sink."""

    seconds: float = 0.005

    def __call__(self) -> SlowSink:
        return SlowSink(self.seconds)
