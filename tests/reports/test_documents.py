from typing import Any

import pytest
import yaml
from result_parts import evidence

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.reports.documents import (
    MOST_LINES,
    compare_values,
    render_operation,
    render_value,
    render_yaml,
    without_depths,
)


def lines(before: JsonValue = None, after: JsonValue = None) -> list[str]:
    return [f"{line.mark} {line.text}" for line in compare_values(evidence("", before, after))]


def test_a_lost_value_is_shown_against_nothing() -> None:
    assert lines("Always") == ['- "Always"', "+ (absent)"]
    assert compare_values(evidence("", "Always"))[1].absent


def test_an_added_value_is_shown_against_nothing() -> None:
    assert lines(after={}) == ["- (absent)", "+ {}"]


def test_two_values_are_shown_with_what_they_share() -> None:
    before: JsonValue = {
        "image": {"reference": "registry.example.com/models/one:1"},
        "name": "models" * 9,
    }
    after: JsonValue = {"emptyDir": {}, "name": "models" * 9}
    shown = lines(before, after)
    assert '-   "image": {' in shown
    assert '+   "emptyDir": {},' in shown
    assert f'    "name": "{"models" * 9}"' in shown


def test_nothing_on_either_side_shows_nothing() -> None:
    assert lines() == []


def test_values_too_long_to_compare_are_shown_whole_and_cut() -> None:
    shown = lines([*range(1000)], [*range(1001)])
    assert len(shown) == 2 * (MOST_LINES + 1)
    assert shown[-1].endswith("more lines are in run.json")


@pytest.mark.parametrize(
    "text", ["yes", "1e3", "a: b\n- c", "\x1b[0m\x00", "\ud800", "é\u202e", ""]
)
def test_yaml_reads_back_as_the_same_and_is_ascii(text: str) -> None:
    written = render_yaml({text: [text]})
    assert written.isascii()
    if text != "\ud800":  # PyYAML's reader refuses surrogates, escaped or not
        assert yaml.safe_load(written) == {text: [text]}


def test_yaml_has_no_anchors() -> None:
    shared: JsonValue = {"a": ["b"]}
    assert "&" not in render_yaml({"one": shared, "two": shared})


def test_an_operation_says_first_what_it_does_and_where() -> None:
    assert render_operation({"value": 1, "path": "/a", "op": "add"}).startswith('{"op": "add", "pa')
    assert len(render_operation({"value": "x" * 100_000})) == 2_000


def test_depth_is_cut_and_shallow_values_are_returned_as_they_are() -> None:
    value: Any = {"a": [{"b": 1}]}
    assert without_depths(value) is value
    assert without_depths(value, 2) == {"a": ["… (nested too deeply to show)"]}
    deep: Any = 0
    for _ in range(100_000):
        deep = [deep]
    assert "(nested" in render_yaml(deep)
    assert "nested too deeply" in render_value(deep)


def test_a_number_beyond_any_float_is_replaced_by_a_note() -> None:
    value: JsonValue = {"a": [float("inf"), 1.5], "b": float("-inf")}
    note = "… (too large a number to show)"
    assert without_depths(value) == {"a": [note, 1.5], "b": note}
