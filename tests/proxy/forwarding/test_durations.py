import pytest

from webhook_fuzz.proxy.forwarding.durations import parse_duration, timeout_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("1h0.5s", 3600.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("+2s", 2.0),
        ("100us", 0.0001),
        ("100\u00b5s", 0.0001),
        ("250000ns", 0.00025),
        ("999999999h", 3600.0),
    ],
)
def test_a_go_duration_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0s", "-1s", "10", "s", "1x", "1s2", "1e3s", "\u0663s", "."])
def test_what_is_no_positive_duration_is_none(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("target", "seconds"),
    [
        ("/mutate?timeout=7s", 7.0),
        ("/mutate?a=b&timeout=1m0s&c", 60.0),
        ("/mutate?timeout=1%6ds", 0.001),
        ("/mutate?x-timeout=7s", None),
        ("/timeout=7s", None),
        ("/mutate?timeout=soon", None),
        ("/mutate", None),
    ],
)
def test_the_timeout_is_in_the_query(target: str, seconds: float | None) -> None:
    assert timeout_of(target) == seconds
