"""Is what a packed pod showed sent again alone, and only what still needs it?"""

from dataclasses import replace

import pytest

from observed import observe, remove
from quality.sweeping import plan_of
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.pods import containers
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.confirmations import (
    confirmation_cases,
    control_cases,
    placement_of,
    second_cases,
    unconfirmed,
)
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.cases import Case, Purpose
from webhook_fuzz.fuzzer.tallies import Tally

FIELD = "spec.hostnameOverride"


def packed(field: str = FIELD) -> Case:
    plan = plan_of()
    return next(
        case for case in plan.sweep.cases if field in case.fields and case.seed != "minimal"
    )


def tally_with(*found: Finding, case: Case | None = None) -> Tally:
    case = case or packed()
    tally = Tally(webhook=WebhookIdentity(configuration="c", name="w", url=""))
    observation = observe(case.pod, [remove("/spec/dnsPolicy")])
    tally.add(CaseJudged(case=case, observation=observation, findings=found))
    return tally


def loss(field: str = FIELD) -> Finding:
    return Finding(code="WF102", field=field, path=field, explanation="x")


def test_a_loss_is_sent_again_alone_on_the_smallest_pod() -> None:
    (case,) = confirmation_cases(tally_with(loss()), plan_of())
    assert (case.purpose, case.seed) == (Purpose.ALONE, "minimal")
    assert {placement.probe.name for placement in case.placements} == {"hostname-override"}


def test_with_the_trigger_it_was_seen_with() -> None:
    trigger = Trigger(name="t", labels={"a": "b"})
    tally = tally_with(loss(), case=replace(packed(), trigger=trigger))
    (case,) = confirmation_cases(tally, plan_of())
    assert case.trigger is trigger


def test_a_value_that_moved_is_sent_on_two_containers() -> None:
    field = "spec.containers[].lifecycle.stopSignal"
    moved = Finding(code="WF104", field=field, explanation="x", moved_to="there")
    (case,) = confirmation_cases(tally_with(moved, case=packed(field)), plan_of())
    assert len(list(containers(case.pod, "containers"))) == 2


def test_what_the_smallest_pod_did_not_show_is_tried_on_the_seed_it_was_seen_on() -> None:
    tally = tally_with(loss())
    (case,) = second_cases(tally, plan_of())
    assert case.seed == packed().seed != "minimal"


def test_what_was_shown_alone_is_not_sent_again() -> None:
    tally = tally_with(loss())
    for found in tally.found.values():
        found.alone = True
    assert list(confirmation_cases(tally, plan_of())) == []
    assert list(second_cases(tally, plan_of())) == []


def test_a_finding_about_no_probed_field_is_left_to_the_control() -> None:
    tally = tally_with(Finding(code="WF201", explanation="x"), loss("spec.dnsPolicy"))
    assert unconfirmed(tally) == []
    (control,) = control_cases(tally, plan_of().minimal)
    assert (control.purpose, control.placements) == (Purpose.CONTROL, ())


def test_one_control_is_sent_for_every_trigger_something_was_found_with() -> None:
    tally = tally_with(loss())
    other = replace(packed(), trigger=Trigger(name="t", labels={"a": "b"}))
    observation = observe(other.pod, [remove("/spec/dnsPolicy")])
    finding = loss("spec.hostUsers")
    tally.add(CaseJudged(case=other, observation=observation, findings=(finding,)))
    names = [case.trigger.name for case in control_cases(tally, plan_of().minimal)]
    assert sorted(names) == ["none", "t"]


@pytest.mark.parametrize(
    ("field", "probe"),
    [
        (FIELD, "hostname-override"),
        ("spec.resourceClaims[].resourceClaimName", "pod-resource-claims"),
        ("spec.containers[].lifecycle.preStop.sleep.seconds", "pre-stop-sleep"),
        ("spec.securityContext.appArmorProfile.type", "pod-apparmor"),
        ("spec.containers[].livenessProbe.grpc.port", "liveness-grpc"),
        ("spec.initContainers[].lifecycle.stopSignal", "stop-signal"),
        ("spec.dnsPolicy", None),
        ("spec.containers[].image", None),
        (None, None),
    ],
)
def test_the_probe_that_brought_a_field_is_found(field: str | None, probe: str | None) -> None:
    tally = Tally(webhook=WebhookIdentity(configuration="c", name="w", url=""))
    for case in plan_of().sweep.cases:
        tally.add(CaseJudged(case=case, observation=observe(case.pod, []), findings=()))
    finding = Finding(code="WF102", field=field, explanation="x")
    case = packed()
    tally.add(CaseJudged(case=case, observation=observe(case.pod, []), findings=(finding,)))
    placement = placement_of(tally.found["WF102", field], tally)
    assert (placement.probe.name if placement else None) == probe
