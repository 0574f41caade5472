import pytest

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.selectors import (
    SelectorError,
    is_empty,
    match_selector,
    object_labels,
)


def _expression(operator: str, *values: str, key: str = "env") -> JsonObject:
    expression: JsonObject = {"key": key, "operator": operator}
    if values:
        expression["values"] = [*values]
    return {"matchExpressions": [expression]}


PROD: dict[str, str] = {"env": "prod", "team": "a"}


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ({}, {}, True),
        ({"matchLabels": None, "matchExpressions": []}, PROD, True),
        ({"matchLabels": {"env": "prod"}}, PROD, True),
        ({"matchLabels": {"env": "test"}}, PROD, False),
        ({"matchLabels": {"env": ""}}, {}, False),
        ({"matchLabels": {"env": ""}}, {"env": ""}, True),
        ({"matchLabels": {"env": "prod", "team": "b"}}, PROD, False),
        (_expression("In", "test", "prod"), PROD, True),
        (_expression("In", "test"), PROD, False),
        (_expression("In", "test"), {}, False),
        (_expression("NotIn", "test"), PROD, True),
        (_expression("NotIn", "prod"), PROD, False),
        (_expression("NotIn", "prod"), {}, True),
        (_expression("Exists"), PROD, True),
        (_expression("Exists"), {}, False),
        (_expression("DoesNotExist"), PROD, False),
        (_expression("DoesNotExist"), {}, True),
        (_expression("Exists", key="example.com/inject"), {"example.com/inject": ""}, True),
        ({"matchLabels": {"env": "prod"}, **_expression("NotIn", "a", key="team")}, PROD, False),
    ],
)
def test_a_selector_selects_as_the_api_server_says(
    selector: JsonObject,
    labels: dict[str, str],
    selected: bool,  # noqa: FBT001 - a table
) -> None:
    assert match_selector(selector, labels) is selected


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({"matchLabels": {"env": "prod"}}, None),
        (_expression("DoesNotExist"), None),
        (_expression("NotIn", "kube-system", key="name"), True),
        (_expression("In", "kube-system", key="name"), False),
        ({"matchLabels": {"env": "prod", "name": "other"}}, False),
        ({}, True),
    ],
)
def test_labels_known_in_part_decide_what_they_can(
    selector: JsonObject,
    selected: bool | None,  # noqa: FBT001 - a table
) -> None:
    assert match_selector(selector, {"name": "shop"}, complete=False) is selected


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (_expression("Gt", "1"), "'Gt' is not a valid label selector operator"),
        (_expression("In"), "the operator In must have values"),
        (_expression("Exists", "x"), "the operator Exists must not have values"),
        (_expression("Exists", key="-x"), "'-x' is not a label key"),
        (_expression("Exists", key="a/b/c"), "'a/b/c' is not a label key"),
        (_expression("Exists", key="/x"), "'/x' is not a label key"),
        (_expression("In", "no spaces"), "'no spaces' is not a label value"),
        ({"matchLabels": {"env": 1}}, "1 is not a label value"),
        ({"matchLabels": []}, "matchLabels must be an object"),
        ({"matchExpressions": ["x"]}, "is not an object"),
        ({"matchExpressions": [{"operator": "Exists"}]}, "None is not a label key"),
        ({"matchExpressions": [{"key": "x"}]}, "None is not a valid label selector operator"),
    ],
)
def test_what_the_api_server_cannot_parse_is_an_error(selector: JsonObject, message: str) -> None:
    with pytest.raises(SelectorError, match=message):
        match_selector(selector, PROD)


def test_a_selector_without_requirements_is_empty() -> None:
    assert is_empty({"matchLabels": {}, "matchExpressions": []})
    assert not is_empty(_expression("Exists"))


def test_labels_of_any_object_are_read_leniently() -> None:
    assert object_labels(None) == {}
    assert object_labels({"metadata": {"labels": None}}) == {}
    assert object_labels({"metadata": {"labels": {"a": "b", "c": 1}}}) == {"a": "b"}
