"""In which order are recorded reviews tried on a webhook?

First as they were recorded, one of every shape; then every pod that the webhook accepted, with the
catalogue's probes on it, as a sweep of the engine. A pod it denies or fails on as it is says
nothing about the fields it would be given. All that happens is yielded as events and folded into
one tally, so that verdict, run.json and reports are those of any run.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.exchanges import Exchange, WebhookIdentity, was_reached
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.engine import WebhookSweep
from webhook_fuzz.fuzzer.events import CaseJudged, Event, WebhookFinished, WebhookStarted
from webhook_fuzz.fuzzer.generation.cases import Case, Purpose
from webhook_fuzz.fuzzer.isolation import is_blocked
from webhook_fuzz.fuzzer.judges import MOST_UNANSWERED
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.plans import Plan, build_plan
from webhook_fuzz.fuzzer.recorded.enriching import (
    AskedByTheirUsers,
    make_seeds,
    plan_for,
    seed_name,
    users_of,
)
from webhook_fuzz.fuzzer.recorded.replay_facts import ReplayFacts
from webhook_fuzz.fuzzer.recorded.requests import (
    PlainObservation,
    findings_of,
    is_about_pod,
    is_creation,
)
from webhook_fuzz.fuzzer.recorded.sending import Uids, fresh_review, in_order
from webhook_fuzz.fuzzer.recorded.shapes import Sample
from webhook_fuzz.fuzzer.screening import trigger_finished
from webhook_fuzz.fuzzer.tallies import Tally
from webhook_fuzz.fuzzer.transports import Transport

AS_RECORDED = Trigger(name="as-recorded")
"""Stands for the reviews that were sent as they were, in what a report says was tried."""

NOT_CREATED = "requests that create no pod: sent as recorded only"
BLOCKED = "pods it denies or fails on as recorded: sent as recorded only"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How to replay. `target` is the minor to judge for, the newest known unless given."""

    target: Minor | None = None
    enrich: bool = True
    random_seed: int = 0


