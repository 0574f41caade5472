from typing import Any

import orjson
import pytest

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.patches import Patch, decode_patch
from webhook_fuzz.fuzzer.apiserver.rfc6902 import Applied, Refused, disagreement


def patch_of(*operations: object) -> Patch:
    patch = decode_patch(orjson.dumps(list(operations)))
    assert isinstance(patch, Patch)
    return patch


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/b", "value": 1},
        {"op": "replace", "path": "/a", "value": 1},
        {"op": "remove", "path": "/a"},
        {"op": "remove", "path": "/missing"},
        {"op": "add", "path": "/l/-", "value": 1},
    ],
)
def test_ordinary_patches_mean_the_same_to_both(operation: dict[str, Any]) -> None:
    assert disagreement({"a": 1, "l": [1]}, patch_of(operation)) is None


def test_a_replace_of_a_missing_key_works_on_the_api_server_only() -> None:
    found = disagreement({}, patch_of({"op": "replace", "path": "/a", "value": 1}))
    assert found is not None
    assert found.api_server == Applied(value={"a": 1})
    assert isinstance(found.rfc6902, Refused)
    assert found.rfc6902.message


def test_a_test_of_an_ampersand_works_by_the_rfc_only() -> None:
    found = disagreement({"a": "x&y"}, patch_of({"op": "test", "path": "/a", "value": "x&y"}))
    assert found is not None
    assert found.api_server == Refused(message="testing value /a failed: test failed")
    assert found.rfc6902 == Applied(value={"a": "x&y"})


def test_true_is_not_taken_for_one() -> None:
    document: JsonObject = {"a": [True, {"b": 1}]}
    assert disagreement(document, patch_of()) is None
    found = disagreement({}, patch_of({"op": "copy", "from": "/x", "path": "/y"}))
    assert found is not None
    assert found.api_server == Applied(value={"y": None})


@pytest.mark.parametrize(
    "operation",
    [
        None,
        {"op": ["add"]},
        {"op": "add", "path": 5},
        {"op": "add", "path": "/a/b"},
        {"op": "move"},
    ],
)
def test_malformed_operations_are_refusals_for_both(operation: object) -> None:
    assert disagreement({"a": 1}, patch_of(operation)) is None


def test_neither_the_document_nor_the_patch_is_changed() -> None:
    document: JsonObject = {"a": {"b": []}}
    patch = patch_of(
        {"op": "add", "path": "/c", "value": {"d": []}}, {"op": "add", "path": "/c/d/-", "value": 1}
    )
    assert disagreement(document, patch) is None
    assert document == {"a": {"b": []}}
    assert patch.operations[0] == {"op": "add", "path": "/c", "value": {"d": []}}
