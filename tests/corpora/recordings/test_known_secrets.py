from collections.abc import Iterable

import orjson
import pytest

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.recordings.known_secrets import (
    KnownSecrets,
    Replacing,
    is_learned,
    runs_of,
)

SECRET = 'hunter2 "of"/the+day'
OTHER = "s3cr3t-0f-an0ther"


def found_in(text: str, *, own: Iterable[str] = (), earlier: Iterable[str] = ()) -> set[str]:
    secrets = KnownSecrets()
    secrets.learn(earlier)
    written = orjson.dumps([text])
    found = secrets.find(secrets.learn(own), runs_of(written), lambda: written)
    return {known.value for known in found}


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        "aHVudGVyMiAib2YiL3RoZStkYXk=",
        "hunter2%20%22of%22/the%2Bday",
        "hunter2%20%22of%22%2Fthe%2Bday",
        'hunter2 \\"of\\"/the+day',
    ],
)
def test_every_spelling_is_found_whoever_learned_it(spelled: str) -> None:
    for text in (spelled, f"the value:\n{spelled}\tis wrong", f"({spelled})"):
        assert found_in(text, own=[SECRET]) == {SECRET}
        assert found_in(text, earlier=[SECRET, OTHER]) == {SECRET}
    assert found_in(f"x{spelled}y", own=[SECRET, OTHER]) == {SECRET}


@pytest.mark.parametrize("value", ["§§§§ §§§§ §§§§ §§§§", "a-b-c-d-e-f-g-h-1", "пароль-пароль-1"])
def test_values_without_a_long_run_are_found_too(value: str) -> None:
    assert found_in(f"it is {value}.", own=[value]) == {value}
    assert found_in(f"it is {value}.", earlier=[value]) == {value}


def test_what_is_only_like_a_known_value_is_not_found() -> None:
    assert found_in("https://b.cluster.local", earlier=["https://a.cluster.local"]) == set()
    assert found_in("https://b.cluster.local", own=["https://a.cluster.local"]) == set()


def test_the_oldest_values_are_forgotten() -> None:
    secrets = KnownSecrets()
    for number in range(10_000):
        secrets.learn([f"secret-of-a-cluster-{number:05d}"])
    for number, is_known in ((0, False), (9_999, True)):
        written = orjson.dumps(f"secret-of-a-cluster-{number:05d}")
        assert bool(secrets.find((), runs_of(written), lambda text=written: text)) is is_known  # type: ignore[misc]


def test_what_nothing_is_replaced_in_is_the_same_object() -> None:
    secrets = KnownSecrets()
    replacing = Replacing(secrets.learn([OTHER]), lambda _: "token")
    value: JsonObject = {"a": ["b", {"c": 1}], "op": "add", "path": f"/{OTHER}"}
    assert replacing.value(value) is value
    assert replacing.value({**value, "d": [f"<{OTHER}>"]}) == {**value, "d": ["<token>"]}


@pytest.mark.parametrize(
    ("value", "is_known"), [("short1", False), ("production", False), ("us-east-1", True)]
)
def test_short_words_are_not_looked_for(value: str, is_known: bool) -> None:  # noqa: FBT001
    assert is_learned(value) is is_known
