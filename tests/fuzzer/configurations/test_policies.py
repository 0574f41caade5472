"""Are timeouts, side effects, versions and reinvocation judged by what they lead to?"""

import pytest

from configured import by_service, configuration, entry, lint, lint_entry, only, rule, select
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.findings import Severity


def test_a_careful_webhook_has_no_finding() -> None:
    assert lint_entry() == []


@pytest.mark.parametrize(
    ("seconds", "severity"),
    [(6, Severity.WARNING), (15, Severity.WARNING), (16, Severity.ERROR), (30, Severity.ERROR)],
)
def test_a_long_timeout_is_worse_the_longer_it_is(seconds: int, severity: Severity) -> None:
    finding = only(lint_entry(timeoutSeconds=seconds), "WF601")
    assert finding.severity is severity
    assert finding.path == "webhooks[0].timeoutSeconds"
    assert f"timeoutSeconds is {seconds}" in finding.explanation


def test_five_seconds_are_fine() -> None:
    assert lint_entry(timeoutSeconds=5) == []


def test_a_timeout_that_is_not_set_is_ten_seconds() -> None:
    finding = only(lint_entry(timeoutSeconds=None), "WF601")
    assert finding.severity is Severity.WARNING
    assert finding.path == "webhooks[0]"
    assert "10 s" in finding.explanation
    assert finding.evidence.endswith("and then fails.")


def test_a_slow_webhook_that_fails_open_delays_all_the_same() -> None:
    finding = only(lint_entry(timeoutSeconds=10, failurePolicy="Ignore"), "WF601")
    assert finding.evidence.endswith("goes on without it.")


def test_exact_matching_of_a_custom_resource_misses_its_other_versions() -> None:
    rules: list[JsonValue] = [rule("jobs", apiGroups=["kubeflow.org"])]
    finding = only(lint_entry(matchPolicy="Exact", rules=rules), "WF604")
    assert finding.severity is Severity.WARNING
    assert "version v1 of kubeflow.org" in finding.explanation


@pytest.mark.parametrize(
    "rules",
    [
        [rule()],
        [rule("deployments", apiGroups=["apps"], operations=["UPDATE"])],
        [rule("jobs", apiGroups=["kubeflow.org"], apiVersions=["*"])],
        [rule("ingresses", apiGroups=["networking.k8s.io"])],
    ],
)
def test_exact_matching_of_what_has_one_version_misses_nothing(rules: list[JsonValue]) -> None:
    assert lint_entry(matchPolicy="Exact", rules=rules) == []


def test_exact_matching_of_autoscalers_misses_a_version() -> None:
    rules: list[JsonValue] = [
        rule("horizontalpodautoscalers", apiGroups=["autoscaling"], apiVersions=["v1", "v3"])
    ]
    finding = only(lint_entry(matchPolicy="Exact", rules=rules), "WF604")
    assert "versions v1, v3 of autoscaling" in finding.explanation


@pytest.mark.parametrize("given", ["Some", "Unknown"])
def test_side_effects_block_dry_runs(given: str) -> None:
    finding = only(lint_entry(sideEffects=given), "WF605")
    assert finding.severity is Severity.ERROR
    assert finding.path == "webhooks[0].sideEffects"


def test_side_effects_that_are_not_said_are_refused() -> None:
    assert "not set" in only(lint_entry(sideEffects=None), "WF605").explanation


def test_no_side_effects_on_dry_run_are_fine() -> None:
    assert lint_entry(sideEffects="NoneOnDryRun") == []


@pytest.mark.parametrize(
    ("versions", "said"),
    [(["v1beta1"], "only"), (["v1beta1", "v1"], "before v1"), (["v2", "v1beta1"], "only")],
)
def test_v1beta1_reviews_are_the_past(versions: list[JsonValue], said: str) -> None:
    finding = only(lint_entry(admissionReviewVersions=versions), "WF606")
    assert finding.severity is Severity.WARNING
    assert f"v1beta1 {said}:" in finding.explanation


def test_v1_before_v1beta1_is_fine() -> None:
    assert lint_entry(admissionReviewVersions=["v1", "v1beta1"]) == []


@pytest.mark.parametrize(("versions", "said"), [([], "is empty"), (["v2"], "lists v2")])
def test_versions_nobody_speaks_are_an_error(versions: list[JsonValue], said: str) -> None:
    finding = only(lint_entry(admissionReviewVersions=versions), "WF606")
    assert finding.severity is Severity.ERROR
    assert said in finding.explanation


def test_a_webhook_called_once_does_not_see_what_later_ones_of_others_add() -> None:
    first = configuration(entry(reinvocationPolicy="Never"), name="a")
    others = [configuration(entry(), name=name) for name in "bcdef"]
    finding = only(lint(*others, first), "WF607")
    assert finding.subject == "a/pods.injector.example.com"
    assert finding.severity is Severity.INFO
    assert "and 2 more" in finding.explanation


def test_the_last_webhook_for_pods_needs_no_second_call() -> None:
    last = configuration(entry(reinvocationPolicy=None), name="z")
    other_kind = configuration(entry(rules=[rule("services")]), name="zz")
    assert lint(configuration(entry(), name="a"), last, other_kind) == []


def test_webhooks_of_one_program_are_not_strangers_to_each_other() -> None:
    never = entry(
        reinvocationPolicy="Never",
        clientConfig=by_service(caBundle=None),
        objectSelector=select("inject", "Exists"),
    )
    metadata: JsonObject = {"annotations": {"cert-manager.io/inject-ca-from": "a/b"}}
    one = configuration(never, never, name="a", metadata=metadata)
    same_service = configuration(never, name="b", metadata=metadata)
    assert lint(one, same_service) == []
