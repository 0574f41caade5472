"""Is a webhook accused of reaching too far exactly when it does?"""

import pytest

from configured import (
    NAME_LABEL,
    NOT_MIRRORED,
    around,
    by_code,
    by_service,
    configuration,
    entry,
    lint,
    lint_entry,
    only,
    rule,
    select,
)
from webhook_fuzz.corpora.cluster_api.failures import Seen, Trouble, Unseen
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.cluster.surroundings import Backend, View
from webhook_fuzz.fuzzer.findings import ClusterFinding, Severity

OPT_OUT = select("injector.example.com/ignore", "DoesNotExist")
FILLED: JsonObject = {"annotations": {"cert-manager.io/inject-ca-from": "injector/serving"}}


def fails_closed(findings: list[ClusterFinding]) -> ClusterFinding | None:
    return next((finding for finding in findings if finding.code == "WF602"), None)


def test_failing_closed_on_kube_system_is_an_error() -> None:
    found = by_code(lint_entry(namespaceSelector=None))
    assert found.keys() == {"WF602", "WF603", "WF611"}
    assert found["WF602"].severity is Severity.ERROR
    assert found["WF602"].path == "webhooks[0].failurePolicy"
    assert "no pods can be written in kube-system" in found["WF602"].explanation
    assert found["WF602"].evidence == "There is no namespaceSelector."


def test_failing_closed_by_default_is_told_at_the_selector_that_is_missing() -> None:
    finding = fails_closed(lint_entry(namespaceSelector=None, failurePolicy=None))
    assert finding is not None
    assert finding.path == "webhooks[0].namespaceSelector"


def test_failing_open_on_kube_system_is_none() -> None:
    assert fails_closed(lint_entry(namespaceSelector=None, failurePolicy="Ignore")) is None


@pytest.mark.parametrize(
    "selector",
    [
        select(NAME_LABEL, "NotIn", "kube-system"),
        select(NAME_LABEL, "In", "shop"),
        select("injection", "Exists"),
        {"matchLabels": {"injection": "enabled"}},
    ],
)
def test_kube_system_is_left_out_by_name_or_by_not_opting_in(selector: JsonObject) -> None:
    assert lint_entry(namespaceSelector=selector) == []


def test_a_label_that_kubernetes_does_not_set_may_not_be_on_kube_system() -> None:
    finding = fails_closed(lint_entry(namespaceSelector=OPT_OUT))
    assert finding is not None
    assert finding.severity is Severity.WARNING
    assert finding.path == "webhooks[0].namespaceSelector"
    assert "only if it carries injector.example.com/ignore" in finding.explanation


def test_an_old_label_for_the_name_is_one_kubernetes_does_not_set() -> None:
    finding = fails_closed(lint_entry(namespaceSelector=select("name", "NotIn", "kube-system")))
    assert finding is not None
    assert "only if it carries name," in finding.explanation


@pytest.mark.parametrize(
    ("labels", "accused"),
    [({"injector.example.com/ignore": "true"}, False), ({"other": "x"}, True)],
)
def test_on_a_cluster_the_labels_decide(labels: dict[str, str], *, accused: bool) -> None:
    known = around(View.CLUSTER, namespaces={"kube-system": {NAME_LABEL: "kube-system", **labels}})
    finding = fails_closed(lint_entry(known, namespaceSelector=OPT_OUT))
    assert (finding is not None) is accused
    assert finding is None or finding.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("selector", "accused"),
    [
        (select("inject", "Exists"), False),
        ({"matchLabels": {"inject": "true"}}, False),
        (select("inject", "NotIn", "false"), True),
    ],
)
def test_an_object_selector_helps_where_pods_must_opt_in(
    selector: JsonObject, *, accused: bool
) -> None:
    finding = fails_closed(lint_entry(namespaceSelector=None, objectSelector=selector))
    assert (finding is not None) is accused


