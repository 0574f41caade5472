import json
from pathlib import Path

from blamed import CATALOGUE, SCHEMA, build_pod, container
from webhook_fuzz.corpora.audit_events import find_pod_creation
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.blames.actors import ActorKind
from webhook_fuzz.fuzzer.blames.audits import AuditedHistory, history_of_event
from webhook_fuzz.fuzzer.blames.trees import Node, blame, walk

SENT = default_pod(
    build_pod({"initContainers": [container("logs", restartPolicy="Always")],
               "containers": [container("app")]}, name="web", labels={"app": "web"})
)  # fmt: skip
MARK: JsonObject = {"op": "add", "path": "/metadata/labels/mesh", "value": "on"}
STRIP: JsonObject = {"op": "remove", "path": "/spec/initContainers/0/restartPolicy"}


def event(*patches: list[JsonObject] | None, **members: JsonValue) -> JsonObject:
    """The event of a creation; a patch of None is a change that is not in the log."""
    notes: JsonObject = {}
    for index, patch in enumerate(patches):
        who = {"configuration": "chain", "webhook": f"hook{index}"}
        turn = f"round_0_index_{index}"
        said = {**who, "mutated": patch != []}
        notes[f"mutation.webhook.admission.k8s.io/{turn}"] = json.dumps(said)
        if patch:
            said = {**who, "patch": patch, "patchType": "JSONPatch"}
            notes[f"patch.webhook.admission.k8s.io/{turn}"] = json.dumps(said)
    return {
        "kind": "Event",
        "level": "Request",
        "stage": "ResponseComplete",
        "verb": "create",
        "user": {"username": "alice"},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web"},
        "responseStatus": {"code": 201},
        "requestObject": SENT,
        "annotations": notes,
        **members,
    }


def history(folder: Path, raw: JsonObject) -> AuditedHistory:
    file = folder / "audit.log"
    file.write_text(json.dumps(raw) + "\n")
    found = find_pod_creation(file, "shop", "web")
    return history_of_event(found, CATALOGUE, api_server=CATALOGUE.newest)


def nodes(history: AuditedHistory) -> dict[str, Node]:
    return dict(walk(blame(history.stages, SCHEMA)))


def stored(**spec: JsonValue) -> JsonObject:
    """The pod in the response: marked, stripped, and what the API server adds."""
    old = SENT["spec"]
    assert isinstance(old, dict)
    logs = container("logs", imagePullPolicy="IfNotPresent",
                     terminationMessagePath="/dev/termination-log",
                     terminationMessagePolicy="File")  # fmt: skip
    metadata: JsonObject = {
        "name": "web", "namespace": "shop", "uid": "u", "labels": {"app": "web", "mesh": "on"},
    }  # fmt: skip
    changed: JsonObject = {**old, "initContainers": [logs], "priority": 0, **spec}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": changed}


def test_patches_in_the_log_tell_who_did_what(tmp_path: Path) -> None:
    raw = event([MARK], [], [STRIP], level="RequestResponse", responseObject=stored())
    told = history(tmp_path, raw)
    found = nodes(told)
    gone = found["spec.initContainers[name=logs].restartPolicy"]
    assert gone.remover is not None
    assert (gone.remover.name, gone.remover.position) == ("chain/hook2", 2)
    assert gone.setter.known_by == "alice sent it, says the audit log."
    assert found["metadata.labels{mesh}"].setter.name == "chain/hook0"
    assert found["spec.dnsPolicy"].setter.kind is ActorKind.DEFAULT
    assert found["spec.priority"].setter.name == "Priority"
    assert found["metadata.uid"].setter.kind is ActorKind.SERVER
    assert told.complete
    assert [call.identity for call in told.calls] == ["chain/hook0", "chain/hook1", "chain/hook2"]


def test_what_no_patch_did_was_in_tree(tmp_path: Path) -> None:
    raw = event([MARK], [STRIP], responseObject=stored(hostname="x", schedulerName="other"))
    found = nodes(history(tmp_path, raw))
    assert found["spec.hostname"].setter.kind is ActorKind.PLUGIN
    assert "No patch in the audit log" in found["spec.schedulerName"].setter.known_by


def test_what_is_gone_without_a_patch_and_has_a_gate_is_the_gate_s(tmp_path: Path) -> None:
    found = nodes(history(tmp_path, event([MARK], responseObject=stored())))
    gone = found["spec.initContainers[name=logs].restartPolicy"].remover
    assert gone is not None
    assert gone.name == "gate SidecarContainers"


def test_a_change_whose_patch_is_not_in_the_log_leaves_the_hop_unknown(tmp_path: Path) -> None:
    told = history(tmp_path, event([MARK], None, responseObject=stored()))
    gone = nodes(told)["spec.initContainers[name=logs].restartPolicy"].remover
    assert gone is not None
    assert gone.kind is ActorKind.UNKNOWN
    assert not told.complete
    assert any("chain/hook1 changed the pod" in note for note in told.notes)


def test_a_patch_on_what_the_log_does_not_show_is_said_to_be_replayed_in_part(
    tmp_path: Path,
) -> None:
    on_mounts: JsonObject = {
        "op": "add",
        "path": "/spec/containers/0/volumeMounts/1",
        "value": {"name": "x", "mountPath": "/x"},
    }
    told = history(tmp_path, event([MARK, on_mounts]))
    found = nodes(told)
    assert found["metadata.labels{mesh}"].setter.name == "chain/hook0"
    assert any("A part of the patch of chain/hook0" in note for note in told.notes)
    assert any("The audit level of the event is Request" in note for note in told.notes)


def test_an_event_without_the_pod_names_only_who_was_called(tmp_path: Path) -> None:
    raw = {**event([MARK], []), "level": "Metadata"}
    del raw["requestObject"]
    told = history(tmp_path, raw)
    assert told.stages == ()
    assert len(told.calls) == 2
    assert not told.complete
    assert "Metadata" in told.notes[0]
