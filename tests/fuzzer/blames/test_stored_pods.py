import json

import pytest

from blamed import SCHEMA, build_pod, container
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.blames.actors import USER, ActorKind, Stage
from webhook_fuzz.fuzzer.blames.origins import LAST_APPLIED
from webhook_fuzz.fuzzer.blames.stored_pods import (
    controller_of,
    missing_since_creation,
    origin_of,
    stored_stage,
    with_names_of,
)
from webhook_fuzz.fuzzer.blames.trees import Node, blame, walk

CREATED = "2026-01-01T00:00:00Z"
LATER = "2026-01-02T00:00:00Z"


def owner(kind: str, **spec: JsonValue) -> JsonObject:
    version = "batch/v1" if kind == "Job" else "apps/v1"
    template: JsonObject = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [container("app")], **spec},
    }
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": template, "serviceName": "web"},
    }


def stored(spec: JsonObject | None = None, **metadata: JsonValue) -> JsonObject:
    owners: list[JsonValue] = [
        {"kind": "Node", "name": "n"},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": True},
    ]
    return build_pod(
        {"containers": [container("app")], **(spec or {})},
        name="web-x",
        generateName="web-",
        namespace="shop",
        ownerReferences=owners,
        creationTimestamp=CREATED,
        **metadata,
    )


def managed(manager: str, time: str, fields: JsonObject, **others: JsonValue) -> JsonObject:
    return {
        "manager": manager,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **others,
    }


def metadata_of(pod: JsonObject) -> JsonObject:
    found = pod["metadata"]
    assert isinstance(found, dict)
    return found


def spec_of(pod: JsonObject) -> JsonObject:
    found = pod["spec"]
    assert isinstance(found, dict)
    return found


def test_the_controller_is_the_owner_that_says_it_controls() -> None:
    assert controller_of(stored()) == ("apps/v1", "ReplicaSet", "web")
    assert controller_of(build_pod({})) is None


def test_a_pod_with_an_owner_was_made_of_the_owner_s_template() -> None:
    pod = stored(labels={"app": "web", "injected": "yes"})
    origin = origin_of(pod, owner("ReplicaSet"), SCHEMA)
    assert metadata_of(origin.given) == {"labels": {"app": "web"}}
    assert origin.made is not None
    assert metadata_of(origin.pod)["labels"] == {"app": "web"}
    assert metadata_of(origin.pod)["generateName"] == "web-"
    assert "name" not in metadata_of(origin.pod)
    assert metadata_of(origin.pod)["ownerReferences"] == metadata_of(pod)["ownerReferences"]
    assert origin.controller == "ReplicaSet controller"


def test_a_replica_of_a_stateful_set_keeps_its_own_name_and_claims() -> None:
    workload = owner("StatefulSet")
    spec_of(workload)["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    claim: JsonObject = {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-3"}}
    pod = stored({"hostname": "web-3", "subdomain": "web", "volumes": [claim]}, labels={})
    origin = origin_of(pod, workload, SCHEMA)
    assert spec_of(origin.pod)["hostname"] == "web-3"
    assert spec_of(origin.pod)["volumes"] == [claim]


def test_a_pod_of_a_daemon_set_keeps_the_affinity_to_its_node() -> None:
    affinity: JsonObject = {"nodeAffinity": {"x": 1}}
    origin = origin_of(stored({"affinity": affinity}), owner("DaemonSet"), SCHEMA)
    assert spec_of(origin.pod)["affinity"] == affinity


def test_a_bare_pod_is_what_kubectl_apply_was_given() -> None:
    applied = build_pod({"containers": [container("app")]}, name="web", uid="u")
    pod = build_pod({}, name="web", annotations={LAST_APPLIED: json.dumps(applied)})
    origin = origin_of(pod, None, SCHEMA)
    assert origin.given == applied
    assert metadata_of(origin.pod) == {"generateName": "web-"}
    assert "last-applied" in origin.known_by


def test_a_bare_pod_without_that_is_what_its_creator_manages() -> None:
    fields: JsonObject = {
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:containers": {'k:{"name":"app"}': {"f:name": {}, "f:image": {}}}},
    }
    pod = build_pod(
        {"containers": [container("app", tty=True), container("mesh")]},
        name="web",
        labels={"app": "web", "mesh": "on"},
        managedFields=[
            managed("kubelet", CREATED, {"f:status": {}}, subresource="status"),
            managed("kubectl", CREATED, fields),
        ],
    )
    origin = origin_of(pod, None, SCHEMA)
    assert origin.given == build_pod({"containers": [container("app")]}, labels={"app": "web"})
    assert "managedFields" in origin.known_by


