"""How is one webhook swept?

First the packed cases as they are, then with each trigger; a trigger that changes nothing is not
repeated for every case. What broke is then sent alone on small pods. Everything that happens is
yielded as an event; calls run side by side as far as the transport lets them, events keep the order
of the cases.
"""

import asyncio
import random
import re
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, WebhookIdentity
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.fuzzer.apiserver.answers import Answer, InvalidAnswer, InvalidReason
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.confirmations import confirmation_cases, control_cases, second_cases
from webhook_fuzz.fuzzer.events import (
    CaseJudged,
    ConfirmationsStarted,
    Event,
    TriggerEffect,
    TriggerFinished,
    WebhookFinished,
    WebhookStarted,
)
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.cases import Case, Placement
from webhook_fuzz.fuzzer.generation.packing import pack_sweep, with_trigger
from webhook_fuzz.fuzzer.generation.smallest import alone_case, bare_case
from webhook_fuzz.fuzzer.isolation import (
    blocked_finding,
    find_culprits,
    is_blocked,
    without_new_fields,
)
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.tallies import UNREACHED, Tally
from webhook_fuzz.fuzzer.transports import Transport

SCREENING_CASES = 2
"""Cases sent with a trigger before it is decided whether the trigger does anything."""


REVIEW_REASONS = frozenset(
    {
        InvalidReason.NOT_AN_ADMISSION_REVIEW,
        InvalidReason.WRONG_VERSION,
        InvalidReason.NO_RESPONSE,
        InvalidReason.UID_MISMATCH,
    }
)
"""What a webhook that only knows v1beta1 does wrong when it is sent v1."""

CASES_AHEAD = 32
"""Cases made and handed to the transport before the oldest of them is judged."""

MOST_UNANSWERED = 12
"""Calls in a row that reach nobody before the rest of a sweep is given up."""


class _SilentError(Exception):
    """The webhook stopped being there."""


