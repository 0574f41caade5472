import importlib
import sys
from dataclasses import replace
from typing import Any

import pytest

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver import match_conditions
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes, pod_attributes
from webhook_fuzz.fuzzer.apiserver.match_conditions import (
    ConditionResult,
    Verdict,
    evaluate_conditions,
)

POD: JsonObject = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"app": "shop"}},
    "spec": {"containers": [{"name": "app", "image": "i"}]},
}
ATTRIBUTES = pod_attributes(
    POD, namespace="shop", user={"username": "me", "groups": ["system:masters"]}
)


def _evaluate(expression: JsonValue, attributes: Attributes = ATTRIBUTES) -> ConditionResult:
    (result,) = evaluate_conditions([{"name": "c", "expression": expression}], attributes)
    return result


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("object.metadata.labels.app == 'shop'", Verdict.TRUE),
        ("has(object.metadata.annotations)", Verdict.FALSE),
        ("object.metadata.namespace == request.namespace", Verdict.TRUE),
        ("request.userInfo.username == 'me'", Verdict.TRUE),
        ("'system:masters' in request.userInfo.groups", Verdict.TRUE),
        ("request.resource.resource == 'pods' && request.kind.kind == 'Pod'", Verdict.TRUE),
        ("request.name == 'p' && request.dryRun", Verdict.TRUE),
        ("has(request.subResource)", Verdict.FALSE),
        ("has(object.status)", Verdict.TRUE),
        ("object.metadata.annotations['x'] == 'y'", Verdict.ERROR),
        ("oldObject.metadata.name == 'p'", Verdict.ERROR),
        ("1 / 0 == 1", Verdict.ERROR),
        ("object.spec.containers[3].name == 'app'", Verdict.ERROR),
        ("object.?spec.?nothing.value() == 'x'", Verdict.ERROR),
    ],
)
def test_a_condition_says_what_the_api_server_says(expression: str, verdict: Verdict) -> None:
    assert _evaluate(expression).verdict is verdict


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("authorizer.path('/x').check('get').allowed()", "authorizer"),
        ("has(object.metadata.managedFields)", "managedFields"),
        ("request.options.fieldManager == 'x'", "options"),
        ("object.spec.serviceAccountName == 'x'", "serviceAccountName may still change"),
        ("has(request.userInfo.extra)", "the user's extra"),
        ("has(object.metadata.creationTimestamp)", "creationTimestamp"),
        ("quantity('1').isInteger()", "could not be compiled"),
        ("object.metadata.name", "could not be evaluated"),
        ("object < 1", "could not be evaluated"),
        ("has(oldObject.metadata)", "could not be evaluated"),
        (None, "it has no expression"),
    ],
)
def test_what_only_the_server_knows_is_left_to_it(expression: JsonValue, why: str) -> None:
    result = _evaluate(expression)
    assert result.verdict is Verdict.UNDECIDED
    assert why in result.why


def test_a_user_who_is_not_known_decides_nothing() -> None:
    unknown = pod_attributes(POD, namespace="shop")
    result = _evaluate("request.userInfo.username != 'x'", unknown)
    assert result.why == "it reads the user, who is not known here"


def test_what_a_new_object_s_time_looks_like_differs_by_version() -> None:
    seen = pod_attributes(POD, namespace="shop", settled=True)
    assert "API servers differ" in _evaluate("has(object.metadata.creationTimestamp)", seen).why


@pytest.mark.parametrize("value", [2**70, "half a pair: \ud800"])
def test_values_cel_has_none_for_are_left_to_the_server_and_not_quoted(value: JsonValue) -> None:
    odd = pod_attributes({**POD, "spec": {"odd": value}}, namespace="shop", settled=True)
    assert _evaluate("object.spec.odd == 1", odd).verdict is Verdict.UNDECIDED
    assert str(value)[:5] not in _evaluate("object.spec.odd == 1", odd).why


def test_the_times_of_an_object_that_is_there_are_known() -> None:
    created: JsonObject = {
        **POD,
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
    }
    attributes = pod_attributes(created, namespace="shop", operation="UPDATE", settled=True)
    assert _evaluate("has(object.metadata.creationTimestamp)", attributes).verdict is Verdict.TRUE


def test_an_object_large_enough_to_cost_too_much_is_left_to_the_server() -> None:
    containers: list[JsonValue] = [{"name": f"c{i}", "image": "i"} for i in range(300)]
    large = pod_attributes({**POD, "spec": {"containers": containers}}, namespace="shop")
    once = "object.spec.containers.exists(c, c.name == 'c1')"
    assert _evaluate(once, large).verdict is Verdict.TRUE
    twice = "object.spec.containers.exists(c, object.spec.containers.exists(d, d.name == c.image))"
    assert "cost" in _evaluate(twice, large).why
    long: JsonObject = {**POD, "metadata": {"name": "p", "annotations": {"x": "y" * 70_000}}}
    assert "cost" in _evaluate("object != null", pod_attributes(long, namespace="shop")).why


def test_subresources_and_other_kinds_are_seen_as_they_are() -> None:
    scale = replace(
        ATTRIBUTES, kind="Scale", subresource="scale", object={"spec": {}}, name="", namespace=""
    )
    assert _evaluate("request.subResource == 'scale'", scale).verdict is Verdict.TRUE
    assert _evaluate("has(object.status)", scale).verdict is Verdict.FALSE
    assert _evaluate("request.name == 'p'", scale).verdict is Verdict.ERROR


def test_without_the_library_every_condition_is_left_to_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = match_conditions.__name__
    monkeypatch.setitem(sys.modules, "cel_expr_python.cel", None)
    monkeypatch.delitem(sys.modules, name)
    fresh: Any = importlib.import_module(name)
    (result,) = fresh.evaluate_conditions([{"name": "c", "expression": "true"}], ATTRIBUTES)
    assert result.verdict.value == "undecided"
    assert "cel-expr-python" in result.why
