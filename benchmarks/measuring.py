"""How are two things measured so that they can be compared?

In turns, in one run, the one that goes first changing with every round: whatever else the machine
is doing then meets both. A figure keeps every round; the median and the spread are worked out from
them, the ratio round by round.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Measure: TypeAlias = Callable[[], float]
"""Measures once: items a second, or seconds."""


class Unit(StrEnum):
    """What a figure counts: more items (a second) are better, fewer seconds and MiB are."""

    RATE = "/s"
    SECONDS = "s"
    MEBIBYTES = "MiB"
    MILLISECONDS = "ms"
    COUNT = ""


class Measured(StrEnum):
    """Which of a figure's two medians a goal is about."""

    OURS = "ours"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of all rounds, with the least and the most."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the median should be: at least `bound` for rates and ratios, at most for seconds."""

    of: Measured
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing measured `ours` beside `other`, round by round; `other_name` says what that is."""

    name: str
    other_name: str
    unit: Unit
    ours: tuple[float, ...]
    other: tuple[float, ...]
    goal: Goal | None = None

    @property
    def ratio(self) -> Spread:
        """Ours divided by the other, in each round."""
        return spread([ours / other for ours, other in zip(self.ours, self.other, strict=True)])

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the goal; None without a goal."""
        if self.goal is None:
            return None
        if self.goal.of is Measured.RATIO:
            return self.ratio.median >= self.goal.bound
        median = spread(self.ours).median
        more_is_better = self.unit in {Unit.RATE, Unit.COUNT}
        return median >= self.goal.bound if more_is_better else median <= self.goal.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to measure: rounds of each figure, seconds of each measurement, triggers to apply.

    `triggers` is None for all shipped ones. `tick` is called after every round.
    """

    rounds: int
    seconds: float
    tick: Callable[[], None]
    triggers: int | None = None


def alternate(ours: Measure, other: Measure, effort: Effort) -> tuple[tuple[float, ...], ...]:
    """What `ours` and `other` measured, round by round."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(effort.rounds):
        turns = [(found[0], ours), (found[1], other)]
        for values, measure in reversed(turns) if number % 2 else turns:
            gc.collect()  # nobody pays for the garbage of the other
            values.append(measure())
        effort.tick()
    return tuple(found[0]), tuple(found[1])


def rate(work: Callable[[], object], items: int, seconds: float) -> float:
    """Items a second, `work` doing `items` of them, repeated for at least `seconds`."""
    done, started = 0, time.perf_counter()
    while True:
        work()
        done += items
        elapsed = time.perf_counter() - started
        if elapsed >= seconds:
            return done / elapsed


def spread(values: Sequence[float]) -> Spread:
    """The median and the spread of values, of which there is at least one."""
    return Spread(median=statistics.median(values), least=min(values), most=max(values))
