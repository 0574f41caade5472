import json

from observed import NEWEST, container, pod
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.pods import value_at
from webhook_fuzz.fuzzer.chains.audit_trails import AuditTrail, read_audit_trail, replay

SCHEMA = load_catalogue().schema(NEWEST)
MUTATION = "mutation.webhook.admission.k8s.io/"
PATCH = "patch.webhook.admission.k8s.io/"
SIDECAR = container("logs", restartPolicy="Always")
POD = pod(initContainers=[SIDECAR])


def note(turn: str, name: str, *, mutated: bool) -> JsonObject:
    said = json.dumps({"configuration": "chain", "webhook": name, "mutated": mutated})
    return {MUTATION + turn: said}


def patch(turn: str, name: str, *operations: JsonObject) -> JsonObject:
    document = {
        "configuration": "chain",
        "webhook": name,
        "patch": [*operations],
        "patchType": "JSONPatch",
    }
    return {**note(turn, name, mutated=True), PATCH + turn: json.dumps(document)}


def event(*annotations: JsonObject, pod: JsonObject | None = None) -> JsonObject:
    merged: JsonObject = {}
    for each in annotations:
        merged |= each
    found: JsonObject = {"kind": "Event", "annotations": merged}
    return {**found, "requestObject": pod} if pod else found


def test_the_calls_are_in_the_order_in_which_they_were_made() -> None:
    trail = read_audit_trail(
        event(
            note("round_1_index_0", "a", mutated=False),
            note("round_0_index_10", "z", mutated=True),
            note("round_0_index_2", "b", mutated=False),
            note("round_0_index_0", "a", mutated=False),
            {"failed-open.mutation.webhook.admission.k8s.io/round_0_index_2": "b"},
        )
    )
    assert [(call.round, call.index, call.webhook) for call in trail.calls] == [
        (0, 0, "a"),
        (0, 2, "b"),
        (0, 10, "z"),
        (1, 0, "a"),
    ]
    assert [call.failed_open for call in trail.calls] == [False, True, False, False]
    assert trail.calls[0].identity == "chain/a"
    assert not trail.has_patches, "z changed the pod and nobody says how"


def test_the_pod_is_followed_by_the_patches() -> None:
    remove: JsonObject = {"op": "remove", "path": "/spec/initContainers/0/restartPolicy"}
    inject: JsonObject = {
        "op": "add",
        "path": "/spec/containers/-",
        "value": {"name": "agent", "image": "agent:1"},
    }
    trail = read_audit_trail(
        event(
            patch("round_0_index_0", "inject", inject),
            note("round_0_index_1", "idle", mutated=False),
            patch("round_0_index_2", "lossy", remove),
            pod=POD,
        )
    )
    assert trail.has_patches
    assert trail.start is not None
    steps = list(replay(trail, trail.start, schema=SCHEMA, api_server=NEWEST))
    path = "spec.initContainers[name=logs].restartPolicy"
    assert [value_at(step.after, path) == "Always" for step in steps] == [True, True, False]
    assert value_at(steps[0].after, "spec.containers[name=agent].imagePullPolicy") == "IfNotPresent"
    assert steps[1].before is steps[1].after


def test_operations_on_what_plugins_added_are_left_out() -> None:
    trail = read_audit_trail(
        event(
            patch(
                "round_0_index_0",
                "a",
                {"op": "remove", "path": "/spec/volumes/0/projected"},
                {"op": "add", "path": "/metadata/labels", "value": {"x": "y"}},
            )
        )
    )
    [step] = replay(trail, POD, schema=SCHEMA, api_server=NEWEST)
    assert value_at(step.after, "metadata.labels{x}") == "y"


def test_a_patch_that_does_not_decode_leaves_the_pod_as_it_was() -> None:
    trail = read_audit_trail(
        event(
            patch("round_0_index_0", "a", {"op": "replace", "path": "/spec/containers", "value": 1})
        )
    )
    [step] = replay(trail, POD, schema=SCHEMA, api_server=NEWEST)
    assert step.before is step.after


def test_an_event_without_annotations_has_no_trail() -> None:
    assert read_audit_trail({"kind": "Event"}) == AuditTrail(calls=())


def test_annotations_that_make_no_sense_are_left_out() -> None:
    odd: JsonObject = {
        MUTATION + "round_x_index_0": "{}",
        MUTATION + "round_0_index_1": "no JSON",
        MUTATION + "round_0_index_2": "[]",
        MUTATION + "round_0_index_3": 7,
    }
    assert read_audit_trail(event(odd)).calls == ()
