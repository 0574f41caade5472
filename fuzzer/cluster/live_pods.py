"""What does a pod look like once it is really stored?

A dry run shows nearly all of it; storing shows the rest. The pod carries a scheduling gate that
nobody ever removes, so that no node runs it, and it is deleted again: at once, or after a crash at
the next start. Before anything is stored, a dry run must show that the gate survives: an API server
older than 1.26, or a webhook that loses fields, would let the pod run.

Source: k8s.io/api core/v1/types.go PodSchedulingGate; KEP-3521.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from webhook_fuzz.corpora.cluster_api.deletions import delete_exactly
from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    Unseen,
    attempt,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.leases import LIVE_LABEL, is_over, new_lease
from webhook_fuzz.corpora.cluster_api.requests import (
    ClusterApi,
    ClusterRequest,
    get_object,
    list_objects,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.fuzzer.cluster.deletions import whatever_happens
from webhook_fuzz.fuzzer.cluster.namespaces import WorkNamespace

GATE: Final = "webhook-fuzz/never"
_LIFETIME: Final = timedelta(minutes=30)


@asynccontextmanager
async def live_pod(
    api: ClusterApi, pod: JsonObject, namespace: WorkNamespace
) -> AsyncGenerator[JsonObject]:
    """The pod as it is stored, for the time of the block; then it is deleted.

    Leftovers of crashed runs in the namespace are deleted first. Raises ClusterError when the pod
    is refused, when its scheduling gate would be lost, or when it cannot be deleted.
    """
    collection = f"/api/v1/namespaces/{namespace.name}/pods"
    await delete_leftover_pods(api, namespace)
    sent = _gated(pod, namespace.name)
    if not _is_gated(await _create(api, collection, sent, dry_run=True)):
        raise _ungated(collection)
    created = await _create(api, collection, sent, dry_run=False)
    try:
        yield await _read_back(api, collection, created)
    except BaseException:
        await whatever_happens(attempt(delete_exactly(api, collection, created), "the pod"))
        raise
    await whatever_happens(delete_exactly(api, collection, created))


async def _read_back(api: ClusterApi, collection: str, created: JsonObject) -> JsonObject:
    if not _is_gated(created):  # it was there a moment ago, in the dry run
        raise _ungated(collection)
    path = f"{collection}/{text_at(object_at(created, 'metadata'), 'name')}"
    found = await attempt(get_object(api, path), "the pod")
    return created if isinstance(found, Unseen) else found


def _ungated(collection: str) -> ClusterError:
    return cluster_error(
        f"POST {collection}",
        f"the scheduling gate {GATE} is lost on the way, so the pod would run: it is not created",
        Trouble.REFUSED,
    )


async def delete_leftover_pods(api: ClusterApi, namespace: WorkNamespace) -> tuple[str, ...]:
    """Delete what crashed runs left in the namespace; the names of the pods."""
    collection = f"/api/v1/namespaces/{namespace.name}/pods"
    listed = await attempt(list_objects(api, collection, {"labelSelector": LIVE_LABEL}), "pods")
    names: list[str] = []
    for each in [] if isinstance(listed, Unseen) else listed:
        metadata = object_at(each, "metadata")
        if LIVE_LABEL in object_labels(each) and is_over(metadata, now=datetime.now(UTC)):
            names.append(text_at(metadata, "name"))
            await attempt(delete_exactly(api, collection, each), "the pod")
    return tuple(names)


def _gated(pod: JsonObject, namespace: str) -> JsonObject:
    """A copy with the gate, a lease, and a name that is free.

    Without finalizers: the controller that takes them away again does not know the pod.
    """
    metadata = dict(object_at(pod, "metadata"))
    name = text_at(metadata, "name") or text_at(metadata, "generateName").rstrip("-") or "pod"
    for member in ("name", "finalizers"):
        metadata.pop(member, None)
    lease = new_lease(now=datetime.now(UTC), lifetime=_LIFETIME)
    metadata |= {
        "generateName": f"{name}-",
        "namespace": namespace,
        "labels": {**object_at(metadata, "labels"), LIVE_LABEL: "true"},
        "annotations": {**object_at(metadata, "annotations"), **lease.annotations()},
    }
    spec = object_at(pod, "spec")
    gates = [gate for gate in objects_at(spec, "schedulingGates") if gate.get("name") != GATE]
    return {
        **pod,
        "metadata": metadata,
        "spec": {**spec, "schedulingGates": [*gates, {"name": GATE}]},
    }


def _is_gated(pod: JsonObject) -> bool:
    gates = objects_at(object_at(pod, "spec"), "schedulingGates")
    return any(gate.get("name") == GATE for gate in gates)


async def _create(
    api: ClusterApi, collection: str, pod: JsonObject, *, dry_run: bool
) -> JsonObject:
    answer = await api.ask(
        ClusterRequest(
            method="POST",
            path=collection,
            query={"fieldManager": "webhook-fuzz", **({"dryRun": "All"} if dry_run else {})},
            body=orjson.dumps(pod),
        )
    )
    created = answer.document()
    if answer.status >= 300 or created is None:  # noqa: PLR2004 - HTTP
        trouble = trouble_of(answer.status)
        raise cluster_error(f"POST {collection}", answer.message, trouble, status=answer.status)
    return created
