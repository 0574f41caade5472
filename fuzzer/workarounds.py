"""How are the other probes judged, when one of them makes a webhook deny or fail?

A pod that is blocked hides what becomes of everything on it. The probes to blame are found, shown
alone, and left out of another sweep.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.generation.cases import Case, Placement
from webhook_fuzz.fuzzer.generation.packing import pack_sweep, with_trigger
from webhook_fuzz.fuzzer.generation.smallest import alone_case, bare_case
from webhook_fuzz.fuzzer.isolation import (
    blocked_finding,
    find_culprits,
    is_blocked,
    without_new_fields,
)
from webhook_fuzz.fuzzer.judges import Judge
from webhook_fuzz.fuzzer.observations import Observation


async def work_around(judge: Judge, judged: Sequence[CaseJudged]) -> AsyncIterator[CaseJudged]:
    """Find the probes whose pods are blocked, then sweep the others without them."""
    blocked = [event for event in judged if is_blocked(event.observation) and event.case.placements]
    if not blocked:
        return
    trigger = blocked[0].case.trigger
    control = await judge.judge(bare_case(judge.plan.minimal, trigger))
    yield control
    if is_blocked(control.observation):
        return  # it is not the probes: the pod is blocked without any
    seeds = {seed.name: seed for seed in judge.plan.seeds}
    culprits: dict[str, None] = {}
    for event in blocked:
        sent: list[CaseJudged] = []
        names = await find_culprits(
            event.case,
            seeds[event.case.seed],
            _collecting(judge, sent),
            schema=judge.plan.schema,
            known=culprits,
        )
        for tried in sent:
            yield tried
        culprits |= dict.fromkeys(names)
    for name in culprits:
        async for found in _blame(judge, name, blocked, trigger):
            yield found
    async for event in _sweep_without(judge, culprits, trigger):
        yield event


async def _blame(
    judge: Judge, name: str, blocked: Sequence[CaseJudged], trigger: Trigger
) -> AsyncIterator[CaseJudged]:
    """The probe alone on the minimal pod: the finding, if it is blocked there too."""
    for placement in _placements(name, blocked):
        case = alone_case(
            placement,
            judge.plan.minimal,
            trigger,
            probes=judge.plan.probes,
            schema=judge.plan.schema,
        )
        if case is None:
            continue
        event = await judge.judge(case)
        if is_blocked(event.observation):
            without = without_new_fields(case, judge.plan.catalogue)
            control = await judge.judge(without) if without is not None else None
            if control is not None:
                yield control
            if control is None or not is_blocked(control.observation):
                found = blocked_finding(event.observation, placement.paths)
                event = replace(event, findings=(*event.findings, *found))
        yield event


async def _sweep_without(
    judge: Judge, culprits: Mapping[str, None], trigger: Trigger
) -> AsyncIterator[CaseJudged]:
    if not culprits:
        return
    probes = {name: p for name, p in judge.plan.probes.items() if name not in culprits}
    sweep = pack_sweep(judge.plan.seeds, probes, judge.plan.schema)
    async for event in judge.judge_all(with_trigger(case, trigger) for case in sweep.cases):
        yield event


def _collecting(judge: Judge, sent: list[CaseJudged]) -> Callable[[Case], Awaitable[Observation]]:
    async def send(case: Case) -> Observation:
        event = await judge.judge(case)
        sent.append(event)
        return event.observation

    return send


def _placements(name: str, blocked: Sequence[CaseJudged]) -> Iterable[Placement]:
    """Where a probe was: one placement for the pod, or one for each list of containers."""
    return {
        placement.container_list: placement
        for event in blocked
        for placement in event.case.placements
        if placement.probe.name == name
    }.values()