@dataclass(slots=True, kw_only=True)
class Replay:
    """Recorded reviews, sent to one webhook.

    `facts` says what came of it, beside the `tally`; `seeds` are the pods that were given new
    fields, `plan` what was planned of them.
    """

    samples: Sequence[Sample]
    webhook: WebhookIdentity
    transport: Transport
    options: ReplayOptions = field(default_factory=ReplayOptions)
    tally: Tally = field(init=False)
    plan: Plan = field(init=False)
    sent: int = 0
    patched_now: int = 0
    seeds: tuple[SeedPod, ...] = ()
    not_enriched: Counter[str] = field(default_factory=Counter[str])
    _uids: Uids = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(webhook=self.webhook)
        self.plan = build_plan(self.options.target, random_seed=self.options.random_seed)
        self._uids = Uids(self.options.random_seed)

    @property
    def facts(self) -> ReplayFacts:
        """What came of it so far."""
        return ReplayFacts(
            samples=self.samples,
            asked_to_enrich=self.options.enrich,
            sent=self.sent,
            enriched=len(self.seeds),
            patched_now=self.patched_now,
            not_enriched=self.not_enriched,
        )

    async def events(self) -> AsyncIterator[Event]:
        """Everything that happens, in order; the tally is folded along."""
        started = WebhookStarted(
            webhook=self.webhook,
            target=self.plan.target,
            cases=len(self.samples),
            triggers=0,
            fields=frozenset(),
        )
        self.tally.add(started)
        yield started
        accepted: list[tuple[Sample, CaseJudged]] = []
        judged: list[CaseJudged] = []
        silent = 0
        async for sample, event in self._as_recorded():
            judged.append(event)
            self.tally.add(event)
            yield event
            silent = 0 if was_reached(event.observation.exchange.outcome) else silent + 1
            if silent >= MOST_UNANSWERED:
                break
            if self._can_be_enriched(sample, event):
                accepted.append((sample, event))
        self.sent = len(judged)
        self.patched_now = sum(event.patched for event in judged)
        gave_up = silent >= MOST_UNANSWERED or silent == len(judged)
        for last in self._ending(judged, complete=not gave_up):
            self.tally.add(last)
            yield last
        if self.options.enrich and not gave_up:
            async for happened in self._enriched(accepted):
                yield happened
        else:
            self.tally.patched = 0  # no new field was tried: see below
        self._learn_secrets()

    async def _as_recorded(self) -> AsyncIterator[tuple[Sample, CaseJudged]]:
        async for sample, exchange in in_order(self.samples, self._send):
            yield sample, self._judged(sample, exchange)

    async def _send(self, sample: Sample) -> Exchange:
        return await self.transport.send(fresh_review(sample.review, self._uids.draw()))

    def _judged(self, sample: Sample, exchange: Exchange) -> CaseJudged:
        observation = observe(exchange, self.plan)
        return CaseJudged(
            case=recorded_case(sample, object_at(exchange.review, "request")),
            observation=observation,
            findings=tuple(findings_of(observation)),
        )

    def _can_be_enriched(self, sample: Sample, event: CaseJudged) -> bool:
        if not is_creation(object_at(event.observation.exchange.review, "request")):
            self.not_enriched[NOT_CREATED] += 1
            return False
        if is_blocked(event.observation):
            self.not_enriched[BLOCKED] += 1
            return False
        return True

    def _ending(self, judged: Sequence[CaseJudged], *, complete: bool) -> Sequence[Event]:
        """What closes the reviews as they were recorded."""
        return (
            trigger_finished(AS_RECORDED, len(self.samples), judged),
            WebhookFinished(webhook=self.webhook, complete=complete),
        )

    async def _enriched(
        self, accepted: Sequence[tuple[Sample, CaseJudged]]
    ) -> AsyncIterator[Event]:
        self.seeds = self._make_seeds(accepted)
        if not self.seeds:
            self.tally.patched = 0
            return
        self.plan = plan_for(self.seeds, self.options.target, self.options.random_seed)
        users = users_of([sample for sample, _ in accepted])
        sweep = WebhookSweep(
            plan=self.plan,
            webhook=self.webhook,
            transport=AskedByTheirUsers(transport=self.transport, users=users),
            review_version=_version(self.samples),
        )
        sweep.tally = self.tally
        patched = 0
        async for event in sweep.events():
            patched += isinstance(event, CaseJudged) and event.patched
            yield event
        if not patched:
            # It acts on these pods and leaves them alone with new fields on: nothing is known of
            # what becomes of those.
            self.tally.patched = 0

    def _make_seeds(self, accepted: Sequence[tuple[Sample, CaseJudged]]) -> tuple[SeedPod, ...]:
        return make_seeds(
            [(sample, event.patched) for sample, event in accepted],
            self.plan.schema,
            self.not_enriched,
        )

    def _learn_secrets(self) -> None:
        """Of the pods that are quoted, should they have been recorded raw.

        Of all of them would be dear: every text of a report is searched for every secret.
        """
        quoted = {found.case.seed for found in self.tally.found.values()}
        self.plan.redactor.learn(
            object_at(sample.review, "request", "object")
            for sample in self.samples
            if seed_name(sample) in quoted
        )


def observe(exchange: Exchange, plan: Plan) -> Observation:
    """What came of an exchange, by the rules for what it is about."""
    is_pod = is_about_pod(object_at(exchange.review, "request"))
    kind = Observation if is_pod else PlainObservation
    return kind(exchange=exchange, catalogue=plan.catalogue, target=plan.target)


def recorded_case(sample: Sample, request: JsonObject) -> Case:
    """A review that is sent as it was recorded, as a case of no probes."""
    return Case(
        name=f"as-{seed_name(sample)}",
        purpose=Purpose.SWEEP,
        seed=seed_name(sample),
        trigger=NO_TRIGGER,
        namespace=text_at(request, "namespace"),
        pod=object_at(request, "object"),
        placements=(),
        fields=frozenset(),
    )


def _version(samples: Sequence[Sample]) -> ReviewVersion:
    """The version of AdmissionReview the webhook was sent when it was recorded."""
    version = text_at(samples[0].review, "apiVersion")
    return "v1beta1" if version.endswith("/v1beta1") else "v1"
