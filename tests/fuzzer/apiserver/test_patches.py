import base64
import copy
import time
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.patches import (
    JsonPatchVersion,
    Patch,
    PatchError,
    UndecodablePatch,
    apply_patch,
    decode_patch,
    json_patch_version,
)


def decoded(*operations: object) -> Patch:
    patch = decode_patch(orjson.dumps(list(operations)))
    assert isinstance(patch, Patch)
    return patch


@pytest.mark.parametrize("version", list(JsonPatchVersion))
def test_every_case_ends_as_in_the_api_servers_library(
    json_patch_case: dict[str, Any], version: JsonPatchVersion
) -> None:
    expected = json_patch_case[version]
    patch = decode_patch(json_patch_case["patch"].encode())
    if "undecodable" in expected:
        assert isinstance(patch, UndecodablePatch)
        return
    assert isinstance(patch, Patch)
    try:
        outcome: dict[str, Any] = {
            "result": apply_patch(json_patch_case["document"], patch, json_patch=version)
        }
    except PatchError as error:
        outcome = {"panics" if error.panics else "error": error.message}
    if "panics" in expected:
        assert outcome.keys() == {"panics"} or "doc is missing" in outcome["error"]
        return
    assert outcome == expected
    assert orjson.dumps(outcome, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        expected, option=orjson.OPT_SORT_KEYS
    )


def test_the_library_release_follows_from_the_api_servers_minor() -> None:
    assert json_patch_version(Minor(1, 34)) == "4.12"
    assert json_patch_version(Minor(1, 35)) == "4.13"


def test_what_is_not_touched_is_shared_with_the_input(pod: dict[str, Any]) -> None:
    result: Any = apply_patch(
        pod,
        decoded(
            {"op": "add", "path": "/spec/containers/0/env/-", "value": {"name": "X", "value": "1"}},
            {"op": "add", "path": "/spec/initContainers/0", "value": {"name": "first"}},
        ),
    )
    spec = result["spec"]
    assert result["metadata"] is pod["metadata"]
    assert spec["volumes"] is pod["spec"]["volumes"]
    assert spec["containers"][1] is pod["spec"]["containers"][1]
    assert spec["containers"][0]["ports"] is pod["spec"]["containers"][0]["ports"]
    assert spec["containers"][0]["env"][3] is pod["spec"]["containers"][0]["env"][3]
    assert spec["initContainers"][1] is pod["spec"]["initContainers"][0]


def test_the_values_of_a_patch_are_not_changed_by_later_operations() -> None:
    patch = decoded(
        {"op": "add", "path": "/x", "value": {"list": []}},
        {"op": "add", "path": "/x/list/-", "value": 1},
    )
    assert apply_patch({}, patch) == apply_patch({}, patch) == {"x": {"list": [1]}}
    assert patch.operations[0] == {"op": "add", "path": "/x", "value": {"list": []}}


def test_below_a_null_it_added_the_older_library_panics() -> None:
    patch = decoded(
        {"op": "add", "path": "/a", "value": None}, {"op": "add", "path": "/a/b", "value": 1}
    )
    for version, panics in ((JsonPatchVersion.V4_12, True), (JsonPatchVersion.V4_13, False)):
        with pytest.raises(PatchError) as caught:
            apply_patch({}, patch, json_patch=version)
        assert caught.value.panics is panics


def test_a_failure_says_which_operation_and_where() -> None:
    with pytest.raises(PatchError) as caught:
        apply_patch(
            {"a": 1},
            decoded({"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/b"}),
        )
    assert (caught.value.index, caught.value.path) == (1, "/b")
    assert caught.value.operation == {"op": "remove", "path": "/b"}
    assert str(caught.value) == (
        "error in remove for path: '/b': Unable to remove nonexistent key: b: missing value"
    )


def test_operations_written_by_hand_can_be_applied_without_decoding() -> None:
    assert apply_patch({}, [{"op": "add", "path": "/a", "value": 1.5}]) == {"a": 1.5}


