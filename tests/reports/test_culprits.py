from typing import Any

import pytest
from result_parts import SIDECAR, lost, pod_with
from samples import bad_run

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.reports.culprits import mark_operations, most_telling

POD = "/spec/initContainers"


def marks(*operations: JsonObject, field: str = SIDECAR) -> list[bool]:
    made = lost("WF101", "w", SIDECAR)
    assert made["reproducer"] is not None
    made["field"] = field
    made["reproducer"]["patch"] = list(operations)
    return [shown["culprit"] for shown in mark_operations(made)]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": f"{POD}/0/restartPolicy"},
        {"op": "replace", "path": f"{POD}/0", "value": {}},
        {"op": "remove", "path": f"{POD}/0"},
        {"op": "add", "path": POD, "value": []},
        {"op": "add", "path": "/spec", "value": {}},
        {"op": "replace", "path": "", "value": {}},
        {"op": "move", "from": f"{POD}/0", "path": f"{POD}/-"},
    ],
)
def test_operations_at_or_above_the_field_are_marked(operation: JsonObject) -> None:
    assert marks(operation) == [True]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": f"{POD}/0", "value": {}},
        {"op": "add", "path": f"{POD}/-", "value": {}},
        {"op": "replace", "path": f"{POD}/0/image", "value": ""},
        {"op": "replace", "path": "/spec/containers", "value": []},
        {"op": "test", "path": "/spec/containers"},
        {"op": "add", "path": "spec/initContainers"},
        {"op": "add"},
        {"path": 3},
        {},
    ],
)
def test_operations_elsewhere_and_insertions_are_not(operation: JsonObject) -> None:
    assert marks(operation) == [False]


def test_maps_are_followed_through_keys_with_dots_and_slashes() -> None:
    made = lost("WF101", "w", SIDECAR)
    assert made["reproducer"] is not None
    pod: Any = pod_with(SIDECAR, "Always")
    pod["metadata"]["annotations"] = {"a.b/c": "x"}
    made.update({"field": "metadata.annotations{}"})
    made["reproducer"].update(
        {"pod": pod, "patch": [{"op": "remove", "path": "/metadata/annotations/a.b~1c"}]}
    )
    assert [shown["culprit"] for shown in mark_operations(made)] == [True]


def test_a_field_the_pod_does_not_have_marks_nothing() -> None:
    assert marks({"op": "remove", "path": "/spec"}, field="spec.volumes[].image") == [False]


def test_a_keyed_path_serves_where_no_field_is_named() -> None:
    replaced = next(f for f in bad_run()["findings"] if f["code"] == "WF202")
    assert [shown["culprit"] for shown in mark_operations(replaced)] == [True]


def test_no_reproducer_has_no_operations() -> None:
    assert mark_operations(bad_run()["findings"][0]) == ()


def test_the_marked_operations_are_the_last_to_be_left_out() -> None:
    made = lost("WF101", "w", SIDECAR)
    assert made["reproducer"] is not None
    harmless: JsonObject = {"op": "add", "path": "/metadata/labels", "value": {}}
    guilty: JsonObject = {"op": "remove", "path": f"{POD}/0"}
    made["reproducer"]["patch"] = [harmless] * 5 + [guilty]
    chosen = most_telling(mark_operations(made), 2)
    assert [each["culprit"] for each in chosen] == [False, True]