@pytest.mark.parametrize(
    "expression",
    [
        "request.namespace != 'kube-system'",
        "!('system:serviceaccounts:kube-system' in request.userInfo.groups)",
        "object.metadata.?annotations[?'inject'].orValue('') == 'yes'",
        "authorizer.group('').resource('pods').check('inject').allowed()",
    ],
)
def test_a_match_condition_can_leave_kube_system_out(expression: str) -> None:
    conditions: list[JsonValue] = [{"name": "mine", "expression": expression}]
    assert fails_closed(lint_entry(namespaceSelector=None, matchConditions=conditions)) is None


def test_a_match_condition_about_something_else_does_not() -> None:
    found = by_code(lint_entry(namespaceSelector=None, matchConditions=[NOT_MIRRORED]))
    assert found.keys() == {"WF602"}


@pytest.mark.parametrize(
    ("rules", "severity"),
    [
        ([rule("leases", apiGroups=["coordination.k8s.io"])], Severity.ERROR),
        ([rule("*", apiGroups=["*"], apiVersions=["*"])], Severity.ERROR),
        ([rule("services")], Severity.WARNING),
        ([rule("deployments", apiGroups=["apps"], operations=["UPDATE"])], Severity.WARNING),
        ([rule("certificates", apiGroups=["cert-manager.io"])], None),
        ([rule("pods/ephemeralcontainers", operations=["UPDATE"])], None),
        ([rule(operations=["DELETE"])], None),
        ([rule(scope="Cluster")], None),
    ],
)
def test_how_bad_it_is_depends_on_what_the_system_needs(
    rules: list[JsonValue], severity: Severity | None
) -> None:
    finding = fails_closed(lint_entry(namespaceSelector=None, rules=rules))
    assert (finding.severity if finding else None) is severity


def test_many_kinds_are_counted() -> None:
    finding = fails_closed(lint_entry(namespaceSelector=None, rules=[rule("*", apiGroups=["*"])]))
    assert finding is not None
    assert "no pods, replicasets, leases and 2 more kinds can" in finding.explanation


def itself(*, backend: Seen[Backend] | None = None, **changes: JsonValue) -> ClusterFinding | None:
    backends = {("injector", "injector"): backend} if backend else {}
    selector = changes.pop("namespaceSelector", select(NAME_LABEL, "NotIn", "kube-system"))
    changed = entry(clientConfig=by_service(), namespaceSelector=selector, **changes)
    findings = lint(configuration(changed, metadata=FILLED), surroundings=around(backends=backends))
    return fails_closed(findings)


def test_a_webhook_that_guards_its_own_pods_cannot_come_back() -> None:
    finding = itself()
    assert finding is not None
    assert finding.severity is Severity.ERROR
    assert "its own pods in injector are not left out" in finding.explanation
    assert "kube-system" not in finding.explanation


def test_own_pods_are_left_out_by_their_labels() -> None:
    not_itself = select("app", "NotIn", "injector")
    own = Backend(exists=True, pod_labels={"app": "injector"})
    other = Backend(exists=True, pod_labels={"app": "something-else"})
    assert itself(objectSelector=not_itself, backend=own) is None
    assert itself(objectSelector=not_itself, backend=other) is not None


def test_own_pods_that_are_not_known_are_not_held_against_it() -> None:
    forbidden = Unseen(what="services", why="forbidden", trouble=Trouble.FORBIDDEN)
    for backend in (None, forbidden):
        assert itself(objectSelector=select("app", "NotIn", "x"), backend=backend) is None


def test_a_namespace_of_its_own_is_taken_to_carry_its_own_label() -> None:
    finding = itself(namespaceSelector=OPT_OUT)
    assert finding is not None
    assert "its own pods" not in finding.explanation


def test_a_webhook_in_kube_system_is_told_once() -> None:
    changed = entry(clientConfig=by_service(namespace="kube-system"), namespaceSelector=None)
    finding = fails_closed(lint(configuration(changed, metadata=FILLED)))
    assert finding is not None
    assert "its own" not in finding.explanation


def test_an_invalid_selector_is_nobodys_guess() -> None:
    assert fails_closed(lint_entry(namespaceSelector=select("x", "Near", "y"))) is None


