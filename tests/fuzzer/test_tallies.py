"""Is what a run found folded into one entry a finding, with its smallest pod?"""

from dataclasses import replace

import pytest

from observed import add, answer, observe, remove
from quality.sweeping import plan_of
from webhook_fuzz.corpora.exchanges import (
    UNREACHED,
    CallFailure,
    FailureKind,
    Outcome,
    WebhookIdentity,
)
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.events import CaseJudged, TriggerEffect, TriggerFinished, WebhookFinished
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.cases import Case, Placement, Purpose
from webhook_fuzz.fuzzer.generation.smallest import alone_case, bare_case
from webhook_fuzz.fuzzer.tallies import Tally

WEBHOOK = WebhookIdentity(configuration="c", name="w", url="https://w/")
FIELD = "spec.hostnameOverride"
LABEL = [add("/metadata/annotations", {"a": "b"})]

Patch = list[dict[str, JsonValue]]


def alone() -> Case:
    plan = plan_of()
    placement = Placement(probe=plan.probes["hostname-override"])
    case = alone_case(placement, plan.minimal, NO_TRIGGER, probes=plan.probes, schema=plan.schema)
    assert case is not None
    return case


def packed() -> Case:
    return next(case for case in plan_of().sweep.cases if FIELD in case.fields)


def event(case: Case, outcome: Outcome | Patch, *more: Finding) -> CaseJudged:
    observation = observe(case.pod, outcome)
    return CaseJudged(
        case=case, observation=observation, findings=(*run_checks(observation), *more)
    )


def tally_of(*events: CaseJudged) -> Tally:
    tally = Tally(webhook=WEBHOOK)
    for one in events:
        tally.add(one)
    return tally


LOSS = [remove("/spec/hostnameOverride")]


def test_the_same_loss_on_two_pods_is_one_entry_shown_by_the_smaller() -> None:
    tally = tally_of(event(packed(), LOSS), event(alone(), LOSS), event(packed(), LOSS))
    found = tally.found["WF102", FIELD]
    assert found.case.purpose is Purpose.ALONE
    assert found.alone
    assert found.witness.sent["spec"] == alone().pod["spec"]
    assert list(found.paths) == [FIELD]
    assert tally.confirmations == 1


def test_a_pod_with_one_probe_is_better_than_a_smaller_packed_one() -> None:
    small = replace(packed(), pod=alone().pod)
    big = replace(alone(), pod=packed().pod)
    found = tally_of(event(small, LOSS), event(big, LOSS)).found["WF102", FIELD]
    assert found.case is big


def test_calls_answers_denials_and_patches_are_counted() -> None:
    refused = CallFailure(kind=FailureKind.REFUSED, detail="x")
    tally = tally_of(
        event(packed(), answer()),
        event(packed(), answer(allowed=False)),
        event(packed(), refused),
        event(packed(), LABEL),
        event(packed(), [remove("/spec/notThere")]),
    )
    assert (tally.calls, tally.answered, tally.denied, tally.patched) == (5, 4, 1, 1)
    assert len(tally.seconds) == 5
    assert tally.reached
    assert tally.exercised


def test_a_patch_that_does_not_apply_does_not_exercise_the_webhook() -> None:
    assert not tally_of(event(packed(), [remove("/spec/notThere")])).exercised


@pytest.mark.parametrize("kind", FailureKind)
def test_an_answer_of_any_kind_reaches_the_webhook(kind: FailureKind) -> None:
    tally = tally_of(event(packed(), CallFailure(kind=kind, detail="x")))
    assert tally.reached is (kind not in UNREACHED)
    assert (FailureKind.STATUS in UNREACHED, FailureKind.TIMEOUT in UNREACHED) == (False, True)


def test_only_fields_of_patched_pods_count_as_kept() -> None:
    assert tally_of(event(packed(), answer())).patched_paths == set()
    tally = tally_of(event(alone(), LABEL))
    assert tally.patched_paths == {FIELD}
    assert tally.answered_paths == {FIELD}


def test_whether_future_fields_were_tried_is_known() -> None:
    (future,) = [case for case in plan_of().sweep.cases if case.purpose is Purpose.FUTURE]
    assert tally_of(event(future, LABEL)).future_tried
    assert not tally_of(event(future, answer()), event(packed(), LABEL)).future_tried


def test_the_mechanism_is_the_worst_one_seen() -> None:
    assert tally_of(event(packed(), answer())).mechanism == "none"
    assert tally_of(event(packed(), LABEL)).mechanism == "surgical"
    assert tally_of(event(packed(), LABEL), event(packed(), LOSS)).mechanism == "typed-round-trip"


def test_failed_calls_that_one_field_explains_are_told_by_the_field() -> None:
    failed = CallFailure(kind=FailureKind.STATUS, detail="status 500", status=500)
    blamed = Finding(code="WF008", field=FIELD, explanation="fails with it")
    explained = tally_of(event(packed(), failed), event(alone(), failed, blamed))
    assert {found.finding.code for found in explained.findings} == {"WF008"}
    control = bare_case(plan_of().minimal, NO_TRIGGER)
    unexplained = tally_of(event(control, failed), event(alone(), failed, blamed))
    assert {found.finding.code for found in unexplained.findings} == {"WF002", "WF008"}


def test_fields_are_told_by_code() -> None:
    tally = tally_of(event(packed(), LOSS))
    assert tally.fields_with("WF102", "WF101") == {FIELD}
    assert tally.fields_with("WF101") == frozenset()


def test_triggers_and_the_end_are_noted() -> None:
    tally = Tally(webhook=WEBHOOK)
    finished = TriggerFinished(
        trigger="t", effect=TriggerEffect.ACTS, planned=3, sent=3, answered=2
    )
    tally.add(finished)
    tally.add(WebhookFinished(webhook=WEBHOOK, complete=True))
    assert tally.triggers == [finished]
    assert tally.complete
