"""Which nodes are there, and what do their kubelets say about a feature gate?

Of a thousand Node objects only what matters here is kept. Kubelets are asked through the node
proxy, so many at once and no more; their pages of metrics are dropped as soon as they are searched.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from webhook_fuzz.corpora.cluster_api.failures import Seen, Trouble, Unseen
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, iterate_objects
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import list_at, object_at, objects_at, text_at
from webhook_fuzz.fuzzer.apiserver.quantities import QuantityError, parse_quantity
from webhook_fuzz.fuzzer.cluster.component_facts import GateMetric, Node
from webhook_fuzz.fuzzer.cluster.gate_metrics import MetricsPage, read_gate_metric

# A kubelet of a full node exports 1 to 3 MiB.
_MOST_BYTES = 16 << 20
_SECONDS = 10.0
# A kubelet that does not report will hardly answer: the API server would try for half a minute.
_NOT_READY_SECONDS = 3.0
_KEEPING_AWAY = frozenset({"NoSchedule", "NoExecute"})


async def read_nodes(api: ClusterApi) -> list[Node]:
    """Every node, by name. Raises ClusterError unless all of them came."""
    nodes = [parse_node(item) async for item in iterate_objects(api, "/api/v1/nodes")]
    return sorted(nodes, key=lambda node: node.name)


def parse_node(item: JsonObject) -> Node:
    """A Node object, as far as it matters."""
    metadata, spec, status = (object_at(item, name) for name in ("metadata", "spec", "status"))
    return Node(
        name=text_at(metadata, "name"),
        kubelet=text_at(object_at(status, "nodeInfo"), "kubeletVersion"),
        ready=any(
            condition.get("type") == "Ready" and condition.get("status") == "True"
            for condition in objects_at(status, "conditions")
        ),
        cordoned=spec.get("unschedulable") is True,
        taints=tuple(
            _taint(taint)
            for taint in objects_at(spec, "taints")
            if taint.get("effect") in _KEEPING_AWAY
        ),
        labels={key: str(value) for key, value in object_at(metadata, "labels").items()},
        allocatable_pods=_count(object_at(status, "allocatable").get("pods")),
        declared=frozenset(
            name for name in list_at(status, "declaredFeatures") if isinstance(name, str)
        ),
    )


async def read_kubelet_metrics(
    api: ClusterApi, nodes: Sequence[Node], gate: str, *, concurrency: int
) -> dict[str, Seen[GateMetric]]:
    """What each kubelet says of the gate, by node.

    When the API server itself forbids nodes/proxy, the other nodes are not asked any more.
    """
    slots, asking = asyncio.Semaphore(concurrency), _Asking(api=api, gate=gate)

    async def ask(node: Node) -> Seen[GateMetric]:
        async with slots:
            return await asking.ask(node)

    found = await asyncio.gather(*(ask(node) for node in nodes))
    return {node.name: answer for node, answer in zip(nodes, found, strict=True)}


@dataclass(slots=True, kw_only=True)
class _Asking:
    """Asks one kubelet after the other, until RBAC says that there is no point in it."""

    api: ClusterApi
    gate: str
    forbidden: Unseen | None = None

    async def ask(self, node: Node) -> Seen[GateMetric]:
        if self.forbidden is not None:
            return self.forbidden
        page = MetricsPage(
            path=f"/api/v1/nodes/{quote(node.name, safe='')}/proxy/metrics",
            of=f"node {node.name}",
            most_bytes=_MOST_BYTES,
            timeout_seconds=_SECONDS if node.ready else _NOT_READY_SECONDS,
        )
        found = await read_gate_metric(self.api, page, self.gate)
        if isinstance(found, Unseen) and _is_forbidden_to_all(found):
            self.forbidden = Unseen(
                what="metrics of the nodes", why=found.why, trouble=found.trouble
            )
        return found


def _is_forbidden_to_all(unseen: Unseen) -> bool:
    """RBAC's own words name the resource; a kubelet that refuses does not."""
    return unseen.trouble is Trouble.FORBIDDEN and '"nodes/proxy"' in unseen.why


def _taint(taint: JsonObject) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key', '')}{value}:{taint.get('effect')}"


def _count(value: JsonValue) -> int | None:
    """A quantity that counts (`110`, `1k`)."""
    if not isinstance(value, str | int):
        return None
    try:
        return parse_quantity(str(value)).nanos // 10**9
    except QuantityError:
        return None