@dataclass(kw_only=True)
class WebhookSweep:
    """The sweep of one webhook over one transport."""

    plan: Plan
    webhook: WebhookIdentity
    transport: Transport
    tally: Tally = field(init=False)
    _random: random.Random = field(init=False)
    _unanswered: int = 0
    _version: ReviewVersion = "v1"

    def __post_init__(self) -> None:
        self.tally = Tally(webhook=self.webhook)
        # Uids must not repeat, they need not be secret, and a run must be repeatable.
        self._random = random.Random(self.plan.random_seed)  # noqa: S311

    async def events(self) -> AsyncIterator[Event]:
        """Everything that happens, in order; the tally is folded along."""
        async for event in self._steps():
            self.tally.add(event)
            yield event

    async def _steps(self) -> AsyncIterator[Event]:
        cases = self.plan.sweep.cases
        yield WebhookStarted(
            webhook=self.webhook,
            target=self.plan.target,
            cases=len(cases),
            triggers=len(self.plan.triggers),
        )
        async for event in self._agree_on_version(cases[0]):
            yield event
        first = [await self._judge(case) for case in cases[:SCREENING_CASES]]
        for event in first:
            yield event
        if not any(_was_reached(event.observation) for event in first):
            # Nobody is there: every other call would end the same way, a time-out later each.
            yield _trigger_finished(NO_TRIGGER, len(cases), first, TriggerEffect.FAILED)
            yield WebhookFinished(webhook=self.webhook, complete=False)
            return
        if all(_is_unusable(event.observation) for event in first):
            control = await self._judge(bare_case(self.plan.minimal, NO_TRIGGER))
            yield control
            if _is_unusable(control.observation):
                # It fails on any pod: more calls would say the same, and may cost it dearly.
                yield _trigger_finished(NO_TRIGGER, len(cases), first, TriggerEffect.FAILED)
                yield WebhookFinished(webhook=self.webhook, complete=True)
                return
        complete = True
        try:
            for step in (self._untriggered(first), self._with_triggers(first), self._confirm()):
                async for happened in step:
                    yield happened
        except _SilentError:
            complete = False
        yield WebhookFinished(webhook=self.webhook, complete=complete)

    async def _agree_on_version(self, case: Case) -> AsyncIterator[CaseJudged]:
        """Use v1beta1 reviews for a webhook that cannot answer v1 and can answer those.

        An API server sends the first version of `admissionReviewVersions` it knows; without the
        configuration, what the webhook can answer is all there is to go by.
        """
        asked = await self._observe(case)
        if not isinstance(asked.answer, InvalidAnswer) or asked.answer.reason not in REVIEW_REASONS:
            return
        self._version = "v1beta1"
        answered = await self._observe(case)
        if not isinstance(answered.answer, Answer):
            self._version = "v1"
            return
        finding = Finding(
            code="WF606",
            explanation=f"It cannot answer v1 reviews ({asked.answer.detail}), only v1beta1.",
        )
        yield CaseJudged(case=case, observation=asked, findings=(finding,))

    async def _untriggered(self, first: Sequence[CaseJudged]) -> AsyncIterator[Event]:
        judged = list(first)
        async for event in self._judge_all(self.plan.sweep.cases[SCREENING_CASES:]):
            judged.append(event)
            yield event
        yield _trigger_finished(NO_TRIGGER, len(self.plan.sweep.cases), judged)
        async for tried in self._work_around(judged):
            yield tried

    async def _with_triggers(self, untriggered: Sequence[CaseJudged]) -> AsyncIterator[Event]:
        """Screen all triggers side by side, then sweep with those that do something."""
        screening = (
            with_trigger(case, trigger)
            for trigger in self.plan.triggers
            for case in self.plan.sweep.cases[:SCREENING_CASES]
        )
        judged: dict[str, list[CaseJudged]] = {trigger.name: [] for trigger in self.plan.triggers}
        async for event in self._judge_all(screening):
            judged[event.case.trigger.name].append(event)
            yield event
        for trigger in self.plan.triggers:
            effect = _effect(judged[trigger.name], untriggered)
            async for later in self._triggered(trigger, judged[trigger.name], effect):
                yield later

    async def _triggered(
        self, trigger: Trigger, judged: list[CaseJudged], effect: TriggerEffect
    ) -> AsyncIterator[Event]:
        if effect is TriggerEffect.ACTS:
            cases = self.plan.sweep.cases[SCREENING_CASES:]
            async for event in self._judge_all(with_trigger(case, trigger) for case in cases):
                judged.append(event)
                yield event
        yield _trigger_finished(trigger, len(self.plan.sweep.cases), judged, effect)
        if effect is TriggerEffect.ACTS:
            async for tried in self._work_around(judged):
                yield tried

    async def _work_around(self, judged: Sequence[CaseJudged]) -> AsyncIterator[Event]:
        """Find the probes whose pods are blocked, then sweep the others without them."""
        blocked = [
            event for event in judged if is_blocked(event.observation) and event.case.placements
        ]
        if not blocked:
            return
        trigger = blocked[0].case.trigger
        control = await self._judge(bare_case(self.plan.minimal, trigger))
        yield control
        if is_blocked(control.observation):
            return  # it is not the probes: the pod is blocked without any
        seeds = {seed.name: seed for seed in self.plan.seeds}
        culprits: dict[str, None] = {}
        for event in blocked:
            sent: list[CaseJudged] = []
            names = await find_culprits(
                event.case,
                seeds[event.case.seed],
                self._collecting(sent),
                schema=self.plan.schema,
                known=culprits,
            )
            for tried in sent:
                yield tried
            culprits |= dict.fromkeys(names)
        for name in culprits:
            async for found in self._blame(name, blocked, trigger):
                yield found
        async for event in self._sweep_without(culprits, trigger):
            yield event

    async def _blame(
        self, name: str, blocked: Sequence[CaseJudged], trigger: Trigger
    ) -> AsyncIterator[CaseJudged]:
        """The probe alone on the minimal pod: the finding, if it is blocked there too."""
        for placement in _placements(name, blocked):
            case = alone_case(
                placement,
                self.plan.minimal,
                trigger,
                probes=self.plan.probes,
                schema=self.plan.schema,
            )
            if case is None:
                continue
            event = await self._judge(case)
            if is_blocked(event.observation):
                without = without_new_fields(case, self.plan.catalogue)
                control = await self._judge(without) if without is not None else None
                if control is not None:
                    yield control
                if control is None or not is_blocked(control.observation):
                    found = blocked_finding(event.observation, placement.paths)
                    event = replace(event, findings=(*event.findings, *found))
            yield event

    async def _sweep_without(
        self, culprits: Mapping[str, None], trigger: Trigger
    ) -> AsyncIterator[CaseJudged]:
        if not culprits:
            return
        probes = {name: p for name, p in self.plan.probes.items() if name not in culprits}
        sweep = pack_sweep(self.plan.seeds, probes, self.plan.schema)
        async for event in self._judge_all(with_trigger(case, trigger) for case in sweep.cases):
            yield event

    async def _confirm(self) -> AsyncIterator[Event]:
        minimal = self.plan.minimal
        async for event in self._judge_all(list(control_cases(self.tally, minimal))):
            yield event
        first = list(confirmation_cases(self.tally, self.plan))
        yield ConfirmationsStarted(count=len(first))
        async for event in self._judge_all(first):
            yield event
        second = list(second_cases(self.tally, self.plan))
        async for event in self._judge_all(second):
            yield event

    async def _judge_all(self, cases: Iterable[Case]) -> AsyncIterator[CaseJudged]:
        """Send side by side, yield in order; whoever stops listening stops the calls.

        Pods are made while others are under way, not all before the first is sent.
        """
        waiting, tasks = iter(cases), deque[asyncio.Task[CaseJudged]]()
        try:
            while True:
                for case in islice(waiting, CASES_AHEAD - len(tasks)):
                    tasks.append(asyncio.create_task(self._judge(case)))
                if not tasks:
                    return
                event = await tasks[0]
                tasks.popleft()
                yield event
                self._note_silence(event.observation)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _note_silence(self, observation: Observation) -> None:
        """Raise once nobody has answered for a while: each further call costs a time-out."""
        self._unanswered = 0 if _was_reached(observation) else self._unanswered + 1
        if self._unanswered >= MOST_UNANSWERED:
            raise _SilentError

    async def _judge(self, case: Case) -> CaseJudged:
        observation = await self._observe(case)
        return CaseJudged(
            case=case, observation=observation, findings=tuple(run_checks(observation))
        )

    async def _observe(self, case: Case) -> Observation:
        options = ReviewOptions(
            api_server=self.plan.target,
            uid=str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            namespace=case.namespace,
            version=self._version,
        )
        exchange = await self.transport.send(build_review(case.pod, options))
        return Observation(
            exchange=exchange,
            catalogue=self.plan.catalogue,
            target=self.plan.target,
            trigger=case.trigger,
        )

    def _collecting(self, sent: list[CaseJudged]) -> Callable[[Case], Awaitable[Observation]]:
        async def send(case: Case) -> Observation:
            event = await self._judge(case)
            sent.append(event)
            return event.observation

        return send


