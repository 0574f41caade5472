"""Is one webhook swept in order, with few calls, and given up when nobody is there?"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from functools import cache

import orjson
import pytest

from fakes import IDENTITY, FakeTransport, Respond, outcome_of
from quality.sweeping import plan_of
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind, Outcome
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.engine import SCREENING_CASES, WebhookSweep
from webhook_fuzz.fuzzer.events import (
    CaseJudged,
    ConfirmationsStarted,
    Event,
    TriggerEffect,
    TriggerFinished,
    WebhookFinished,
    WebhookStarted,
)
from webhook_fuzz.fuzzer.generation.cases import Purpose
from webhook_fuzz.fuzzer.isolation import MOST_CALLS
from webhook_fuzz.fuzzer.judges import MOST_UNANSWERED
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.specimens.faultless import surgical_patch
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program
from webhook_fuzz.fuzzer.specimens.replies import (
    Patch,
    build_response,
    denial,
    patch_once,
    pod_of,
    reply,
)

REFUSED = CallFailure(kind=FailureKind.REFUSED, detail="nothing listens")
surgical = patch_once(surgical_patch)


def silent(review: JsonObject) -> Answer:
    """Allows everything and patches nothing."""
    return reply(build_response(review))


def triggered_by(annotation: str) -> Program:
    """Patches what is annotated, and nothing else."""

    def patching(pod: JsonObject) -> Patch:
        return surgical_patch(pod) if says(pod, annotation) else []

    return patch_once(patching)


def says(pod: JsonObject, *words: str) -> bool:
    """Whether any member or value of a pod is called so."""
    text = orjson.dumps(pod)
    return any(f'"{word}"'.encode() in text for word in words)


def denying(*words: str, program: Program = surgical) -> Program:
    return lambda review: denial(review, "no") if says(pod_of(review), *words) else program(review)


@cache
def few(*triggers: str) -> Plan:
    """A plan of five pods, and triggers that are annotations."""
    plan = plan_of()
    sweep = replace(plan.sweep, cases=plan.sweep.cases[:5])
    return replace(
        plan,
        sweep=sweep,
        triggers=tuple(Trigger(name=name, annotations={name: "yes"}) for name in triggers),
    )


def sweep_of(respond: Program | Respond, plan: Plan, *, pause: bool = False) -> WebhookSweep:
    def outcome(review: JsonObject) -> Outcome:
        answered = respond(review)
        return outcome_of(answered) if isinstance(answered, Answer) else answered

    transport = FakeTransport(outcome, pause=pause)
    return WebhookSweep(plan=plan, webhook=IDENTITY, transport=transport)


def transport_of(sweep: WebhookSweep) -> FakeTransport:
    assert isinstance(sweep.transport, FakeTransport)
    return sweep.transport


async def events_of(sweep: WebhookSweep) -> list[Event]:
    return [event async for event in sweep.events()]


def judged(events: Sequence[Event], *purposes: Purpose) -> list[CaseJudged]:
    return [
        event
        for event in events
        if isinstance(event, CaseJudged) and (not purposes or event.case.purpose in purposes)
    ]


def effects(events: Sequence[Event]) -> dict[str, TriggerEffect]:
    return {event.trigger: event.effect for event in events if isinstance(event, TriggerFinished)}


async def test_events_come_in_the_order_of_the_work() -> None:
    events = await events_of(sweep_of(SPECIMENS["typed-round-trip-1.33"].answer, few("t")))
    assert isinstance(events[0], WebhookStarted)
    assert isinstance(events[-1], WebhookFinished)
    kinds = [type(event) for event in events]
    assert kinds.count(ConfirmationsStarted) == kinds.count(WebhookStarted) == 1
    assert kinds.index(TriggerFinished) < kinds.index(ConfirmationsStarted)
    order = [event.case.purpose for event in judged(events)]
    assert order[:5] == [case.purpose for case in few("t").sweep.cases]
    assert Purpose.ALONE not in order[: order.index(Purpose.CONTROL)]


async def test_a_sweep_is_the_same_for_the_same_seed() -> None:
    plan = few("t")
    reviews: list[list[JsonObject]] = []
    for random_seed in (1, 1, 2):
        sweep = sweep_of(
            SPECIMENS["list-replacement"].answer, replace(plan, random_seed=random_seed)
        )
        await events_of(sweep)
        reviews.append(transport_of(sweep).reviews)
    assert reviews[0] == reviews[1]
    assert [pod_of(review) for review in reviews[0]] == [pod_of(review) for review in reviews[2]]
    assert reviews[0] != reviews[2]


async def test_no_uid_is_used_twice() -> None:
    sweep = sweep_of(SPECIMENS["list-replacement"].answer, few("t"))
    await events_of(sweep)
    uids = [orjson.dumps(review["request"])[:60] for review in transport_of(sweep).reviews]
    assert len(uids) == len(set(uids)) > 20


class TestTriggers:
    async def test_where_nothing_is_patched_every_trigger_is_said_to_do_nothing(self) -> None:
        sweep = sweep_of(silent, few("trigger-a", "trigger-b"))
        events = await events_of(sweep)
        assert effects(events) == {
            "none": TriggerEffect.NO_PATCH,
            "trigger-a": TriggerEffect.NO_PATCH,
            "trigger-b": TriggerEffect.NO_PATCH,
        }
        assert not sweep.tally.exercised

    async def test_a_trigger_that_does_something_is_swept_with_all_pods(self) -> None:
        events = await events_of(sweep_of(triggered_by("trigger-a"), few("trigger-a", "trigger-b")))
        assert effects(events)["trigger-a"] is TriggerEffect.ACTS
        assert effects(events)["trigger-b"] is TriggerEffect.NO_PATCH
        sent = [event.case.trigger.name for event in judged(events)]
        assert sent.count("trigger-a") == len(few("trigger-a", "trigger-b").sweep.cases)
        assert sent.count("trigger-b") == SCREENING_CASES

    async def test_a_trigger_that_changes_nothing_is_not_swept_again(self) -> None:
        events = await events_of(sweep_of(surgical, few("trigger-a")))
        assert effects(events)["trigger-a"] is TriggerEffect.SAME
        sent = [event.case.trigger.name for event in judged(events)]
        assert sent.count("trigger-a") == SCREENING_CASES

    async def test_what_is_lost_only_with_a_trigger_is_confirmed_with_it(self) -> None:
        sweep = sweep_of(SPECIMENS["needs-trigger"].answer, plan_with("specimen.example/inject"))
        await events_of(sweep)
        assert {found.case.trigger.name for found in sweep.tally.findings} == {"t"}


def plan_with(annotation: str) -> Plan:
    trigger = Trigger(name="t", annotations={annotation: "true"})
    return replace(few(), triggers=(trigger,))


class TestGivingUp:
    async def test_a_webhook_that_is_not_there_is_called_a_few_times_only(self) -> None:
        sweep = sweep_of(lambda _: REFUSED, few("trigger-a", "trigger-b"))
        events = await events_of(sweep)
        assert len(transport_of(sweep).reviews) <= SCREENING_CASES + 1
        assert events[-1] == WebhookFinished(webhook=IDENTITY, complete=False)
        assert effects(events) == {"none": TriggerEffect.FAILED}
        assert not sweep.tally.reached

    async def test_a_webhook_that_dies_midway_leaves_the_sweep_incomplete(self) -> None:
        calls = 0

        def dying(review: JsonObject) -> Outcome:
            nonlocal calls
            calls += 1
            return outcome_of(surgical(review)) if calls <= 4 else REFUSED

        sweep = sweep_of(dying, plan_of())
        events = await events_of(sweep)
        assert events[-1] == WebhookFinished(webhook=IDENTITY, complete=False)
        unanswered = [
            event
            for event in judged(events)
            if isinstance(event.observation.exchange.outcome, CallFailure)
        ]
        assert len(unanswered) <= MOST_UNANSWERED + 1
        assert sweep.tally.reached

    async def test_a_webhook_that_fails_now_and_then_is_swept_to_the_end(self) -> None:
        calls = 0

        def flaky(review: JsonObject) -> Outcome:
            nonlocal calls
            calls += 1
            return REFUSED if calls % 5 == 4 else outcome_of(surgical(review))

        sweep = sweep_of(flaky, few("trigger-a"))
        events = await events_of(sweep)
        assert events[-1] == WebhookFinished(webhook=IDENTITY, complete=True)

    async def test_whoever_stops_listening_stops_the_calls(self) -> None:
        sweep = sweep_of(surgical, plan_of(), pause=True)
        events = sweep.events()
        assert isinstance(events, AsyncGenerator)
        async for event in events:
            if len(judged([event])) and len(sweep.tally.seconds) > SCREENING_CASES:
                break
        await events.aclose()
        for _ in range(5):
            await asyncio.sleep(0)
        transport = transport_of(sweep)
        before = len(transport.reviews)
        await asyncio.sleep(0.01)
        assert transport.finished + transport.cancelled == len(transport.reviews) == before


class TestBlockedPods:
    async def swept(self, program: Program, plan: Plan | None = None) -> WebhookSweep:
        sweep = sweep_of(program, plan or plan_of())
        await events_of(sweep)
        return sweep

    def unjudged(self, sweep: WebhookSweep) -> set[str]:
        probed = {
            path
            for probe in sweep.plan.probes.values()
            if not probe.future
            for path in probe.all_paths()
        }
        return probed - sweep.tally.patched_paths

    @pytest.mark.parametrize(
        ("words", "fields"),
        [
            (["hostnameOverride"], {"spec.hostnameOverride"}),
            (
                ["hostnameOverride", "supplementalGroupsPolicy"],
                {"spec.hostnameOverride", "spec.securityContext.supplementalGroupsPolicy"},
            ),
            (
                ["schedulingGroup", "evictionResponders"],  # never on one pod together
                {"spec.schedulingGroup", "spec.evictionResponders"},
            ),
        ],
    )
    async def test_every_culprit_is_named_and_everything_else_still_judged(
        self, words: list[str], fields: set[str]
    ) -> None:
        sweep = await self.swept(denying(*words))
        assert sweep.tally.fields_with("WF007") == fields
        assert self.unjudged(sweep) == fields
        assert {found.finding.code for found in sweep.tally.findings} == {"WF007"}

    async def test_a_webhook_that_looks_at_app_containers_only_is_caught_there(self) -> None:
        def crashing(review: JsonObject) -> Answer:
            spec = pod_of(review)["spec"]
            assert isinstance(spec, dict)
            apps = spec["containers"]
            if b'"fileKeyRef"' in orjson.dumps(apps):
                return Answer(body=b"panic\n", status=500)
            return surgical(review)

        sweep = await self.swept(crashing)
        field = "spec.containers[].env[].valueFrom.fileKeyRef"
        assert sweep.tally.fields_with("WF008") == {field}
        assert {found.finding.code for found in sweep.tally.findings} == {"WF008"}

    async def test_a_policy_against_a_seed_is_no_finding_and_costs_few_calls(self) -> None:
        def strict(review: JsonObject) -> Answer:
            spec = pod_of(review)["spec"]
            assert isinstance(spec, dict)
            return denial(review, "no") if spec.get("hostNetwork") is True else surgical(review)

        sweep = await self.swept(strict)
        assert sweep.tally.findings == ()
        # What cannot be without host networking is all that stays untried.
        assert all("hostProcess" in path for path in self.unjudged(sweep))
        assert len(transport_of(sweep).reviews) < 120

    async def test_a_policy_against_an_old_field_is_not_told_as_one_against_a_new(self) -> None:
        sweep = await self.swept(denying("hostPort"))
        assert sweep.tally.findings == ()
        assert self.unjudged(sweep) == {"spec.containers[].ports[].hostIP"}

    async def test_denying_everything_is_not_for_a_new_field(self) -> None:
        sweep = await self.swept(lambda review: denial(review, "never"), few("trigger-a"))
        assert sweep.tally.findings == ()
        assert sweep.tally.denied == sweep.tally.answered > 0

    async def test_failing_on_everything_is_not_for_a_new_field(self) -> None:
        sweep = await self.swept(lambda _: Answer(body=b"oops", status=500), few("trigger-a"))
        assert {found.finding.code for found in sweep.tally.findings} == {"WF002"}
        assert sweep.tally.complete

    async def test_a_webhook_that_denies_at_random_does_not_keep_us_busy_for_ever(self) -> None:
        state = 7

        def moody(review: JsonObject) -> Answer:
            nonlocal state
            state = (state * 1103515245 + 12345) % 2**31
            return denial(review, "today not") if state >> 16 & 1 else surgical(review)

        plan = few("trigger-a")
        sweep = await self.swept(moody, plan)
        blocked = 2 * len(plan.sweep.cases)
        assert len(transport_of(sweep).reviews) < blocked * MOST_CALLS


class TestCosts:
    @pytest.mark.parametrize("name", ["typed-round-trip-1.33", "prepend-with-migration"])
    async def test_a_lost_field_costs_two_more_calls_at_most(self, name: str) -> None:
        sweep = sweep_of(SPECIMENS[name].answer, few())
        await events_of(sweep)
        fields = {found.finding.field for found in sweep.tally.findings}
        assert 0 < sweep.tally.confirmations <= 2 * len(fields)

    async def test_a_faultless_webhook_costs_no_confirmation(self) -> None:
        sweep = sweep_of(surgical, few())
        await events_of(sweep)
        assert sweep.tally.confirmations == 0
        assert len(transport_of(sweep).reviews) <= len(few().sweep.cases) + 1

    async def test_calls_run_side_by_side_and_events_keep_their_order(self) -> None:
        sweep = sweep_of(surgical, plan_of(), pause=True)
        events = await events_of(sweep)
        names = [event.case.name for event in judged(events, Purpose.SWEEP)]
        swept = [c.name for c in plan_of().sweep.cases if c.purpose is Purpose.SWEEP]
        assert names[: len(swept)] == swept