def test_doubling_copies_stop_at_the_servers_limit() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{n}"} for n in range(10_000)]
    started = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(PatchError, match=r"increase of copy is \d+, exceeding the limit 3145728"):
        apply_patch({"a": {"text": "x" * 1000}}, decoded(*doubling))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.perf_counter() - started < 5
    assert peak < 50_000_000


def test_a_path_deeper_than_go_can_decode_is_refused() -> None:
    path = "/a" * 20_000
    with pytest.raises(PatchError, match="exceeded max depth"):
        apply_patch({}, decoded({"op": "add", "path": path, "value": 1}))


def test_building_a_deep_document_step_by_step_does_not_crash() -> None:
    steps: list[dict[str, Any]] = [
        {"op": "add", "path": "/a" * n, "value": {}} for n in range(1, 1500)
    ]
    probe: dict[str, Any] = {"op": "test", "path": "/a", "value": {}}
    with pytest.raises(PatchError):
        apply_patch({}, decoded(*steps, probe))


def test_a_patch_that_nests_deeper_than_can_be_read_is_undecodable() -> None:
    assert isinstance(decode_patch(b"[" * 100_000), UndecodablePatch)
    assert isinstance(decode_patch(b"[" * 9_000 + b"]" * 9_000), UndecodablePatch)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'"x"', b"[NaN]", b"[]]", b"\xef\xbb\xbf[]"])
def test_what_is_no_patch_is_said_to_be_none(data: bytes) -> None:
    undecodable = decode_patch(data)
    assert isinstance(undecodable, UndecodablePatch)
    assert undecodable.detail


def test_bytes_that_are_no_utf8_and_lone_surrogates_are_replaced_as_go_does() -> None:
    patch = decode_patch(b'[{"op":"add","path":"/a","value":"\xff\xfe \\ud800"}]')
    assert isinstance(patch, Patch)
    assert apply_patch({}, patch) == {"a": "\ufffd\ufffd \ufffd"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab&é", max_size=3) | st.just(1.5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab~/0"), inner, max_size=3)
    ),
    max_leaves=12,
)
documents = st.dictionaries(st.sampled_from("abc"), json_values, max_size=4)
pointers = st.lists(
    st.sampled_from(["a", "b", "c", "0", "1", "-", "-1", "~0", "~1", ""]), max_size=3
).map(lambda tokens: "".join(f"/{token}" for token in tokens))
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": pointers},
    optional={"value": json_values, "from": pointers},
)


@given(documents, st.lists(operations, max_size=6))
@settings(max_examples=300, deadline=None)
def test_applying_never_changes_its_inputs_and_is_deterministic(
    document: dict[str, Any], listed: list[dict[str, Any]]
) -> None:
    patch = decoded(*listed)
    before, operations_before = copy.deepcopy(document), copy.deepcopy(patch.operations)
    outcomes: list[Any] = []
    for _ in range(2):
        try:
            outcomes.append(orjson.dumps(apply_patch(document, patch)))
        except PatchError as error:
            outcomes.append((error.index, error.message))
    assert outcomes[0] == outcomes[1]
    assert document == before
    assert patch.operations == operations_before


@given(documents, st.lists(operations, max_size=6))
@settings(max_examples=200, deadline=None)
def test_results_are_plain_json(document: dict[str, Any], listed: list[dict[str, Any]]) -> None:
    try:
        result = apply_patch(document, decoded(*listed))
    except PatchError:
        return
    assert_plain(result)


def assert_plain(value: JsonValue) -> None:
    assert type(value) in {dict, list, str, int, float, bool, type(None)}
    if isinstance(value, dict):
        value = list(value.values())
    for inner in value if isinstance(value, list) else []:
        assert_plain(inner)


@given(st.binary(max_size=60))
def test_no_bytes_crash_decoding(data: bytes) -> None:
    assert isinstance(decode_patch(data), Patch | UndecodablePatch)
    assert isinstance(decode_patch(base64.b64encode(data)), Patch | UndecodablePatch)
