"""Do the proposed labels keep a webhook away from the namespace of the proxy?"""

import pytest

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.selectors import match_selector
from webhook_fuzz.proxy.deployment.exclusions import propose_labels

NAME = {"kubernetes.io/metadata.name": "webhook-fuzz"}


def excluding(selector: JsonObject) -> dict[str, str] | None:
    for labels in propose_labels(selector, NAME):
        if not match_selector(selector, {**NAME, **labels}):
            return labels
    return None


def expression(key: str, operator: str, *values: str) -> JsonObject:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": [*values]}]}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"matchLabels": {"istio-injection": "enabled"}}, {}),
        (expression("inject", "Exists"), {}),
        (expression("inject", "In", "yes"), {}),
        (expression("skip", "DoesNotExist"), {"skip": "webhook-fuzz"}),
        (expression("skip", "NotIn", "true", "yes"), {"skip": "true"}),
        (expression("kubernetes.io/metadata.name", "NotIn", "webhook-fuzz"), {}),
    ],
)
def test_a_selector_that_can_be_escaped_is(selector: JsonObject, expected: dict[str, str]) -> None:
    assert excluding(selector) == expected


@pytest.mark.parametrize(
    "selector",
    [{}, expression("kubernetes.io/metadata.name", "NotIn", "kube-system")],
)
def test_a_selector_that_cannot_be_escaped_by_a_label_is_known_as_such(
    selector: JsonObject,
) -> None:
    assert excluding(selector) is None
