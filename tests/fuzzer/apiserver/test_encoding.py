import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.fuzzer.apiserver.encoding import (
    NotJsonError,
    encode_float,
    encode_json,
    encode_scalar,
    read_json,
)


def test_html_characters_and_line_separators_are_escaped_everything_else_is_not() -> None:
    assert encode_json({"a<": "<>&\u2028\u2029é/\x7f"}) == (
        b'{"a\\u003c":"\\u003c\\u003e\\u0026\\u2028\\u2029\xc3\xa9/\x7f"}'
    )


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (1.0, "1"),
        (-0.0, "-0"),
        (1.5, "1.5"),
        (0.1, "0.1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e25, "1.25e+25"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (-1.5e-9, "-1.5e-9"),
        (123456789.125, "123456789.125"),
        (math.inf, "null"),
    ],
)
def test_floats_are_spelled_as_go_spells_them(value: float, spelled: str) -> None:
    assert encode_float(value) == spelled


def test_scalars_have_gos_spelling() -> None:
    assert [encode_scalar(value) for value in (None, True, 5, "a&b")] == [
        "null",
        "true",
        "5",
        '"a\\u0026b"',
    ]


def test_deep_and_huge_values_are_written_too() -> None:
    deep: Any = 2**70
    for _ in range(300):
        deep = [deep, 1.0]
    assert encode_json(deep).startswith(b"[" * 300 + b"1180591620717411303424,1]")


def test_lone_surrogates_are_written_as_replacement_characters() -> None:
    assert encode_json("\ud800") == b'"\xef\xbf\xbd"'


def test_integers_beyond_64_bits_become_floats() -> None:
    assert read_json(b"[18446744073709551615, 18446744073709551616]") == [2**64 - 1, 2.0**64]
    assert read_json(b'["\\ud800", 18446744073709551616]') == ["\ufffd", 2.0**64]


@pytest.mark.parametrize(
    "text", [b"", b"nan", b"[NaN]", b"[-Infinity]", b"01", b"{'a':1}", b"[" * 5000, b'"\x01"']
)
def test_what_go_refuses_is_refused(text: bytes) -> None:
    with pytest.raises(NotJsonError):
        read_json(text)


def test_duplicate_members_and_large_exponents_are_read() -> None:
    assert read_json(b'{"a":1,"a":2}') == {"a": 2}
    assert read_json(b"1e400") == math.inf


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_spelled_float_reads_back_the_same(value: float) -> None:
    assert float(encode_float(value)) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(), st.lists, max_leaves=8
    )
)
def test_what_is_written_reads_back_the_same(value: JsonValue) -> None:
    assert json.loads(encode_json(value)) == read_json(encode_json(value)) == value
