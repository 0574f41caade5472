import pytest

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.fuzzer.apiserver.selectors import match_selector, object_labels
from webhook_fuzz.fuzzer.staging.wanted_labels import (
    NAME_LABEL,
    find_labels,
    join_labels,
    select_seeds,
)


def expression(key: str, operator: str, *values: str) -> JsonObject:
    return {"key": key, "operator": operator, **({"values": [*values]} if values else {})}


@pytest.mark.parametrize(
    ("selector", "labels"),
    [
        ({}, {}),
        ({"matchLabels": {"inject": "true"}}, {"inject": "true"}),
        ({"matchExpressions": [expression("a", "Exists")]}, {"a": "true"}),
        ({"matchExpressions": [expression("a", "In", "x", "y")]}, {"a": "x"}),
        ({"matchExpressions": [expression("a", "DoesNotExist")]}, {}),
        ({"matchExpressions": [expression("a", "NotIn", "off")]}, {}),
        (
            {"matchLabels": {"a": "1"}, "matchExpressions": [expression("a", "In", "1", "2")]},
            {"a": "1"},
        ),
    ],
)
def test_the_fewest_labels_are_found(selector: JsonObject, labels: dict[str, str]) -> None:
    assert find_labels(selector) == labels


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"a": "1"}, "matchExpressions": [expression("a", "DoesNotExist")]},
        {"matchExpressions": [expression("a", "Near", "x")]},
        {"matchExpressions": [expression("a", "Exists"), expression("a", "NotIn", "true")]},
    ],
)
def test_none_are_found_where_none_would_do(selector: JsonObject) -> None:
    assert find_labels(selector) is None
    assert select_seeds(selector, [shipped_seed("minimal")]) == ()


def test_seeds_get_the_labels_and_keep_their_own() -> None:
    seed = shipped_seed("bare")
    (selected,) = select_seeds({"matchLabels": {"inject": "true"}}, [seed])
    own = object_labels(seed.pod)
    assert object_labels(selected.pod) == {**own, "inject": "true"}
    assert "inject" not in own


def test_seeds_that_are_selected_stay_the_same() -> None:
    seeds = [shipped_seed("minimal"), shipped_seed("bare")]
    assert select_seeds({}, seeds) == tuple(seeds)


def test_a_seed_with_a_label_that_is_unwanted_is_left_out() -> None:
    seed = shipped_seed("bare")
    key, value = next(iter(object_labels(seed.pod).items()))
    unwanted: JsonObject = {"matchExpressions": [expression(key, "NotIn", value)]}
    assert not match_selector(unwanted, object_labels(seed.pod))
    assert select_seeds(unwanted, [seed]) == ()


def test_labels_of_several_selectors_are_joined_where_they_agree() -> None:
    selectors: list[JsonObject] = [
        {"matchLabels": {"mesh": "on"}},
        {"matchLabels": {"mesh": "off", "other": "x"}},
        {"matchExpressions": [expression("vault", "Exists")]},
        {"matchLabels": {NAME_LABEL: "shop"}},
        {"matchExpressions": [expression("mesh", "DoesNotExist"), expression("a", "Exists")]},
        {},
    ]
    assert join_labels(selectors[:4]) == {"mesh": "on", "vault": "true"}
    assert join_labels([]) == {}