def test_all_resources_are_too_many_even_where_it_fails_open() -> None:
    rules: list[JsonValue] = [rule(), rule("*", apiGroups=["*"], apiVersions=["*"])]
    found = by_code(lint_entry(rules=rules, failurePolicy="Ignore"))
    assert found["WF603"].path == "webhooks[0].rules[1].resources"
    assert "all resources of all groups" in found["WF603"].explanation


def test_all_core_resources_are_too_many() -> None:
    found = by_code(lint_entry(rules=[rule("*/*", apiGroups=["", "apps"])]))
    assert "the core group, apps" in found["WF603"].explanation


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": [rule("*", apiGroups=["injector.example.com"])]},
        {"rules": [rule("*", apiGroups=["*"])], "namespaceSelector": select("inject", "Exists")},
        {"rules": [rule("*", apiGroups=["*"])], "objectSelector": {"matchLabels": {"a": "b"}}},
        {"rules": [rule("widgets", apiGroups=["example.com"])], "namespaceSelector": None},
        {"failurePolicy": "Ignore", "matchConditions": [NOT_MIRRORED], "namespaceSelector": None},
    ],
)
def test_what_is_narrow_is_not_called_broad(changes: JsonObject) -> None:
    assert lint_entry(**changes) == []


@pytest.mark.parametrize(
    ("changed", "member", "said"),
    [
        (rule("pods", "pods/status", operations=["UPDATE"]), "resources", "for pods/status:"),
        (rule("pods/*", operations=["*"], scope="Cluster"), "resources", "for pods/*:"),
        (rule(operations=["CREATE", "DELETE"]), "operations", "for DELETE:"),
        (rule("pods/exec", operations=["CONNECT"]), "operations", "for CONNECT:"),
        (rule(operations=["*"]), "operations", "for DELETE and CONNECT:"),
    ],
)
def test_there_is_nothing_to_change_in_status_delete_and_connect(
    changed: JsonObject, member: str, said: str
) -> None:
    findings = [finding for finding in lint_entry(rules=[changed]) if finding.code == "WF610"]
    assert findings[0].severity is Severity.WARNING
    (finding,) = [each for each in findings if each.path == f"webhooks[0].rules[0].{member}"]
    assert said in finding.explanation


def test_creating_a_status_is_none() -> None:
    assert lint_entry(rules=[rule("pods/*")]) == []


@pytest.mark.parametrize(
    ("operations", "said"),
    [(["CREATE", "UPDATE"], "each CREATE or UPDATE of pods"), (["*"], "each request of pods")],
)
def test_everything_of_a_kind_hangs_on_a_webhook_without_a_filter(
    operations: list[JsonValue], said: str
) -> None:
    findings = lint_entry(namespaceSelector=None, rules=[rule(operations=operations)])
    (finding,) = [each for each in findings if each.code == "WF603"]
    assert said in finding.explanation
    assert finding.path == "webhooks[0].rules[0]"


def test_mirror_pods_are_mentioned_where_they_are_met() -> None:
    found = by_code(lint_entry(failurePolicy="Ignore", namespaceSelector=None))
    assert found.keys() == {"WF611"}
    assert found["WF611"].severity is Severity.INFO
    assert found["WF611"].path == "webhooks[0]"


@pytest.mark.parametrize(
    "changes",
    [
        {"matchConditions": [NOT_MIRRORED]},
        {"matchConditions": [{"name": "n", "expression":
            "!('system:nodes' in request.userInfo.groups)"}]},
        {"objectSelector": select("inject", "Exists")},
        {"rules": [rule("services")]},
    ],
)  # fmt: skip
def test_mirror_pods_are_left_out_by_condition_or_by_not_opting_in(
    changes: JsonObject,
) -> None:
    assert lint_entry(failurePolicy="Ignore", namespaceSelector=None, **changes) == []


def test_mirror_pods_may_be_kept_out_by_a_label() -> None:
    changes: JsonObject = {"failurePolicy": "Ignore", "namespaceSelector": OPT_OUT}
    assert "unless a label" in only(lint_entry(**changes), "WF611").explanation
    assert lint_entry(around(View.CLUSTER), **changes) == []
