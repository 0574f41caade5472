"""Is what two lists share, and what was made before, told by identity?"""

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.sharing import Remembered, unshared


def test_what_is_not_the_same_object_is_unshared_wherever_it_stands() -> None:
    one: JsonObject = {"name": "one"}
    two: JsonObject = {"name": "two"}
    twin: JsonValue = dict(one)
    assert unshared([one, two], [one, two]) == []
    assert unshared([one, two, twin], [one, two]) == [(2, twin)]
    assert unshared([twin, one, two], [one, two]) == [(0, twin)]
    assert unshared([two, twin], [one, two]) == [(1, twin)]
    assert unshared([one], []) == [(0, one)]
    assert unshared([], [one]) == []


def test_what_was_made_of_an_object_is_given_again_for_that_object_only() -> None:
    made: list[JsonObject] = []

    def make(source: JsonObject) -> int:
        made.append(source)
        return len(made)

    remembered = Remembered(2, make)
    sources: list[JsonObject] = [{}, {}, {}]
    assert [remembered.of(source) for source in (sources[0], sources[1], sources[0])] == [1, 2, 1]
    assert remembered.of(sources[2]) == 3
    assert remembered.of(sources[1]) == 2
    assert remembered.of(sources[0]) == 4  # forgotten: only two are kept