def _is_unusable(observation: Observation) -> bool:
    """Whether no answer came that the API server could use; a denial is one it can."""
    return is_blocked(observation) and not observation.denied


def _was_reached(observation: Observation) -> bool:
    outcome = observation.exchange.outcome
    return not (isinstance(outcome, CallFailure) and outcome.kind in UNREACHED)


def _trigger_finished(
    trigger: Trigger,
    planned: int,
    judged: Sequence[CaseJudged],
    effect: TriggerEffect | None = None,
) -> TriggerFinished:
    answered = sum(isinstance(e.observation.exchange.outcome, Answered) for e in judged)
    if effect is None:
        patched = any(event.observation.operations for event in judged)
        effect = TriggerEffect.ACTS if patched else TriggerEffect.NO_PATCH
        effect = effect if answered else TriggerEffect.FAILED
    return TriggerFinished(
        trigger=trigger.name, effect=effect, planned=planned, sent=len(judged), answered=answered
    )


def _effect(judged: Sequence[CaseJudged], untriggered: Sequence[CaseJudged]) -> TriggerEffect:
    """What a trigger does, as the first cases with and without it show."""
    if not any(_was_reached(event.observation) for event in judged):
        return TriggerEffect.FAILED
    with_it = [_shape(event) for event in judged]
    if with_it == [_shape(event) for event in untriggered[: len(judged)]]:
        patched = any(event.observation.operations for event in judged)
        return TriggerEffect.SAME if patched else TriggerEffect.NO_PATCH
    return TriggerEffect.ACTS


def _shape(event: CaseJudged) -> object:
    """What an answer does: its operations, where in the pod, what is found, whether it is denied.

    Indexes and numbers of operations are left out: a trigger that adds a variable to every
    container shifts them without changing what the webhook does.
    """
    operations = {
        (str(operation.get("op")), _INDEX.sub("/*", str(operation.get("path"))))
        for operation in event.observation.operations
    }
    return operations, {finding.key for finding in event.findings}, is_blocked(event.observation)


_INDEX = re.compile(r"/(\d+|-)(?=/|$)")


def _placements(name: str, blocked: Sequence[CaseJudged]) -> Iterable[Placement]:
    """Where a probe was: one placement for the pod, or one for each list of containers."""
    return {
        placement.container_list: placement
        for event in blocked
        for placement in event.case.placements
        if placement.probe.name == name
    }.values()