def test_a_pod_of_which_nothing_is_known_is_taken_as_it_is() -> None:
    pod = build_pod({"containers": [container("app")]}, name="web")
    assert origin_of(pod, None, SCHEMA).given == pod
    assert origin_of(pod, {"kind": "Rollout", "spec": {}}, SCHEMA).given == pod


def test_what_its_creator_sent_and_is_not_there_went_missing_in_admission() -> None:
    fields: JsonObject = {
        "f:spec": {
            "f:initContainers": {
                'k:{"name":"logs"}': {"f:name": {}, "f:restartPolicy": {}},
                'k:{"name":"gone"}': {"f:name": {}},
            }
        }
    }
    pod = build_pod(
        {"initContainers": [container("logs")]}, managedFields=[managed("kubectl", CREATED, fields)]
    )
    assert missing_since_creation(pod, SCHEMA) == (
        "spec.initContainers[name=logs].restartPolicy",
        "spec.initContainers[name=gone]",
    )
    assert missing_since_creation(build_pod({}), SCHEMA) == ()


def nodes(before: JsonObject, after: JsonObject) -> dict[str, Node]:
    stages = [Stage(actor=USER, pod=before), stored_stage(after, SCHEMA)]
    return dict(walk(blame(stages, SCHEMA)))


def test_later_changes_belong_to_their_managers_and_nodes_to_the_scheduler() -> None:
    changed: JsonObject = {
        "f:metadata": {"f:annotations": {"f:edited": {}}},
        "f:spec": {"f:containers": {'k:{"name":"app"}': {"f:image": {}}}},
    }
    created: JsonObject = {"f:spec": {"f:hostname": {}}}
    before = stored()
    after = stored(
        {"containers": [container("app", image="app:2")], "nodeName": "node-1", "hostname": "h"},
        annotations={"edited": "yes"},
        uid="u",
        managedFields=[
            managed("creator", CREATED, created),
            managed("kubectl-edit", LATER, changed),
            {"manager": "old", "fieldsType": "FieldsV0"},
        ],
    )
    found = nodes(before, after)
    assert found["spec.nodeName"].setter.name == "kube-scheduler"
    assert found["metadata.annotations{edited}"].setter.kind is ActorKind.EDITOR
    assert found["spec.containers[name=app].image"].setter.name == "kubectl-edit"
    assert found["metadata.uid"].setter.kind is ActorKind.SERVER
    assert found["spec.hostname"].setter.kind is ActorKind.UNKNOWN


def test_what_is_gone_from_the_stored_pod_has_no_manager() -> None:
    changed: JsonObject = {"f:spec": {"f:hostname": {}}}
    after = stored(managedFields=[managed("kubectl-edit", LATER, changed)])
    found = nodes(stored({"hostname": "h"}), after)
    gone = found["spec.hostname"].remover
    assert gone is not None
    assert gone.kind is ActorKind.UNKNOWN


def token(suffix: str) -> JsonObject:
    name = f"kube-api-access-{suffix}"
    mounts: list[JsonValue] = [{"name": name, "mountPath": "/m"}]
    return build_pod(
        {
            "volumes": [{"name": name, "projected": {}}],
            "containers": [container("app", volumeMounts=mounts)],
        }
    )


def test_the_token_volume_is_called_as_in_the_stored_pod() -> None:
    assert with_names_of(token("22222"), token("55555")) == token("55555")


@pytest.mark.parametrize("other", [token("22222"), build_pod({})])
def test_there_may_be_nothing_to_rename(other: JsonObject) -> None:
    reply = token("22222")
    assert with_names_of(reply, other) == reply


def test_what_the_api_server_draws_is_that_of_the_stored_pod() -> None:
    reply = build_pod({}, name="web-a", uid="1", labels={"a": "b"})
    actual = build_pod({}, name="web-b", uid="2", resourceVersion="7", labels={})
    assert with_names_of(reply, actual) == build_pod(
        {}, labels={"a": "b"}, name="web-b", uid="2", resourceVersion="7"
    )
