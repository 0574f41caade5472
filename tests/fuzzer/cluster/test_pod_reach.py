from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision
from webhook_fuzz.fuzzer.cluster.pod_reach import find_pod_reach, match_any_pod

RULE: JsonObject = {
    "operations": ["CREATE"],
    "apiGroups": ["", "batch"],
    "apiVersions": ["v1"],
    "resources": ["pods", "jobs"],
}
PROD: JsonObject = {"matchLabels": {"env": "prod"}}
NAMESPACES = {"a": {"env": "prod"}, "b": {}, "c": {"env": "prod"}}
ATTRIBUTES = pod_attributes({}, namespace="a", namespace_labels=NAMESPACES["a"])


def _webhook(**given: JsonValue) -> Webhook:
    entry: JsonObject = {"name": "w", "rules": [RULE], **given}
    (webhook,) = list_webhooks([{"metadata": {"name": "c"}, "webhooks": [entry]}])
    return webhook


def test_the_rules_say_which_pods_and_workloads_and_the_selector_where() -> None:
    reach = find_pod_reach(_webhook(namespaceSelector=PROD), NAMESPACES)
    assert reach.pods
    assert reach.workloads == ("jobs",)
    assert reach.namespaces == ("a", "c")
    assert reach.narrowed_by == ()


def test_namespaces_that_are_not_known_are_not_counted() -> None:
    assert find_pod_reach(_webhook(), None).namespaces is None
    bad: JsonObject = {"matchExpressions": [{"key": "x", "operator": "Gt"}]}
    assert find_pod_reach(_webhook(namespaceSelector=bad), NAMESPACES).namespaces is None


def test_what_else_a_pod_must_pass_is_named() -> None:
    webhook = _webhook(objectSelector=PROD, matchConditions=[{"name": "x", "expression": "true"}])
    assert find_pod_reach(webhook, None).narrowed_by == ("objectSelector", "matchConditions")
    matching = match_any_pod(webhook, ATTRIBUTES)
    assert matching.decision is Decision.UNDECIDED
    assert matching.reason == "It depends on the pod: objectSelector and matchConditions."


def test_a_namespace_decides_alone_where_nothing_looks_at_the_pod() -> None:
    assert match_any_pod(_webhook(), ATTRIBUTES).decision is Decision.MATCHES
    off = _webhook(namespaceSelector={"matchLabels": {"env": "x"}}, objectSelector=PROD)
    assert match_any_pod(off, ATTRIBUTES).decision is Decision.SKIPPED
