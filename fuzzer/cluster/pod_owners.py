"""What was a pod made from?

The template of the workload that owns it, and the manifest that kubectl applied: both say what the
pod was meant to be before admission changed it. Owners are read once each, however many of their
pods are looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from webhook_fuzz.corpora.cluster_api.failures import Seen, Trouble, Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import controller_of, object_at, text_at

# Deployment above ReplicaSet, CronJob above Job; nothing built in goes deeper.
_LEVELS = 2
_COLLECTIONS: Mapping[tuple[str, str], str] = {
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("apps/v1", "DaemonSet"): "daemonsets",
    ("batch/v1", "Job"): "jobs",
    ("batch/v1", "CronJob"): "cronjobs",
    ("v1", "ReplicationController"): "replicationcontrollers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """The workloads above a pod, nearest first, and which of them could not be seen."""

    workloads: tuple[JsonObject, ...] = ()
    not_seen: tuple[Unseen, ...] = ()


@dataclass(slots=True, kw_only=True)
class OwnerReader:
    """Reads the workloads above pods, each once."""

    api: ClusterApi
    _read: dict[str, Seen[JsonObject]] = field(default_factory=dict[str, Seen[JsonObject]])

    async def owners_of(self, pod: JsonObject) -> Owners:
        """The workloads above a pod."""
        found: list[JsonObject] = []
        held, namespace = pod, text_at(object_at(pod, "metadata"), "namespace")
        for _ in range(_LEVELS):
            reference = controller_of(held)
            if reference is None:
                break
            owner = await self._owner(reference, namespace)
            if isinstance(owner, Unseen):
                return Owners(workloads=tuple(found), not_seen=(owner,))
            found.append(owner)
            held = owner
        return Owners(workloads=tuple(found))

    async def _owner(self, reference: JsonObject, namespace: str) -> Seen[JsonObject]:
        version, kind = text_at(reference, "apiVersion"), text_at(reference, "kind")
        name = text_at(reference, "name")
        what = f"{kind} {namespace}/{name}"
        collection = _COLLECTIONS.get((version, kind))
        if collection is None:
            why = f"{version} is not one of the workloads whose templates are read"
            return Unseen(what=what, why=why, trouble=Trouble.NOT_FOUND)
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        path = f"{root}/namespaces/{namespace}/{collection}/{quote(name, safe='')}"
        if path not in self._read:
            self._read[path] = await attempt(get_object(self.api, path), what)
        return self._read[path]
