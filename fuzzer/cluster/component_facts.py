"""What does a cluster say about its components and a probe pod, before anybody judges it?

The facts that are read (`api_servers.py`, `nodes.py`, `probe_sending.py`) and then judged apart
from all input and output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook_fuzz.corpora.cluster_api.failures import Seen, Unseen
from webhook_fuzz.corpora.json_values import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class GateMetric:
    """What a page of metrics says of one gate.

    `exported` says that kubernetes_feature_enabled is there at all. `enabled` is None when it has
    no line for the gate; `stage` is `ALPHA`, `BETA`, `DEPRECATED`, or empty for GA.
    """

    exported: bool
    enabled: bool | None = None
    stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What matters of a Node.

    `kubelet` is its version as the node says it. `taints` are those that keep pods away
    (`key=value:NoSchedule`). `allocatable_pods` is None where the node does not say. `declared` is
    status.declaredFeatures: only features that are still graduating are listed there.
    """

    name: str
    kubelet: str
    ready: bool = True
    cordoned: bool = False
    taints: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    allocatable_pods: int | None = None
    declared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer:
    """One API server that answered. `address` is empty for whichever the kubeconfig leads to.

    `emulated` is the minor it behaves like where that is not its own (--emulated-version).
    """

    address: str
    version: str
    emulated: str | None
    metric: Seen[GateMetric]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServers:
    """Those that were asked, how many there are as far as that is known, and who did not answer."""

    asked: tuple[ApiServer, ...]
    replicas: int | None
    not_seen: tuple[Unseen, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """The HTTP status, what was said, and the pod as it would be stored (None when refused)."""

    status: int
    message: str
    pod: JsonObject | None = None
    warnings: tuple[str, ...] = ()
