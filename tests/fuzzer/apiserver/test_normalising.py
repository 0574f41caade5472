import copy
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.normalising import normalise_changes, normalise_pod
from webhook_fuzz.fuzzer.apiserver.patches import PatchError, apply_patch


def test_a_pod_in_normal_form_is_the_same_object() -> None:
    pod = normalise_pod({"spec": {"containers": [{"name": "c", "image": "i", "resources": {}}]}})
    assert normalise_pod(pod) is pod


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/metadata/creationTimestamp", "value": None},
        {"op": "remove", "path": "/status"},
        {"op": "add", "path": "/spec/containers/0/env/0/value", "value": None},
        {"op": "add", "path": "/spec/nodeSelector", "value": {}},
        {"op": "add", "path": "/spec/hostNetwork", "value": False},
        {"op": "add", "path": "/spec/imagePullSecrets", "value": []},
        {"op": "add", "path": "/spec/containers/0/volumeMounts/0/subPath", "value": ""},
        {
            "op": "replace",
            "path": "/spec/containers/0/resources/limits/memory",
            "value": "524288Ki",
        },
        {"op": "replace", "path": "/spec/containers/0/resources/limits/cpu", "value": 0.5},
        {"op": "replace", "path": "/spec/volumes/1/emptyDir/sizeLimit", "value": "1024Mi"},
        {"op": "remove", "path": "/spec/containers/0/terminationMessagePath"},
        {"op": "remove", "path": "/spec/dnsPolicy"},
        {"op": "remove", "path": "/kind"},
    ],
)
def test_what_means_nothing_makes_no_difference(
    pod: dict[str, Any], operation: dict[str, Any]
) -> None:
    patched: Any = apply_patch(pod, [operation])
    assert patched != pod or operation["path"].endswith("value")
    assert normalise_pod(patched) == normalise_pod(pod)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/metadata/labels/app", "value": ""},
        {"op": "replace", "path": "/spec/volumes/1/emptyDir", "value": {}},
        {"op": "replace", "path": "/spec/volumes/1", "value": {"name": "scratch"}},
        {"op": "remove", "path": "/spec/initContainers/0/restartPolicy"},
        {"op": "replace", "path": "/spec/containers/0/resources/limits/cpu", "value": "501m"},
        {"op": "replace", "path": "/spec/terminationGracePeriodSeconds", "value": 0},
        {"op": "add", "path": "/spec/hostNetwork", "value": True},
        {"op": "replace", "path": "/spec/enableServiceLinks", "value": False},
    ],
)
def test_what_means_something_makes_a_difference(
    pod: dict[str, Any], operation: dict[str, Any]
) -> None:
    patched: Any = apply_patch(pod, [operation])
    assert normalise_pod(patched) != normalise_pod(pod)


def test_empty_resources_vanish_and_empty_directories_stay() -> None:
    pod: Any = normalise_pod(
        {
            "spec": {
                "containers": [{"name": "c", "resources": {"limits": {}, "requests": None}}],
                "volumes": [{"name": "v", "emptyDir": {}}],
            }
        }
    )
    assert "resources" not in pod["spec"]["containers"][0]
    assert pod["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_only_what_differs_is_worked_on(pod: dict[str, Any]) -> None:
    patched: Any = apply_patch(
        pod,
        [
            {"op": "add", "path": "/spec/containers/0", "value": {"name": "new", "resources": {}}},
            {"op": "add", "path": "/spec/containers/1/tty", "value": False},
        ],
    )
    before: Any
    after: Any
    before, after = normalise_changes(pod, patched)
    assert after["metadata"] is before["metadata"] is pod["metadata"]
    assert after["spec"]["volumes"] is pod["spec"]["volumes"]
    assert after["spec"]["containers"][2] is pod["spec"]["containers"][1]
    assert after["spec"]["containers"][0] == {"name": "new"}
    assert after["spec"]["containers"][1] == before["spec"]["containers"][0]
    assert after["spec"]["containers"][1]["env"] is pod["spec"]["containers"][0]["env"]


paths = st.sampled_from(
    [
        "/metadata",
        "/metadata/labels",
        "/spec/containers/-",
        "/spec/containers/0",
        "/spec/containers/0/env",
        "/spec/containers/0/env/0/value",
        "/spec/containers/1/resources",
        "/spec/containers/1/resources/limits/cpu",
        "/spec/volumes",
        "/status",
    ]
)
values = st.sampled_from(
    [
        None,
        {},
        [],
        "",
        "x",
        0,
        False,
        {"name": "a"},
        {"limits": {"cpu": 1}},
        [{"name": "a"}],
    ]
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "remove", "replace"]), "path": paths, "value": values}
        ),
        max_size=4,
    )
)
@settings(max_examples=300, deadline=None)
def test_comparing_changes_says_the_same_as_comparing_whole_pods(
    patch: list[dict[str, Any]],
) -> None:
    pod = POD
    try:
        patched: Any = default_pod(cast("JsonObject", apply_patch(pod, patch)))
    except PatchError:
        return
    snapshot = copy.deepcopy((pod, patched))
    before, after = normalise_changes(pod, patched)
    assert (pod, patched) == snapshot
    assert (normalise_pod(before) == normalise_pod(after)) == (before == after)
    assert normalise_pod(before) == normalise_pod(pod)
    assert normalise_pod(after) == normalise_pod(patched)


POD: Any = normalise_pod(
    orjson.loads(
        b"""{"metadata": {"labels": {"a": "b"}}, "spec": {
        "volumes": [{"name": "v"}], "containers": [
        {"name": "a", "env": [{"name": "e", "value": "1"}]},
        {"name": "b", "resources": {"limits": {"cpu": "1"}}}]}}"""
    )
)
