"""Which new fields does the next shadow copy of a pod carry?

As many of those not tried yet as fit, so that over time every probe was in every place and
position; then it begins anew. Every so often only fields that no release has. When a copy is
blocked, its probes are sent one by one: the one that is blocked alone is to blame, and is left out
from then on.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.probes.loading import Place, Probe
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.generation.cases import Case, Placement, Position, Purpose, fields_of
from webhook_fuzz.fuzzer.generation.drafts import SIDECAR, Draft, Slot, goals_of
from webhook_fuzz.fuzzer.generation.packing import Goal
from webhook_fuzz.fuzzer.generation.smallest import alone_case
from webhook_fuzz.fuzzer.isolation import SIDECAR_PROBE

FUTURE_EVERY: Final = 8
"""Of so many copies, one carries the synthetic fields and nothing else."""

_FRUITLESS: Final = 3


@dataclass(slots=True, kw_only=True)
class Rotation:
    """Where the rotation stands for one webhook.

    `probes` are those for the target, `schema` is that of the newest minor known. `rounds` counts
    how often everything that has room on this webhook's pods was tried.
    """

    probes: Mapping[str, Probe]
    schema: FieldSchema
    rounds: int = 0
    _turn: int = 0
    _fruitless: int = 0
    _open: dict[Goal, None] = field(default_factory=dict[Goal, None])
    _blamed: set[str] = field(default_factory=set[str])
    _suspects: list[Placement] = field(default_factory=list[Placement])

    def __post_init__(self) -> None:
        self._open = self._all_goals()

    def next_case(self, seed: SeedPod) -> Case:
        """The pod with the fields whose turn it is."""
        while self._suspects:
            alone = self._alone(self._suspects.pop(0), seed)
            if alone is not None:
                return alone
        turn, self._turn = self._turn, self._turn + 1
        if turn % FUTURE_EVERY == FUTURE_EVERY - 1:
            return self._future_case(seed)
        return self._packed_case(seed, Position(turn % len(Position)))

    def note_blocked(self, case: Case) -> Placement | None:
        """A copy was denied or failed on: the placement that is to blame, once it is known."""
        if case.purpose is Purpose.ALONE:
            blamed = case.placements[-1]
            self._blamed.add(blamed.probe.name)
            self._suspects.clear()
            self._open = {goal: None for goal in self._open if goal[0] not in self._blamed}
            return blamed
        # One of each probe: in which container it stands is no matter for being refused. The
        # sidecar, on which others stand, is the first of them.
        by_name = {placement.probe.name: placement for placement in case.placements}
        self._suspects = list(by_name.values())
        return None

    def _alone(self, placement: Placement, seed: SeedPod) -> Case | None:
        return alone_case(placement, seed, NO_TRIGGER, probes=self.probes, schema=self.schema)

    def _packed_case(self, seed: SeedPod, sidecar_at: Position) -> Case:
        draft, slots = self._start(seed, sidecar_at)
        met = [goal for goal in self._open if self._place(draft, slots, goal)]
        for goal in met:
            del self._open[goal]
        self._fruitless = 0 if met else self._fruitless + 1
        if not self._open or self._fruitless >= _FRUITLESS:
            self.rounds, self._fruitless, self._open = self.rounds + 1, 0, self._all_goals()
        return _case(seed, draft, Purpose.SWEEP, sidecar_at)

    def _future_case(self, seed: SeedPod) -> Case:
        draft, slots = self._start(seed, Position.MIDDLE)
        for probe in self.probes.values():
            if probe.future and probe.name not in self._blamed:
                for slot in _slots_of(probe, slots):
                    draft.place(probe, slot)
        return _case(seed, draft, Purpose.FUTURE, Position.MIDDLE)

    def _start(self, seed: SeedPod, sidecar_at: Position) -> tuple[Draft, tuple[Slot, ...]]:
        draft = Draft(pod=copy.deepcopy(seed.pod), schema=self.schema)
        draft.forget_defaults()
        draft.add_members(sidecar_at)
        if SIDECAR_PROBE in self.probes and SIDECAR_PROBE not in self._blamed:
            for slot in draft.slots():
                if slot.name == SIDECAR:
                    draft.place(self.probes[SIDECAR_PROBE], slot)
        return draft, tuple(draft.slots())

    def _place(self, draft: Draft, slots: tuple[Slot, ...], goal: Goal) -> bool:
        name, container_list, position = goal
        probe = self.probes[name]
        if container_list is None:
            return draft.place(probe)
        slot = next(
            (s for s in slots if s.container_list == container_list and position in s.positions),
            None,
        )
        if slot is None:
            return False
        if name == SIDECAR_PROBE:
            return slot.name == SIDECAR  # it is there already
        return slot.takes(probe) and draft.place(probe, slot)

    def _all_goals(self) -> dict[Goal, None]:
        return {
            (name, *place): None
            for name, probe in self.probes.items()
            if not probe.future and name not in self._blamed
            for place in goals_of(probe)
        }


def _slots_of(probe: Probe, slots: tuple[Slot, ...]) -> Iterator[Slot | None]:
    if probe.at is Place.POD:
        yield None
    yield from (slot for slot in slots if slot.positions and slot.container_list in probe.at.lists)


def _case(seed: SeedPod, draft: Draft, purpose: Purpose, sidecar_at: Position) -> Case:
    return Case(
        name=f"shadow-{seed.name}",
        purpose=purpose,
        seed=seed.name,
        trigger=NO_TRIGGER,
        namespace=seed.namespace,
        pod=default_pod(draft.pod),
        placements=tuple(draft.placements),
        fields=fields_of(draft.placements),
        sidecar_at=sidecar_at,
    )
