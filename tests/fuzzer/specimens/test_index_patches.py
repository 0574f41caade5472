from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.fuzzer.apiserver.patches import apply_patch
from webhook_fuzz.fuzzer.specimens.index_patches import diff, join

# Without null: a member that is null and one that is absent are the same to Go's diff.
SCALARS = st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "~1", "a/b"])
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["a", "b/c", "~"]), below)
    ),
    max_leaves=12,
)


@given(original=VALUES, changed=VALUES)
@settings(max_examples=150)
def test_the_patch_turns_the_one_document_into_the_other(
    original: JsonValue, changed: JsonValue
) -> None:
    assert apply_patch({"doc": original}, diff(original, changed, "/doc")) == {"doc": changed}


def test_equal_documents_need_no_patch() -> None:
    assert diff({"a": [1, None, True]}, {"a": [1, None, True]}) == []


def test_a_boolean_is_not_a_number() -> None:
    assert diff({"a": True}, {"a": 1}) == [{"op": "replace", "path": "/a", "value": 1}]


def test_a_prepended_element_shows_as_replaced_members_and_an_added_tail() -> None:
    assert diff([{"name": "a", "only": 1}], [{"name": "x"}, {"name": "a", "only": 1}], "/l") == [
        {"op": "add", "path": "/l/1", "value": {"name": "a", "only": 1}},
        {"op": "replace", "path": "/l/0/name", "value": "x"},
        {"op": "remove", "path": "/l/0/only"},
    ]


def test_a_removed_element_shows_as_a_removed_tail() -> None:
    assert diff([1, 2, 3], [2, 3], "/l") == [
        {"op": "remove", "path": "/l/2"},
        {"op": "replace", "path": "/l/0", "value": 2},
        {"op": "replace", "path": "/l/1", "value": 3},
    ]


def test_reference_tokens_are_escaped_in_the_right_order() -> None:
    assert join("/metadata", "a~/b", 0) == "/metadata/a~0~1b/0"
