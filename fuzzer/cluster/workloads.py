"""Which pods does this cluster really run, and what in them makes webhooks act?

The pod templates of its workloads and its pods without a controller, as their controllers would
create them: webhooks meet the labels, annotations, volumes and service accounts they meet in life.
Read-only, page by page; of a thousand workloads of the same shape one is kept.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Unseen
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, iterate_objects
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import controller_of, object_at, text_at
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.seeds.workloads import Malformed, pods_of_manifest
from webhook_fuzz.fuzzer.cluster.pod_shapes import Shape, coarse_shape, exact_shape

DEFAULT_MOST: Final = 40
_COLLECTIONS: Final = (
    ("/apis/apps/v1/deployments", "deployments"),
    ("/apis/apps/v1/statefulsets", "stateful sets"),
    ("/apis/apps/v1/daemonsets", "daemon sets"),
    ("/apis/batch/v1/cronjobs", "cron jobs"),
    ("/apis/batch/v1/jobs", "jobs"),
    ("/apis/apps/v1/replicasets", "replica sets"),
    ("/api/v1/pods", "pods"),
)
# What kubectl keeps of the manifest: the whole of it once more, secrets included.
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPods:
    """Pods as the cluster's controllers make them.

    `seeds` are those to try, the most different ones first; `alike` counts the others of the same
    shape as each, by name. `left_out` are one of every other shape, beyond the cap: their labels
    and annotations may still make triggers (`workload_triggers.py`).
    """

    seeds: tuple[SeedPod, ...]
    alike: Counter[str] = field(default_factory=Counter[str])
    left_out: tuple[SeedPod, ...] = ()
    not_seen: tuple[Unseen, ...] = ()


async def read_workload_pods(
    api: ClusterApi,
    *,
    namespace: str | None = None,
    most: int = DEFAULT_MOST,
    redactor: Redactor | None = None,
) -> WorkloadPods:
    """The pods of all workloads, or of one namespace's, at most `most` of them.

    What may not be listed is in `not_seen`. The secrets of the pods that are kept are made known to
    the `redactor`.
    """
    collected = _Collected()
    listed = [(_within(path, namespace), what) for path, what in _COLLECTIONS]
    unseen = await asyncio.gather(*(_collect(api, path, what, collected) for path, what in listed))
    found = collected.most_different()
    kept = found[:most]
    if redactor is not None:
        redactor.learn(seed.pod for seed in kept)
    return WorkloadPods(
        seeds=kept,
        alike=Counter({seed.name: collected.count(seed) - 1 for seed in kept}),
        left_out=found[most:],
        not_seen=tuple(each for each in unseen if each is not None),
    )


@dataclass(slots=True)
class _Collected:
    """One pod of every shape, the first by name: what comes first differs from run to run."""

    _by_shape: dict[Shape, SeedPod] = field(default_factory=dict[Shape, SeedPod])
    _counts: Counter[Shape] = field(default_factory=Counter[Shape])

    def add(self, seed: SeedPod) -> None:
        shape = exact_shape(seed.pod)
        self._counts[shape] += 1
        known = self._by_shape.get(shape)
        if known is None or seed.name < known.name:
            self._by_shape[shape] = seed

    def count(self, seed: SeedPod) -> int:
        return self._counts[exact_shape(seed.pod)]

    def most_different(self) -> tuple[SeedPod, ...]:
        """One of every coarse shape, then the second of each, and so on."""
        rounds: Counter[Shape] = Counter()
        ranked: list[tuple[int, str, SeedPod]] = []
        for seed in sorted(self._by_shape.values(), key=lambda seed: seed.name):
            shape = coarse_shape(seed.pod)
            ranked.append((rounds[shape], seed.name, seed))
            rounds[shape] += 1
        ranked.sort(key=lambda entry: entry[:2])
        return tuple(seed for _, _, seed in ranked)


async def _collect(api: ClusterApi, path: str, what: str, collected: _Collected) -> Unseen | None:
    try:
        async for workload in iterate_objects(api, path):
            for seed in _seeds_of(workload):
                collected.add(seed)
    except ClusterError as error:
        return Unseen(what=what, why=error.message, trouble=error.trouble)
    return None


def _seeds_of(workload: JsonObject) -> Sequence[SeedPod]:
    """None of what a controller made: its pods are those of the controller's template."""
    if controller_of(workload) is not None:
        return ()
    try:
        return [_seed(name, pod) for name, pod in pods_of_manifest(workload)]
    except Malformed:  # the API server would refuse it too; it was stored by an older one
        return ()


def _seed(name: str, pod: JsonObject) -> SeedPod:
    metadata = object_at(pod, "metadata")
    annotations = {
        key: value
        for key, value in object_at(metadata, "annotations").items()
        if key != _LAST_APPLIED
    }
    namespace = text_at(metadata, "namespace")
    cleaned = {key: value for key, value in metadata.items() if key != "annotations"}
    if annotations:
        cleaned["annotations"] = annotations
    return SeedPod(
        name=f"{namespace}/{name}",
        because=f"It runs in the cluster: {name} in the namespace {namespace}.",
        namespace=namespace,
        pod={**pod, "metadata": cleaned},
    )


def _within(path: str, namespace: str | None) -> str:
    root, _, collection = path.rpartition("/")
    return path if namespace is None else f"{root}/namespaces/{namespace}/{collection}"
