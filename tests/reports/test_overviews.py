from typing import get_args

from result_parts import evidence, finding, run_of, webhook
from samples import bad_run, crowded_run, good_run

from webhook_fuzz.reports.overviews import (
    SEVERITIES,
    VERDICTS,
    caveats,
    coverage_of,
    findings_about,
    headline,
    label_webhook,
    next_steps,
    order_webhooks,
    other_findings,
)
from webhook_fuzz.reports.results import Severity, Verdict


def test_every_verdict_and_severity_has_its_place() -> None:
    assert set(VERDICTS) == set(get_args(Verdict))
    assert set(SEVERITIES) == set(get_args(Severity))


def test_the_headline_counts_what_breaks() -> None:
    assert headline(bad_run()) == "2 of 6 webhooks would break pods on Kubernetes 1.37"


def test_the_headline_praises_only_what_was_tried() -> None:
    assert headline(good_run()) == "The webhook keeps every field of Kubernetes 1.37 that was tried"
    run = run_of(webhook("a", "compatible", ""), webhook("b", "compatible", ""))
    assert headline(run).startswith("All 2 webhooks keep every field")


def test_a_webhook_that_was_not_exercised_is_never_praised() -> None:
    run = run_of(webhook("a", "compatible", ""), webhook("b", "not-exercised", ""))
    assert headline(run) == "No webhook was seen to break pods on Kubernetes 1.37"
    assert caveats(run) == ("1 never changed a pod: nothing is known about it",)


def test_a_run_without_webhooks_says_so() -> None:
    assert headline(run_of()) == "No webhook was tried against Kubernetes 1.37"


def test_an_unfinished_run_says_so_first() -> None:
    run = bad_run()
    run["complete"] = False
    assert caveats(run)[0].startswith("The run did not finish")


def test_webhooks_come_worst_first_and_in_chain_order_within_a_verdict() -> None:
    names = [each["name"].split(".")[0] for each in order_webhooks(bad_run())]
    assert names == [
        "pod-identity",
        "sidecar-injector",
        "mutate",
        "legacy",
        "vault-agent",
        "defaults",
    ]


def test_findings_come_worst_first_then_oldest_field() -> None:
    run = bad_run()
    found = findings_about(run, order_webhooks(run)[0])
    assert [found[0]["code"], found[-2]["code"], found[-1]["code"]] == ["WF101", "WF202", "WF205"]
    since = [each["since"] for each in found if each["code"] == "WF102"]
    assert since == sorted(since, key=lambda text: float(text or 0))


def test_every_finding_is_shown_somewhere() -> None:
    run = bad_run()
    lonely = finding("WF202", "gone", severity="info", title="t", evidence=evidence("e"))
    run["findings"].append(lonely)
    shown = [f["id"] for w in run["webhooks"] for f in findings_about(run, w)]
    assert sorted([*shown, lonely["id"]]) == sorted(f["id"] for f in run["findings"])
    assert other_findings(run) == (lonely,)


def test_webhooks_of_the_same_name_are_told_apart_by_configuration() -> None:
    run = crowded_run()
    labels = [label_webhook(run, each) for each in run["webhooks"]]
    assert "operator-1/mpod.kb.io" in labels
    assert len(set(labels)) == len(labels)
    run["findings"] = [
        finding("WF202", "operator-1/mpod.kb.io", severity="info", title="t", evidence=evidence(""))
    ]
    owners = [each["configuration"] for each in run["webhooks"] if findings_about(run, each)]
    assert owners == ["operator-1"]


def test_each_webhook_that_is_not_compatible_gets_a_next_step() -> None:
    run = bad_run()
    steps = next_steps(run)
    wanting = {each["name"] for each in run["webhooks"] if each["verdict"] != "compatible"}
    assert {step.webhook for step in steps} == wanting
    assert steps[0].command == "webhook-fuzz explain WF101"
    idle = next(step for step in steps if step.webhook.startswith("vault"))
    assert "None of the 3 triggers tried made it act" in idle.text
    assert next_steps(good_run()) == ()


def test_a_webhook_without_coverage_has_none() -> None:
    assert coverage_of(run_of(), webhook("a", "compatible", "")) is None
