import copy
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.decoding import Decoded, DecodeError, decode_object
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.encoding import read_json
from webhook_fuzz.fuzzer.apiserver.patches import PatchError, apply_patch
from webhook_fuzz.fuzzer.differences.comparing import compare_pods

SCHEMA = load_catalogue().schema(Minor(1, 37))
# Beyond the message's wording: Go names embedded structs and named string types in it.
_OWN_WORDS = re.compile(r"ProbeHandler\.|v1\.Capability")


def decoded_value(value: object, schema: FieldSchema = SCHEMA) -> dict[str, Any]:
    decoded = decode_object(value, schema)  # type: ignore[arg-type]
    assert isinstance(decoded, Decoded), decoded
    return decoded.value


def test_every_text_decodes_as_it_does_in_go(decoding_case: dict[str, Any]) -> None:
    value = read_json(decoding_case["text"].encode())
    decoded = decode_object(value, SCHEMA)
    if "error" in decoding_case:
        assert isinstance(decoded, DecodeError)
        return
    if decoding_case["pod"].get("kind", "Pod") != "Pod":
        assert isinstance(decoded, DecodeError), "a pod that became something else is refused"
        return
    assert isinstance(decoded, Decoded)
    ours, theirs = default_pod(decoded.value), default_pod(decoding_case["pod"])
    assert compare_pods(without_zeros(theirs), without_zeros(ours), SCHEMA) == ()


def without_zeros(pod: JsonObject) -> JsonObject:
    """Required texts that are empty are written by Go and absent here."""
    without = _without_zeros(pod)
    assert isinstance(without, dict)
    return without


def _without_zeros(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        members = {key: _without_zeros(member) for key, member in value.items()}
        return {key: member for key, member in members.items() if member not in ("", 0)}
    return [_without_zeros(element) for element in value] if isinstance(value, list) else value


def test_messages_are_gos(decoding_case: dict[str, Any]) -> None:
    error = decoding_case.get("error", "")
    if not error.startswith("json: cannot unmarshal") or _OWN_WORDS.search(error) or "3e1" in error:
        return
    decoded = decode_object(read_json(decoding_case["text"].encode()), SCHEMA)
    assert isinstance(decoded, DecodeError)
    assert decoded.message == error


def test_unknown_and_wrong_case_fields_are_dropped_and_named() -> None:
    pod: JsonObject = {
        "Metadata": {},
        "spec": {
            "containers": [
                {"name": "a", "foo": {"x": 1}, "env": [{"name": "e", "Value": "1"}]},
                {"name": "b", "RestartPolicy": "Always"},
            ]
        },
    }
    decoded = decode_object(pod, SCHEMA)
    assert isinstance(decoded, Decoded)
    assert decoded.value == {
        "spec": {"containers": [{"name": "a", "env": [{"name": "e"}]}, {"name": "b"}]}
    }
    assert decoded.dropped == (
        "Metadata",
        "spec.containers[0].foo",
        "spec.containers[0].env[0].Value",
        "spec.containers[1].RestartPolicy",
    )


def test_an_older_api_drops_the_restart_policy_of_a_sidecar(pod: dict[str, Any]) -> None:
    decoded = decode_object(pod, load_catalogue().schema(Minor(1, 27)))
    assert isinstance(decoded, Decoded)
    assert decoded.dropped == ("spec.initContainers[0].restartPolicy",)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("terminationGracePeriodSeconds", 30.0, "int64"),
        ("terminationGracePeriodSeconds", True, "int64"),
        ("priority", 2**31, "int32"),
        ("hostNetwork", "yes", "bool"),
        ("hostNetwork", 1, "bool"),
        ("nodeName", 5, "string"),
        ("containers", {}, "[]v1.Container"),
        ("nodeSelector", [], "map[string]string"),
        ("securityContext", [], "v1.PodSecurityContext"),
        ("overhead", {"cpu": "much"}, "quantity"),
        ("overhead", {"cpu": []}, "quantity"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error_with_its_place(
    path: str, value: object, expected: str
) -> None:
    error = decode_object({"spec": {path: value}}, SCHEMA)  # type: ignore[dict-item]
    assert isinstance(error, DecodeError)
    assert error.path.startswith(f"spec.{path}")
    assert error.expected == expected


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05,6+02:00", "2024-01-02T01:04:05Z"),
        ("2024-02-29T23:59:59-11:30", "2024-03-01T11:29:59Z"),
    ],
)
def test_times_are_served_in_utc_and_whole_seconds(text: str, served: str) -> None:
    value = decoded_value({"metadata": {"creationTimestamp": text}})
    assert value["metadata"]["creationTimestamp"] == served


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2024-01-02", "2023-02-29T00:00:00Z", "2024-01-02T03:04:05"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    error = decode_object({"metadata": {"creationTimestamp": text}}, SCHEMA)
    assert isinstance(error, DecodeError)
    assert error.path == "metadata.creationTimestamp"


