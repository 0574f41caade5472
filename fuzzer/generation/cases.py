"""What is one pod that is sent to a webhook, and what does it try?"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.probes.loading import Probe
from webhook_fuzz.corpora.triggers.definitions import Trigger


class Position(IntEnum):
    """Where in its list a container stands."""

    FIRST = 0
    MIDDLE = 1
    LAST = 2

    def index(self, length: int) -> int:
        """The index of this position in a list of `length` elements."""
        return (0, length // 2, length - 1)[self]


class Purpose(StrEnum):
    """Why a case is sent.

    sweep: covers many probes at once. future: carries fields no release has. control: the same
    pod without its probes, to compare with. alone: one probe on the smallest pod, to confirm.
    """

    SWEEP = "sweep"
    FUTURE = "future"
    CONTROL = "control"
    ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One probe in one place of a pod: the pod itself, or a container of a list."""

    probe: Probe
    container_list: str | None = None
    container: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The catalogue paths the probe sets here."""
        return self.probe.paths(self.container_list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pod as it is sent, the probes it carries and the trigger applied to it.

    `fields` are the catalogue paths its probes set, worked out once for all triggers.
    `sidecar_at` is where the native sidecar of a swept pod stands, None for other pods.
    """

    name: str
    purpose: Purpose
    seed: str
    trigger: Trigger
    namespace: str
    pod: JsonObject
    placements: tuple[Placement, ...]
    fields: frozenset[str]
    sidecar_at: Position | None = None


def fields_of(placements: Iterable[Placement]) -> frozenset[str]:
    """The catalogue paths that probes set in their places."""
    return frozenset(path for placement in placements for path in placement.paths)
