"""Are webhooks kept away from the proxy's own pods, and those that cannot be, named?"""

import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.cli.proxy_deployment import check_lockout
from webhook_fuzz.fuzzer.cli.proxy_exclusions import find_exclusion
from webhook_fuzz.proxy.deployment.installations import Installation, build_objects

OBJECTS = build_objects(Installation())
PODS: JsonObject = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["pods"],
}


def webhook(name: str, **entry: JsonValue) -> Webhook:
    given: JsonObject = {"name": f"{name}.example.com", "rules": [PODS], **entry}
    configuration: JsonObject = {"metadata": {"name": name}, "webhooks": [given]}
    (found,) = list_webhooks([configuration])
    return found


def selector(key: str, operator: str, *values: str) -> JsonObject:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": [*values]}]}


def test_webhooks_that_ask_for_a_label_need_nothing() -> None:
    found = find_exclusion(
        [webhook("mesh", namespaceSelector={"matchLabels": {"mesh": "enabled"}})], OBJECTS
    )
    assert found.labels == {}
    assert found.locking == found.slowing == ()


def test_webhooks_that_can_be_told_to_stay_away_are() -> None:
    webhooks = [
        webhook("policy", namespaceSelector=selector("policy/ignore", "DoesNotExist")),
        webhook("mesh", namespaceSelector=selector("mesh/inject", "NotIn", "disabled", "off")),
    ]
    found = find_exclusion(webhooks, OBJECTS)
    assert found.labels == {"policy/ignore": "webhook-fuzz", "mesh/inject": "disabled"}
    assert found.locking == found.slowing == ()


def test_the_label_the_namespace_has_already_is_enough() -> None:
    found = find_exclusion(
        [webhook("own", namespaceSelector=selector("webhook-fuzz/admission", "NotIn", "ignore"))],
        OBJECTS,
    )
    assert found.labels == {}
    assert found.locking == ()


def test_two_that_want_the_opposite_are_not_both_called_excluded() -> None:
    webhooks = [
        webhook("a", namespaceSelector=selector("team", "DoesNotExist")),
        webhook("b", namespaceSelector=selector("team", "Exists")),
    ]
    found = find_exclusion(webhooks, OBJECTS)
    assert len(found.locking) == 1


@pytest.mark.parametrize(
    ("group", "resource", "called"),
    [
        ("", "pods", "yes"),
        ("apps", "replicasets", "yes"),
        ("batch", "jobs", "yes"),
        ("", "configmaps", "no"),
        ("apps", "statefulsets", "no"),
    ],
)
def test_only_what_it_takes_to_get_a_pod_matters(group: str, resource: str, called: str) -> None:
    rule: JsonObject = {**PODS, "apiGroups": [group], "resources": [resource]}
    found = find_exclusion([webhook("any", rules=[rule])], OBJECTS)
    assert bool(found.locking) is (called == "yes")


def test_pods_that_the_object_selector_leaves_out_are_not_called_for() -> None:
    injected: JsonObject = {"matchLabels": {"inject": "true"}}
    assert find_exclusion([webhook("any", objectSelector=injected)], OBJECTS).locking == ()


def test_a_webhook_that_can_lock_the_proxy_out_is_refused_unless_that_is_accepted() -> None:
    found = find_exclusion([webhook("all")], OBJECTS)
    told: list[str] = []
    with pytest.raises(InputError, match=r"all/all\.example\.com") as caught:
        check_lockout(found, accepted=False, tell=told.append)
    assert "--accept-lockout" in caught.value.hint
    check_lockout(found, accepted=True, tell=told.append)
    assert "webhook-fuzz restore" in told[0]


def test_a_webhook_with_the_policy_ignore_only_costs_time_and_it_is_said_how_much() -> None:
    found = find_exclusion([webhook("all", failurePolicy="Ignore", timeoutSeconds=7)], OBJECTS)
    told: list[str] = []
    check_lockout(found, accepted=False, tell=told.append)
    assert "7 s longer" in told[0]