def test_a_list_in_place_of_the_pod_is_refused_in_gos_words() -> None:
    error = decode_object([], SCHEMA)
    assert isinstance(error, DecodeError)
    assert error.message.endswith(
        "json: cannot unmarshal array into Go value of type struct { APIVersion string "
        r'"json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
    )


@pytest.mark.parametrize(
    "identity", [{"kind": "Service"}, {"apiVersion": "v2"}, {"apiVersion": "apps/v1"}, {"kind": 5}]
)
def test_a_pod_that_turns_into_something_else_is_refused(identity: dict[str, Any]) -> None:
    assert isinstance(decode_object(identity, SCHEMA), DecodeError)


def test_what_is_fine_is_the_same_object(pod: dict[str, Any]) -> None:
    decoded = decode_object(pod, SCHEMA)
    assert isinstance(decoded, Decoded)
    assert decoded.value is pod


def test_shared_subtrees_are_taken_over_unseen(pod: dict[str, Any]) -> None:
    pod["spec"]["containers"][1]["future"] = {"kept": True}
    pod["spec"]["futureField"] = [1]
    patched: Any = apply_patch(
        pod,
        [
            {
                "op": "add",
                "path": "/spec/containers/0",
                "value": {"name": "new", "image": "i", "bad": 1},
            },
            {"op": "add", "path": "/spec/containers/2/env/-", "value": {"name": "X", "bad": 1}},
        ],
    )
    decoded = decode_object(patched, SCHEMA, reuse=pod)
    assert isinstance(decoded, Decoded)
    assert decoded.dropped == ("spec.containers[0].bad", "spec.containers[2].env[13].bad")
    spec: Any = decoded.value["spec"]
    assert spec["containers"][1] is pod["spec"]["containers"][0]
    assert spec["containers"][2]["future"] is pod["spec"]["containers"][1]["future"]
    assert spec["containers"][2]["ports"] is pod["spec"]["containers"][1]["ports"]
    assert spec["futureField"] is pod["spec"]["futureField"]
    assert spec["volumes"] is pod["spec"]["volumes"]


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    # Deeper than any recursion of ours, and inside a known field.
    value: Any = {}
    for _ in range(3000):
        value = {"labels": value}
    assert isinstance(decode_object({"metadata": value}, SCHEMA), DecodeError)
    assert isinstance(decode_object({"unknown": value}, SCHEMA), Decoded)


paths = st.sampled_from(
    [
        "/metadata/labels/x",
        "/metadata/annotations",
        "/spec/containers/0",
        "/spec/containers/-",
        "/spec/containers/1/env/2/value",
        "/spec/containers/1/resources/limits/cpu",
        "/spec/initContainers/0/restartPolicy",
        "/spec/initContainers/1",
        "/spec/volumes/0/configMap/defaultMode",
        "/spec/hostNetwork",
        "/spec/priority",
        "/spec/unknown",
        "/spec/tolerations/0/tolerationSeconds",
    ]
)
values: st.SearchStrategy[Any] = st.sampled_from(
    [
        "x",
        "1024Mi",
        5,
        5.0,
        True,
        None,
        [],
        {},
        {"name": "n", "image": "i", "Env": []},
        [None],
        ["a"],
    ]
)
patches: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "replace", "remove"]), "path": paths, "value": values}
    ),
    max_size=4,
)


@given(patches)
@settings(max_examples=200, deadline=None)
def test_decoding_with_reuse_gives_what_decoding_without_gives(patch: list[dict[str, Any]]) -> None:
    pod = POD
    try:
        patched: Any = apply_patch(pod, patch)
    except PatchError:
        return
    before = copy.deepcopy(patched)
    with_reuse = decode_object(patched, SCHEMA, reuse=pod)
    assert with_reuse == decode_object(patched, SCHEMA)
    assert patched == before


POD: dict[str, Any] = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"labels": {"a": "b"}},
    "spec": {
        "containers": [
            {
                "name": name,
                "image": "i",
                "env": [{"name": f"E{n}", "value": "v"} for n in range(4)],
                "resources": {"limits": {"cpu": "1"}},
            }
            for name in ("a", "b")
        ],
        "initContainers": [{"name": "i", "restartPolicy": "Always"}, {"name": "j"}],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
        "tolerations": [{"key": "k"}],
    },
}
