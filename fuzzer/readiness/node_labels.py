"""Which label tells the nodes that can run a feature from those that cannot?

A node pool's label is best: it is there for every new node of the pool. Labels that tell nodes or
places apart would separate them by accident.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster.component_facts import Node

# What managed services and autoscalers call their pools.
_POOL_KEYS = (
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "karpenter.sh/nodepool",
    "kops.k8s.io/instancegroup",
    "node.openshift.io/pool",
    "doks.digitalocean.com/node-pool",
    "pool.oke.oraclecloud.com/name",
)
_NOT_A_POOL = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
    }
)
_MOST_VALUES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """A label key, and the values that the one side has and the other has not."""

    key: str
    values: tuple[str, ...]

    def affinity(self) -> JsonObject:
        """`spec.affinity` that keeps a pod on the one side."""
        expression: JsonObject = {"key": self.key, "operator": "In", "values": list(self.values)}
        term: JsonObject = {"matchExpressions": [expression]}
        required: JsonObject = {"nodeSelectorTerms": [term]}
        return {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required},
        }


def find_separation(inside: Sequence[Node], outside: Sequence[Node]) -> Separation | None:
    """The label that all of `inside` have with values that none of `outside` has."""
    if not inside:
        return None
    keys = set(inside[0].labels).intersection(*(node.labels for node in inside)) - _NOT_A_POOL
    found = [
        Separation(key=key, values=tuple(sorted(values)))
        for key in keys
        if (values := {node.labels[key] for node in inside})
        and values.isdisjoint(node.labels.get(key) for node in outside)
        and _is_shared(key, values, len(inside))
    ]
    return min(found, key=_rank, default=None)


def _is_shared(key: str, values: set[str], nodes: int) -> bool:
    """Whether the label is a property of groups of nodes, not of each node by itself."""
    if len(values) > _MOST_VALUES:
        return False
    return key in _POOL_RANKS or len(values) < nodes


def _rank(separation: Separation) -> tuple[int, int, str]:
    known = _POOL_RANKS.get(separation.key, len(_POOL_KEYS))
    return known, len(separation.values), separation.key


_POOL_RANKS: Mapping[str, int] = {key: rank for rank, key in enumerate(_POOL_KEYS)}
