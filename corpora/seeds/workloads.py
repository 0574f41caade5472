"""Which pod does a workload's controller make of its template?

Webhooks see pods, never Deployments. A manifest's template becomes what the controller would
create from it: name or generateName, owner, the labels and volumes the controller adds. The first
pod of a workload stands for all. What depends on a node or on a schedule (a DaemonSet's affinity
to its node, the minutes in a CronJob's job name) is left out or made up.
"""

import copy
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

# The alphabet of a pod-template-hash: SafeEncodeString in k8s.io/apimachinery/pkg/util/rand.
_HASH_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# Minutes since 1970: what a CronJob's controller appends to the name of its jobs.
_SCHEDULED_MINUTE = 29_384_720
_TEMPLATE_PATHS = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("", "ReplicationController"): ("spec", "template"),
    ("", "PodTemplate"): ("template",),
}
_DAEMON_TOLERATIONS = {
    "not-ready": "NoExecute",
    "unreachable": "NoExecute",
    "disk-pressure": "NoSchedule",
    "memory-pressure": "NoSchedule",
    "pid-pressure": "NoSchedule",
    "unschedulable": "NoSchedule",
}
# What the API server wipes or refuses on CREATE, and what it makes of the pod afterwards.
_SERVER_METADATA = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
)


class Malformed(ValueError):  # noqa: N818 - what the manifest is, for the caller to place
    """A manifest that says it has a pod and has none that could be created."""


class _Owner(NamedTuple):
    api_version: str
    kind: str
    name: str


