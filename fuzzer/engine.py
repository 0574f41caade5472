"""In which order is one webhook swept?

First the packed cases as they are, then with each trigger; a trigger that changes nothing is not
repeated for every case. What broke is then sent alone on small pods. Everything that happens is
yielded as an event; calls run side by side as far as the transport lets them, events keep the order
of the cases.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.exchanges import WebhookIdentity, was_reached
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.fuzzer.apiserver.answers import Answer, InvalidAnswer, InvalidReason
from webhook_fuzz.fuzzer.confirmations import confirmation_cases, control_cases, second_cases
from webhook_fuzz.fuzzer.events import (
    CaseJudged,
    ConfirmationsStarted,
    Event,
    TriggerEffect,
    WebhookFinished,
    WebhookStarted,
)
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.packing import with_trigger
from webhook_fuzz.fuzzer.generation.smallest import bare_case
from webhook_fuzz.fuzzer.isolation import is_blocked
from webhook_fuzz.fuzzer.judges import Judge, SilentError
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.screening import effect_of, trigger_finished
from webhook_fuzz.fuzzer.tallies import Tally
from webhook_fuzz.fuzzer.transports import Transport
from webhook_fuzz.fuzzer.workarounds import work_around

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


@dataclass(kw_only=True)
class WebhookSweep:
    """The sweep of one webhook over one transport.

    `review_version` is what its configuration says it is sent; None where there is none to ask.
    """

    plan: Plan
    webhook: WebhookIdentity
    transport: Transport
    review_version: ReviewVersion | None = None
    tally: Tally = field(init=False)
    _judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(webhook=self.webhook)
        self._judge = Judge(
            plan=self.plan, transport=self.transport, version=self.review_version or "v1"
        )

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
            fields=frozenset[str]().union(*(case.fields for case in cases)),
        )
        asked = await self._judge.judge(cases[0])
        sent = self._judge.version
        if self.review_version is None:
            async for event in self._agree_on_version(asked):
                yield event
        first = [asked] if self._judge.version == sent else []
        rest = cases[len(first) : SCREENING_CASES]
        first += [event async for event in self._judge.judge_all(rest)]
        for event in first:
            yield event
        if not any(was_reached(event.observation.exchange.outcome) for event in first):
            # Nobody is there: every other call would end the same way, a time-out later each.
            yield trigger_finished(NO_TRIGGER, len(cases), first, TriggerEffect.FAILED)
            yield WebhookFinished(webhook=self.webhook, complete=False)
            return
        if all(_is_unusable(event.observation) for event in first):
            control = await self._judge.judge(bare_case(self.plan.minimal, NO_TRIGGER))
            yield control
            if _is_unusable(control.observation):
                # It fails on any pod: more calls would say the same, and may cost it dearly.
                yield trigger_finished(NO_TRIGGER, len(cases), first, TriggerEffect.FAILED)
                yield WebhookFinished(webhook=self.webhook, complete=True)
                return
        complete = True
        try:
            for step in (self._untriggered(first), self._with_triggers(first), self._confirm()):
                async for happened in step:
                    yield happened
        except SilentError:
            complete = False
        yield WebhookFinished(webhook=self.webhook, complete=complete)

    async def _agree_on_version(self, asked: CaseJudged) -> AsyncIterator[CaseJudged]:
        """Use v1beta1 reviews for a webhook that cannot answer v1 and can answer those.

        An API server sends the first version of `admissionReviewVersions` it knows; without the
        configuration, what the webhook can answer is all there is to go by.
        """
        answer = asked.observation.answer
        if not isinstance(answer, InvalidAnswer) or answer.reason not in REVIEW_REASONS:
            return
        self._judge.version = "v1beta1"
        older = await self._judge.judge(asked.case)
        if not isinstance(older.observation.answer, Answer):
            self._judge.version = "v1"
            yield replace(older, findings=())
            return
        finding = Finding(
            code="WF606",
            explanation=f"It cannot answer v1 reviews ({answer.detail}), only v1beta1.",
        )
        yield replace(asked, findings=(finding,))

    async def _untriggered(self, first: Sequence[CaseJudged]) -> AsyncIterator[Event]:
        judged = list(first)
        async for event in self._judge.judge_all(self.plan.sweep.cases[SCREENING_CASES:]):
            judged.append(event)
            yield event
        yield trigger_finished(NO_TRIGGER, len(self.plan.sweep.cases), judged)
        async for tried in work_around(self._judge, judged):
            yield tried

    async def _with_triggers(self, untriggered: Sequence[CaseJudged]) -> AsyncIterator[Event]:
        """Screen all triggers side by side, then sweep with those that do something."""
        screening = (
            with_trigger(case, trigger)
            for trigger in self.plan.triggers
            for case in self.plan.sweep.cases[:SCREENING_CASES]
        )
        judged: dict[str, list[CaseJudged]] = {trigger.name: [] for trigger in self.plan.triggers}
        earlier = {event.case.name: event for event in untriggered}
        async for event in self._judge.judge_all(screening, earlier=earlier):
            judged[event.case.trigger.name].append(event)
            yield event
        for trigger in self.plan.triggers:
            effect = effect_of(judged[trigger.name], untriggered)
            async for later in self._triggered(trigger, judged[trigger.name], effect):
                yield later

    async def _triggered(
        self, trigger: Trigger, judged: list[CaseJudged], effect: TriggerEffect
    ) -> AsyncIterator[Event]:
        if effect is TriggerEffect.ACTS:
            cases = self.plan.sweep.cases[SCREENING_CASES:]
            async for event in self._judge.judge_all(with_trigger(case, trigger) for case in cases):
                judged.append(event)
                yield event
        yield trigger_finished(trigger, len(self.plan.sweep.cases), judged, effect)
        if effect is TriggerEffect.ACTS:
            async for tried in work_around(self._judge, judged):
                yield tried

    async def _confirm(self) -> AsyncIterator[Event]:
        minimal = self.plan.minimal
        async for event in self._judge.judge_all(list(control_cases(self.tally, minimal))):
            yield event
        first = list(confirmation_cases(self.tally, self.plan))
        yield ConfirmationsStarted(count=len(first))
        async for event in self._judge.judge_all(first):
            yield event
        second = list(second_cases(self.tally, self.plan))
        async for event in self._judge.judge_all(second):
            yield event


def _is_unusable(observation: Observation) -> bool:
    """Whether no answer came that the API server could use; a denial is one it can."""
    return is_blocked(observation) and not observation.denied
