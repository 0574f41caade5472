import pytest

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.tolerations import covers


def toleration(
    key: str = "", operator: str = "Exists", effect: str = "", **more: JsonValue
) -> JsonObject:
    given: JsonObject = {"key": key, "operator": operator, "effect": effect, **more}
    return {name: value for name, value in given.items() if value != ""}


EVERYTHING = toleration()
MINUTE = toleration("a", effect="NoExecute", tolerationSeconds=60)
FOREVER = toleration("a", effect="NoExecute")


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (EVERYTHING, toleration("a")),
        (EVERYTHING, toleration("a", "Equal", "NoSchedule", value="x")),
        (toleration("a"), toleration("a", effect="NoSchedule")),
        (toleration("a"), toleration("a", "Equal", value="x")),
        (toleration(effect="NoSchedule"), toleration("a", effect="NoSchedule")),
        (toleration("a", "Equal", value="x"), toleration("a", "Equal", "NoSchedule", value="x")),
        (FOREVER, MINUTE),
        (MINUTE, MINUTE),
        (MINUTE, {**MINUTE, "tolerationSeconds": 30}),
    ],
)
def test_one_covers_what_is_narrower(wide: JsonObject, narrow: JsonObject) -> None:
    assert covers(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (toleration("a"), toleration("b")),
        (toleration("a"), EVERYTHING),
        (toleration("a", effect="NoSchedule"), toleration("a")),
        (toleration("a", "Equal", value="x"), toleration("a", "Equal", value="y")),
        (toleration("a", "Equal", value="x"), toleration("a")),
        (toleration("a", "Lt", value="5"), toleration("a", "Lt", value="4")),
        (MINUTE, FOREVER),
        (MINUTE, {**MINUTE, "tolerationSeconds": 90}),
    ],
)
def test_one_does_not_cover_what_is_wider_or_other(wide: JsonObject, narrow: JsonObject) -> None:
    assert not covers(wide, narrow)