def pods_of_manifest(manifest: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The pods a manifest stands for, as they are sent to the API server, each with its name.

    The name is `pod/web`, `deployment/web`, ... as kubectl writes it. A v1 List is opened; other
    kinds have no pods. The pods are copies, with the namespace filled in. Raises Malformed for a
    pod the API server could not take: without containers, without a name, of a wrong type.
    """
    group, kind = _group(manifest), manifest.get("kind")
    if (group, kind) == ("", "List"):
        for item in _list(manifest, "items"):
            if not isinstance(item, dict):
                raise Malformed("the List has an item that is not an object")
            yield from pods_of_manifest(item)
    elif (group, kind) == ("", "Pod"):
        pod = _fresh_pod(manifest, _object(manifest, "metadata"))
        yield f"pod/{_name(_object(pod, 'metadata'))}", pod
    elif isinstance(kind, str) and (group, kind) in _TEMPLATE_PATHS:
        name = _name(_object(manifest, "metadata"))
        yield f"{kind.lower()}/{name}", _pod_of_template(manifest, group, kind, name)


def _group(manifest: JsonObject) -> str:
    api_version = manifest.get("apiVersion")
    return api_version.rpartition("/")[0] if isinstance(api_version, str) else "?"


def _name(metadata: JsonObject) -> str:
    for member in ("name", "generateName"):
        name = metadata.get(member)
        if isinstance(name, str) and name:
            return name if member == "name" else name.rstrip("-")
    raise Malformed("neither metadata.name nor metadata.generateName is set")


def _namespace(metadata: JsonObject) -> str:
    namespace = metadata.get("namespace")
    if namespace is None or namespace == "":
        return "default"
    if not isinstance(namespace, str):
        raise Malformed("metadata.namespace is not a string")
    return namespace


def _fresh_pod(manifest: JsonObject, metadata: JsonObject) -> JsonObject:
    """The pod as its creation would send it: also where the manifest came from a cluster."""
    spec = copy.deepcopy(_object(manifest, "spec"))
    metadata = copy.deepcopy(metadata)
    if "uid" in metadata:
        spec.pop("nodeName", None)  # the scheduler's
        spec.pop("ephemeralContainers", None)  # kubectl debug's; refused on create
    for member in _SERVER_METADATA:
        metadata.pop(member, None)
    metadata["namespace"] = _namespace(metadata)
    _check_containers(spec)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workload:
    """A workload and the pod its controller is making of `template`."""

    name: str
    spec: JsonObject
    template: JsonObject
    pod_metadata: JsonObject
    pod_spec: JsonObject

    def add_labels(self, labels: dict[str, str]) -> None:
        self.pod_metadata["labels"] = {**_object(self.pod_metadata, "labels"), **labels}


def _pod_of_template(manifest: JsonObject, group: str, kind: str, name: str) -> JsonObject:
    template = manifest
    for member in _TEMPLATE_PATHS[group, kind]:
        template = _object(template, member)
    namespace = _namespace(_object(manifest, "metadata"))
    metadata = {**_object(template, "metadata"), "namespace": namespace, "generateName": f"{name}-"}
    metadata.pop("name", None)
    pod = _fresh_pod(template, metadata)
    workload = _Workload(
        name=name,
        spec=_object(manifest, "spec"),
        template=template,
        pod_metadata=_object(pod, "metadata"),
        pod_spec=_object(pod, "spec"),
    )
    owner = _Owner(f"{group}/v1" if group else "v1", kind, name)
    finish = _CONTROLLERS.get(kind)
    if finish is not None:
        owner = finish(workload, owner)
    if kind != "PodTemplate":  # which no controller acts on
        workload.pod_metadata["ownerReferences"] = [_owner_reference(owner, namespace)]
    return pod


def _make_for_deployment(workload: _Workload, _: _Owner) -> _Owner:
    template_hash = _hash_of(workload.template)
    replica_set = f"{workload.name}-{template_hash}"
    workload.pod_metadata["generateName"] = f"{replica_set}-"
    workload.add_labels({"pod-template-hash": template_hash})
    return _Owner("apps/v1", "ReplicaSet", replica_set)


def _make_for_daemon_set(workload: _Workload, owner: _Owner) -> _Owner:
    """As AddOrUpdateDaemonPodTolerations in pkg/controller/daemon/util does."""
    workload.add_labels({"controller-revision-hash": _hash_of(workload.template)})
    added = dict(_DAEMON_TOLERATIONS)
    if workload.pod_spec.get("hostNetwork") is True:
        added["network-unavailable"] = "NoSchedule"
    tolerations: list[JsonValue] = [
        {"key": f"node.kubernetes.io/{taint}", "operator": "Exists", "effect": effect}
        for taint, effect in added.items()
    ]
    own = _list(workload.pod_spec, "tolerations")
    workload.pod_spec["tolerations"] = [*own, *tolerations]
    return owner


def _make_for_job(workload: _Workload, job: _Owner) -> _Owner:
    uid = _uid(job, str(workload.pod_metadata["namespace"]))
    for prefix in ("batch.kubernetes.io/", ""):
        workload.add_labels({f"{prefix}controller-uid": uid, f"{prefix}job-name": job.name})
    workload.pod_metadata["finalizers"] = ["batch.kubernetes.io/job-tracking"]
    return job


def _make_for_cron_job(workload: _Workload, _: _Owner) -> _Owner:
    job = _Owner("batch/v1", "Job", f"{workload.name}-{_SCHEDULED_MINUTE}")
    workload.pod_metadata["generateName"] = f"{job.name}-"
    return _make_for_job(workload, job)


def _make_for_stateful_set(workload: _Workload, owner: _Owner) -> _Owner:
    """The first replica, as newStatefulSetPod in pkg/controller/statefulset makes it."""
    index = _object(workload.spec, "ordinals").get("start", 0)
    pod_name = f"{workload.name}-{index}"
    workload.pod_metadata["name"] = pod_name
    workload.pod_spec["hostname"] = pod_name
    if service := workload.spec.get("serviceName"):
        workload.pod_spec["subdomain"] = service
    workload.add_labels(
        {
            "apps.kubernetes.io/pod-index": str(index),
            "controller-revision-hash": f"{workload.name}-{_hash_of(workload.template)}",
            "statefulset.kubernetes.io/pod-name": pod_name,
        }
    )
    _mount_claims(workload, pod_name)
    return owner


def _mount_claims(workload: _Workload, pod_name: str) -> None:
    claims: dict[str, JsonValue] = {}
    for claim in _list(workload.spec, "volumeClaimTemplates"):
        if not isinstance(claim, dict):
            raise Malformed("volumeClaimTemplates has an element that is not an object")
        name = _name(_object(claim, "metadata"))
        source: JsonObject = {"claimName": f"{name}-{pod_name}"}
        claims[name] = {"name": name, "persistentVolumeClaim": source}
    if claims:
        # A claim replaces a volume of the same name.
        kept = [
            volume
            for volume in _list(workload.pod_spec, "volumes")
            if not (isinstance(volume, dict) and volume.get("name") in claims)
        ]
        workload.pod_spec["volumes"] = [*claims.values(), *kept]


_CONTROLLERS: dict[str, Callable[[_Workload, _Owner], _Owner]] = {
    "Deployment": _make_for_deployment,
    "StatefulSet": _make_for_stateful_set,
    "DaemonSet": _make_for_daemon_set,
    "Job": _make_for_job,
    "CronJob": _make_for_cron_job,
}
"""What a controller does beyond generateName and an owner; it answers who the owner is."""


def _owner_reference(owner: _Owner, namespace: str) -> JsonObject:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": _uid(owner, namespace),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _uid(owner: _Owner, namespace: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((*owner, namespace))))


def _hash_of(template: JsonObject) -> str:
    digest = hashlib.sha256(repr(template).encode("utf-8", "replace")).digest()
    return "".join(_HASH_ALPHABET[byte % len(_HASH_ALPHABET)] for byte in digest[:10])


def _check_containers(spec: JsonObject) -> None:
    if not _list(spec, "containers"):
        raise Malformed("spec.containers is missing or empty")
    for member in ("initContainers", "containers"):
        for container in _list(spec, member):
            if not isinstance(container, dict) or not isinstance(container.get("name"), str):
                raise Malformed(f"spec.{member} has an element without a name")


def _object(parent: JsonObject, member: str) -> JsonObject:
    value = parent.get(member)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{member} is not an object")
    return value


def _list(parent: JsonObject, member: str) -> list[JsonValue]:
    value = parent.get(member)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(f"{member} is not a list")
    return value
