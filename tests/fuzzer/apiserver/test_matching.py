from dataclasses import replace

import pytest

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes, pod_attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision, match_webhook

POD: JsonObject = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"app": "shop"}},
    "spec": {"containers": [{"name": "app", "image": "i"}]},
}
CREATE = pod_attributes(POD, namespace="shop", namespace_labels={"env": "prod"})
ALL: JsonObject = {
    "operations": ["*"],
    "apiGroups": ["*"],
    "apiVersions": ["*"],
    "resources": ["*/*"],
}
PROD: JsonObject = {"matchLabels": {"env": "prod"}}
TEST: JsonObject = {"matchLabels": {"env": "test"}}
INVALID: JsonObject = {"matchExpressions": [{"key": "a", "operator": "Gt"}]}


def _webhook(**given: JsonValue) -> Webhook:
    entry: JsonObject = {"name": "w", "rules": [ALL], **given}
    (webhook,) = list_webhooks([{"metadata": {"name": "c"}, "webhooks": [entry]}])
    return webhook


def _conditions(*expressions: str) -> list[JsonValue]:
    return [{"name": f"c{i}", "expression": text} for i, text in enumerate(expressions)]


FALSE, TRUE = "1 == 2", "1 == 1"
FAILS, SERVER = "1 / 0 == 1", "authorizer.path('/').check('get').allowed()"


@pytest.mark.parametrize(
    ("given", "attributes", "decision", "reason"),
    [
        ({}, CREATE, "matches", "Its rules are for CREATE of v1/pods."),
        ({"rules": []}, CREATE, "skipped", "No rule is for CREATE of v1/pods."),
        ({"namespaceSelector": PROD}, CREATE, "matches", "its namespaceSelector agrees"),
        ({"namespaceSelector": TEST}, CREATE, "skipped", "namespaceSelector does not select"),
        (
            {"namespaceSelector": PROD},
            replace(CREATE, namespace_labels=None),
            "undecided",
            "The labels of the namespace shop are not known.",
        ),
        (
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
            replace(CREATE, namespace_labels=None),
            "matches",
            "namespaceSelector agrees",
        ),
        (
            {"namespaceSelector": PROD, "rules": []},
            replace(CREATE, namespace_labels=None),
            "skipped",
            "No rule",
        ),
        ({"namespaceSelector": INVALID}, CREATE, "undecided", "namespaceSelector is one the API"),
        ({"objectSelector": INVALID}, CREATE, "undecided", "objectSelector is one the API"),
        ({"objectSelector": {"matchLabels": {"app": "shop"}}}, CREATE, "matches", "objectSelector"),
        ({"objectSelector": PROD}, CREATE, "skipped", "objectSelector does not select"),
        (
            {"objectSelector": {"matchLabels": {"app": "shop"}}},
            pod_attributes(POD, namespace="shop", operation="DELETE"),
            "matches",
            "DELETE of v1/pods",
        ),
        (
            {"objectSelector": {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}},
            replace(CREATE, operation="CONNECT", subresource="attach", object={}),
            "skipped",
            "objectSelector",
        ),
        (
            {"namespaceSelector": TEST},
            replace(CREATE, resource="nodes", namespace=""),
            "matches",
            "CREATE of v1/nodes",
        ),
        (
            {"namespaceSelector": TEST},
            replace(
                CREATE,
                resource="namespaces",
                namespace="new",
                object={"metadata": {"labels": {"env": "test"}}},
            ),
            "matches",
            "v1/namespaces",
        ),
        (
            {"namespaceSelector": TEST},
            replace(CREATE, resource="namespaces", operation="DELETE"),
            "skipped",
            "namespaceSelector",
        ),
        (
            {},
            replace(
                CREATE, group="admissionregistration.k8s.io", resource="validatingadmissionpolicies"
            ),
            "skipped",
            "No webhook is ever asked",
        ),
        (
            {},
            replace(CREATE, group="authentication.k8s.io", resource="tokenreviews"),
            "undecided",
            "since 1.37",
        ),
        ({"matchConditions": _conditions(TRUE)}, CREATE, "matches", "its matchConditions agree"),
        ({"matchConditions": _conditions(TRUE, FALSE)}, CREATE, "skipped", "c1 is false"),
        ({"matchConditions": _conditions(FAILS, FALSE)}, CREATE, "skipped", "c1 is false"),
        ({"matchConditions": _conditions(SERVER, FALSE)}, CREATE, "skipped", "c1 is false"),
        ({"matchConditions": _conditions(TRUE, FAILS)}, CREATE, "rejected", "Policy is Fail"),
        (
            {"matchConditions": _conditions(TRUE, FAILS), "failurePolicy": "Ignore"},
            CREATE,
            "skipped",
            "failurePolicy is Ignore",
        ),
        ({"matchConditions": _conditions(FAILS, SERVER)}, CREATE, "undecided", "by the server"),
        (
            {"matchConditions": _conditions(SERVER, FAILS), "failurePolicy": "Ignore"},
            CREATE,
            "skipped",
            "c1 fails",
        ),
        ({"matchConditions": _conditions(SERVER)}, CREATE, "undecided", "c0 is decided by the"),
        (
            {"matchConditions": _conditions(FALSE), "namespaceSelector": PROD},
            replace(CREATE, namespace_labels=None),
            "skipped",
            "c0 is false",
        ),
    ],
)  # fmt: skip
def test_a_webhook_is_called_as_the_api_server_decides(
    given: JsonObject, attributes: Attributes, decision: str, reason: str
) -> None:
    matching = match_webhook(_webhook(**given), attributes)
    assert matching.decision is Decision(decision)
    assert reason in matching.reason


