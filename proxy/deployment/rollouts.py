"""Are the proxies running, and if not, why not?

As `kubectl rollout status` tells it (k8s.io/kubectl pkg/polymorphichelpers/rollout_status.go), and
then why: a pod that cannot be scheduled or an image that cannot be pulled is said at once, not
when the time is over.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from webhook_fuzz.corpora.cluster_api.failures import Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object, list_objects
from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.proxy.deployment.installations import PROXY

_POLL_SECONDS: Final = 1.0
_SELECTOR: Final = "app.kubernetes.io/name=webhook-fuzz,app.kubernetes.io/component=proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a rollout got: `ready` of `wanted` pods of the newest template serve."""

    ready: int
    wanted: int
    done: bool
    failed: str | None = None


def read_progress(deployment: JsonObject) -> Progress:
    """What a Deployment says of its rollout."""
    status = object_at(deployment, "status")
    wanted = _count(object_at(deployment, "spec"), "replicas", default=1)
    updated, available = _count(status, "updatedReplicas"), _count(status, "availableReplicas")
    generation = _count(object_at(deployment, "metadata"), "generation")
    seen = _count(status, "observedGeneration") >= generation
    done = seen and updated >= wanted and available >= wanted
    return Progress(
        ready=min(updated, available) if seen else 0,
        wanted=wanted,
        done=done and _count(status, "replicas") <= updated,
        failed=next(_failures(status), None) if seen and not done else None,
    )


async def wait_for_rollout(
    api: ClusterApi, namespace: str, *, seconds: float, tell: Callable[[str], None]
) -> None:
    """Until all proxies of the newest template serve and none of an older one is left.

    Raises IncompleteRunError when that takes longer than `seconds`, or cannot happen any more;
    ClusterError when the Deployment cannot be read.
    """
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{PROXY}"
    deadline, said = time.monotonic() + seconds, ""
    while True:
        progress = read_progress(await get_object(api, path))
        if progress.done:
            tell(f"{progress.ready} of {progress.wanted} proxies are ready")
            return
        why = "; ".join(await _find_reasons(api, namespace))
        if progress.failed or time.monotonic() >= deadline:
            raise _not_ready(namespace, progress, why)
        line = f"{progress.ready} of {progress.wanted} proxies are ready" + (why and f": {why}")
        if line != said:
            tell(line)
        said = line
        await asyncio.sleep(_POLL_SECONDS)


def _not_ready(namespace: str, progress: Progress, why: str) -> IncompleteRunError:
    reason = why or progress.failed or "no reason is given"
    return IncompleteRunError(
        f"only {progress.ready} of {progress.wanted} proxies are ready: {reason}",
        hint="No webhook was re-pointed. Mend it and run the same command again, or take it away "
        f"with `webhook-fuzz proxy uninstall`; see `kubectl -n {namespace} describe pods`.",
    )


def _failures(status: JsonObject) -> Iterator[str]:
    """Source: pkg/controller/deployment/util/deployment_util.go, TimedOutReason."""
    for condition in objects_at(status, "conditions"):
        if text_at(condition, "reason") == "ProgressDeadlineExceeded":
            yield text_at(condition, "message")


async def _find_reasons(api: ClusterApi, namespace: str) -> list[str]:
    """Why its pods are not there, each reason once; what cannot be seen is left out."""
    base = f"/apis/apps/v1/namespaces/{namespace}"
    sets = await attempt(
        list_objects(api, f"{base}/replicasets", {"labelSelector": _SELECTOR}), "replica sets"
    )
    pods = await attempt(
        list_objects(api, f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": _SELECTOR}),
        "pods",
    )
    found = [] if isinstance(sets, Unseen) else [*_refused(sets)]
    found += [] if isinstance(pods, Unseen) else [*_stuck(pods)]
    return list(dict.fromkeys(found))


def _refused(sets: list[JsonObject]) -> Iterator[str]:
    for each in sets:
        for condition in objects_at(object_at(each, "status"), "conditions"):
            if text_at(condition, "type") == "ReplicaFailure":
                yield text_at(condition, "message")


def _stuck(pods: list[JsonObject]) -> Iterator[str]:
    for pod in pods:
        status = object_at(pod, "status")
        for condition in objects_at(status, "conditions"):
            if text_at(condition, "reason") == "Unschedulable":
                yield text_at(condition, "message")
        for container in objects_at(status, "containerStatuses"):
            waiting = object_at(container, "state", "waiting")
            reason = text_at(waiting, "reason")
            if reason and reason not in {"ContainerCreating", "PodInitializing"}:
                yield " ".join(part for part in (reason, text_at(waiting, "message")) if part)


def _count(holder: JsonObject, name: str, *, default: int = 0) -> int:
    found = holder.get(name)
    return found if isinstance(found, int) else default
