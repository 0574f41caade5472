"""Which few pods carry every probe in every position?

Losses are told apart by their keyed path, so one pod can carry many probes at once. Packing is
greedy: each seed pod in turn takes every probe that still has to be tried and fits, then the ones
already tried, so that all seeds meet many fields. The native sidecar stands first, in the middle
and last in turn.
"""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.probes.loading import Place, Probe
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.applying import apply_trigger
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.reviews import OMITS_CREATION_TIMESTAMP, written_pod
from webhook_fuzz.fuzzer.generation.cases import Case, Position, Purpose, fields_of
from webhook_fuzz.fuzzer.generation.drafts import SIDECAR, Draft, Slot, goals_of

Goal = tuple[str, str | None, Position | None]
"""(probe, container list, position)"""

_SIDECAR_PROBE = "native-sidecar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The cases of a sweep, without a trigger, and what no seed had room for."""

    cases: tuple[Case, ...]
    unplaced: frozenset[Goal]


def pack_sweep(seeds: Sequence[SeedPod], probes: Mapping[str, Probe], schema: FieldSchema) -> Sweep:
    """The cases that try every probe in every position, using every seed at least once.

    `probes` are those for the target; `schema` is that of the newest minor the catalogue knows.
    """
    current = {name: probe for name, probe in probes.items() if not probe.future}
    open_goals = {
        (name, *place): None for name, probe in current.items() for place in goals_of(probe)
    }
    drafts: list[tuple[SeedPod, Position, Draft]] = []
    fruitless = 0
    while len(drafts) < len(seeds) or (open_goals and fruitless < len(seeds) * len(Position)):
        turn = len(drafts) + fruitless
        seed = seeds[turn % len(seeds)]
        sidecar_at = Position((turn + turn // len(seeds)) % len(Position))
        draft = _start(seed, schema, sidecar_at)
        met = _fill_draft(draft, current, open_goals)
        if not met and len(drafts) >= len(seeds):
            fruitless += 1
            continue
        for goal in met:
            del open_goals[goal]
        drafts.append((seed, sidecar_at, draft))
    cases = [
        _case(seed, draft, Purpose.SWEEP, f"sweep-{number}", sidecar_at)
        for number, (seed, sidecar_at, draft) in enumerate(drafts)
    ]
    cases += [_future_case(seed, probes, schema) for seed in seeds[:1]]
    return Sweep(cases=tuple(cases), unplaced=frozenset(open_goals))


def with_trigger(case: Case, trigger: Trigger) -> Case:
    """The same case with a trigger applied to its pod."""
    if trigger == NO_TRIGGER:
        return case
    pod = default_pod(apply_trigger(case.pod, trigger), reuse=case.pod)
    namespace = trigger.namespace or case.namespace
    return replace(case, trigger=trigger, pod=pod, namespace=namespace)


def subset_case(case: Case, seed: SeedPod, names: Collection[str], schema: FieldSchema) -> Case:
    """A swept case again with only the probes named, where they were, and its trigger."""
    draft = _start(seed, schema, case.sidecar_at or Position.FIRST)
    for placement in case.placements:
        if placement.probe.name in names:
            at = (placement.container_list, placement.container)
            slot = next((s for s in draft.slots() if (s.container_list, s.name) == at), None)
            draft.place(placement.probe, slot)
    rebuilt = _case(seed, draft, case.purpose, "subset", case.sidecar_at or Position.FIRST)
    return with_trigger(rebuilt, case.trigger)


def _start(seed: SeedPod, schema: FieldSchema, sidecar_at: Position) -> Draft:
    draft = Draft(pod=copy.deepcopy(seed.pod), schema=schema)
    draft.forget_defaults()
    draft.add_members(sidecar_at)
    return draft


def _fill_draft(
    draft: Draft, probes: Mapping[str, Probe], open_goals: Mapping[Goal, None]
) -> list[Goal]:
    """Place what is still open, then what has been tried already; the open goals now met."""
    _place_sidecar(draft, probes)
    slots = tuple(draft.slots())
    met = [goal for goal in open_goals if _try(draft, probes[goal[0]], _slot(slots, goal))]
    met += [goal for goal in open_goals if goal[0] == _SIDECAR_PROBE and _has_sidecar(slots, goal)]
    placed = {(p.probe.name, p.container_list, p.container) for p in draft.placements}
    for probe in probes.values():
        for slot in _slots_of(probe, slots):
            where = (slot.container_list, slot.name) if slot else (None, None)
            if (probe.name, *where) not in placed:
                _try(draft, probe, slot)
    return list(dict.fromkeys(met))


def _place_sidecar(draft: Draft, probes: Mapping[str, Probe]) -> None:
    """Before anything else: what the sidecar takes depends on its being one."""
    for slot in draft.slots():
        if slot.name == SIDECAR and _SIDECAR_PROBE in probes:
            draft.place(probes[_SIDECAR_PROBE], slot)


def _try(draft: Draft, probe: Probe, slot: Slot | None) -> bool:
    if probe.name == _SIDECAR_PROBE:
        return False
    if slot is None:
        return probe.at is Place.POD and draft.place(probe)
    return slot.takes(probe) and draft.place(probe, slot)


def _slot(slots: Sequence[Slot], goal: Goal) -> Slot | None:
    _, container_list, position = goal
    for slot in slots:
        if slot.container_list == container_list and position in slot.positions:
            return slot
    return None


def _slots_of(probe: Probe, slots: Sequence[Slot]) -> Iterator[Slot | None]:
    if probe.at is Place.POD:
        yield None
    yield from (slot for slot in slots if slot.positions and slot.container_list in probe.at.lists)


def _has_sidecar(slots: Sequence[Slot], goal: Goal) -> bool:
    slot = _slot(slots, goal)
    return slot is not None and slot.name == SIDECAR


def _future_case(seed: SeedPod, probes: Mapping[str, Probe], schema: FieldSchema) -> Case:
    """All synthetic fields on one pod and nothing else, so that a strict decoder is seen apart."""
    draft = _start(seed, schema, Position.MIDDLE)
    _place_sidecar(draft, probes)
    slots = tuple(draft.slots())
    for probe in probes.values():
        if probe.future:
            for slot in _slots_of(probe, slots):
                draft.place(probe, slot)
    return _case(seed, draft, Purpose.FUTURE, "future", Position.MIDDLE)


def _case(seed: SeedPod, draft: Draft, purpose: Purpose, name: str, sidecar_at: Position) -> Case:
    return Case(
        name=f"{name}-{seed.name}",
        purpose=purpose,
        seed=seed.name,
        trigger=NO_TRIGGER,
        namespace=seed.namespace,
        # Written down already, the spec is the same object in every review of this pod.
        pod=written_pod(default_pod(draft.pod), OMITS_CREATION_TIMESTAMP),
        placements=tuple(draft.placements),
        fields=fields_of(draft.placements),
        sidecar_at=sidecar_at,
    )