HPA = replace(
    CREATE, group="autoscaling", version="v1", resource="horizontalpodautoscalers", kind="H"
)
V2: JsonObject = {**ALL, "apiGroups": ["autoscaling"], "apiVersions": ["v2"], "resources": ["*"]}


def test_an_equivalent_resource_counts_unless_the_policy_is_exact() -> None:
    equivalent = match_webhook(_webhook(rules=[V2]), HPA)
    assert equivalent.decision is Decision.MATCHES
    assert "autoscaling/v2/horizontalpodautoscalers, the equivalent" in equivalent.reason
    exact = match_webhook(_webhook(rules=[V2], matchPolicy="Exact"), HPA)
    assert exact.decision is Decision.SKIPPED


def test_conditions_on_a_converted_object_are_left_to_the_server() -> None:
    matching = match_webhook(_webhook(rules=[V2], matchConditions=_conditions(TRUE)), HPA)
    assert matching.decision is Decision.UNDECIDED
    assert "converted" in matching.reason


def test_other_versions_of_a_custom_resource_are_left_to_the_server() -> None:
    widget = replace(CREATE, group="example.com", version="v1", resource="widgets")
    rule: JsonObject = {**ALL, "apiGroups": ["example.com"], "apiVersions": ["v2"]}
    assert match_webhook(_webhook(rules=[rule]), widget).decision is Decision.UNDECIDED
    exact = _webhook(rules=[rule], matchPolicy="Exact")
    assert match_webhook(exact, widget).decision is Decision.SKIPPED


def test_a_subresource_is_named_in_the_reason() -> None:
    matching = match_webhook(_webhook(), replace(CREATE, subresource="status"))
    assert matching.reason == "Its rules are for CREATE of v1/pods/status."


def test_an_update_matches_by_the_labels_it_takes_away() -> None:
    old: JsonObject = {"metadata": {"labels": {"env": "prod"}}}
    changed = replace(CREATE, operation="UPDATE", old_object=old)
    assert match_webhook(_webhook(objectSelector=PROD), changed).decision is Decision.MATCHES
