"""Pods that hang, and the workloads above them."""

import json
from datetime import UTC, datetime, timedelta

from webhook_fuzz.corpora.json_values import JsonObject

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def ago(seconds: float) -> str:
    """A time as Kubernetes writes it."""
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_spec(*, sidecar: bool, name: str = "logs") -> JsonObject:
    """A pod spec with an init container that is a native sidecar or a plain one."""
    logs: JsonObject = {"name": name, "image": "logs:1"}
    if sidecar:
        logs["restartPolicy"] = "Always"
    return {"initContainers": [logs], "containers": [{"name": "app", "image": "app:1"}]}


def stuck_pod(
    *,
    stored: bool = False,
    noted: bool | None = None,
    node: str = "n",
    seconds: float = 900,
    owner: str | None = "ReplicaSet",
    container: str = "logs",
) -> JsonObject:
    """A pod in Init:0/1. `stored` and `noted` say where restartPolicy is; None: no notes at all."""
    fields: JsonObject = {"f:name": {}}
    if noted:
        fields["f:restartPolicy"] = {}
    key = 'k:{"name":"' + container + '"}'
    notes: JsonObject = {
        "manager": "kube-controller-manager",
        "fieldsV1": {
            "f:spec": {"f:containers": {'k:{"name":"app"}': {}}, "f:initContainers": {key: fields}}
        },
    }
    metadata: JsonObject = {"name": "web-1", "namespace": "shop"}
    if owner:
        version = "batch/v1" if owner == "Job" else "apps/v1"
        metadata["ownerReferences"] = [
            {"apiVersion": version, "kind": owner, "name": "web", "controller": True}
        ]
    if noted is not None:
        metadata["managedFields"] = [notes]
    spec = pod_spec(sidecar=stored, name=container)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {**spec, "nodeName": node},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "Initialized", "status": "False"}],
            "initContainerStatuses": [
                {
                    "name": container,
                    "started": False,
                    "state": {"running": {"startedAt": ago(seconds)}},
                }
            ],
            "containerStatuses": [
                {"name": "app", "state": {"waiting": {"reason": "PodInitializing"}}}
            ],
        },
    }


def workload(kind: str, *, sidecar: bool, above: str | None = None) -> JsonObject:
    """A workload named `web` whose template has the sidecar or the plain container."""
    metadata: JsonObject = {"name": "web", "namespace": "shop"}
    if above:
        metadata["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": above, "name": "web", "controller": True}
        ]
    return {
        "kind": kind,
        "metadata": metadata,
        "spec": {"template": {"spec": pod_spec(sidecar=sidecar)}},
    }


def applied(holder: JsonObject, *, sidecar: bool) -> JsonObject:
    """The same with the manifest kubectl applied noted on it."""
    spec = pod_spec(sidecar=sidecar)
    manifest = {"spec": spec if holder["kind"] == "Pod" else {"template": {"spec": spec}}}
    metadata = holder["metadata"]
    assert isinstance(metadata, dict)
    noted: JsonObject = {**metadata, "annotations": {APPLIED: json.dumps(manifest)}}
    return {**holder, "metadata": noted}


def job_pod(*containers: tuple[str, str | float], owner: str = "Job") -> JsonObject:
    """A Job's running pod: containers by name, running or ended so many seconds ago."""
    statuses: list[JsonObject] = [
        {
            "name": name,
            "state": {"running": {"startedAt": ago(3600)}}
            if state == "running"
            else {"terminated": {"exitCode": 0, "finishedAt": ago(float(state))}},
        }
        for name, state in containers
    ]
    return {
        "kind": "Pod",
        "metadata": {
            "name": "import-x",
            "namespace": "shop",
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": owner, "name": "import", "controller": True}
            ],
        },
        "spec": {"containers": [{"name": name} for name, _ in containers], "nodeName": "n"},
        "status": {"phase": "Running", "containerStatuses": list(statuses)},
    }


def job(*containers: str) -> JsonObject:
    """The Job of `job_pod`, with the containers of its own template."""
    spec: JsonObject = {"containers": [{"name": name} for name in containers]}
    return {
        "kind": "Job",
        "metadata": {"name": "import", "namespace": "shop"},
        "spec": {"template": {"spec": spec}},
    }
