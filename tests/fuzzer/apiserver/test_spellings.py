from hypothesis import given
from hypothesis import strategies as st

from webhook_fuzz.fuzzer.apiserver.encoding import encode_json
from webhook_fuzz.fuzzer.apiserver.spellings import (
    SpelledFloat,
    SpelledInteger,
    SpelledText,
    may_be_unusual,
    read_spelled,
    respelled,
    spelling_of,
    unspelled,
)


def test_only_unusual_scalars_are_marked() -> None:
    value = read_spelled(' { "a" : [ 1 , 1.0, -0, "x&y", "é", true, null, {} , [ ] ] } ')
    assert value == {"a": [1, 1.0, 0, "x&y", "é", True, None, {}, []]}
    assert isinstance(value, dict)
    elements = value["a"]
    assert isinstance(elements, list)
    assert [type(element) for element in elements[:5]] == [
        int,
        SpelledFloat,
        SpelledInteger,
        SpelledText,
        str,
    ]
    assert [spelling_of(element) for element in elements[:5]] == ["1", "1.0", "-0", '"x&y"', '"é"']


def test_marshalling_once_more_escapes_html() -> None:
    spelled = read_spelled('"x&y"')
    assert type(respelled(spelled)) is str
    assert spelling_of(respelled(read_spelled('"\\u0041&"'))) == '"\\u0041\\u0026"'
    assert type(unspelled(spelled)) is str


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists, max_leaves=6
    )
)
def test_what_is_not_unusual_is_spelled_as_go_spells_it(value: object) -> None:
    text = encode_json(value)  # type: ignore[arg-type]
    assert read_spelled(text.decode()) == value
    if not may_be_unusual(text):
        assert all(
            type(x) in {str, int, bool, type(None), list} for x in [read_spelled(text.decode())]
        )
