import pytest

from webhook_fuzz.reports.texts import (
    clipped,
    counted,
    duration,
    minor_order,
    short_path,
    visible,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ✓ text é 漢", "plain ✓ text é 漢"),
        ("\x1b[31mred", "\u241b[31mred"),
        ("a\x00b\x7fc", "a\u2400b\u2421c"),
        ("a\nb\tc", "a\u240ab\u2409c"),
        ("a\u202eb\u2066c\u200bd", "a\ufffdb\ufffdc\ufffdd"),
        ("a\u2028b\x85c", "a\ufffdb\ufffdc"),
        ("a\ud800b", "a\ufffdb"),
    ],
)
def test_what_does_not_print_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_line_feeds_and_tabs_may_stay() -> None:
    assert visible("a\nb\tc\rd", lines=True) == "a\nb\tc\u240dd"


def test_minors_sort_as_numbers_and_other_texts_last() -> None:
    minors = ["1.30", "x", "1.9", "1.29"]
    assert sorted(minors, key=minor_order) == ["1.9", "1.29", "1.30", "x"]
    assert minor_order(None) == minor_order("")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.4, "59.4 s"),
        (59.7, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations_are_said_in_units_people_compare(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_words_for_numbers_and_paths() -> None:
    assert counted(1, "field") == "1 field"
    assert counted(1204, "reply", "replies") == "1,204 replies"
    assert clipped("abcdef", 4) == "abc…"
    assert clipped("abcd", 4) == "abcd"
    assert short_path("spec.os") == "os"
