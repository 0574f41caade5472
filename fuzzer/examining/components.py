"""What do the API servers and the kubelets say, and what does it come to?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.cluster_api.failures import Seen, Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.fuzzer.cluster.api_servers import read_api_servers
from webhook_fuzz.fuzzer.cluster.component_facts import ApiServers, GateMetric, Node
from webhook_fuzz.fuzzer.cluster.nodes import read_kubelet_metrics, read_nodes
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.readiness.gate_traits import acts_elsewhere
from webhook_fuzz.fuzzer.readiness.standings import (
    ApiServerStanding,
    NodeStanding,
    stand_api_server,
    stand_node,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServersSeen:
    """The API servers that answered, how many there are, and what of them was not seen."""

    standings: tuple[ApiServerStanding, ...]
    replicas: int | None
    not_seen: tuple[Unseen, ...]


async def see_servers(api: ClusterApi, options: ExaminationOptions) -> ServersSeen:
    """Ask the API servers. Raises ClusterError when none tells its version."""
    found = await read_api_servers(api, options.gate.name, direct=options.direct)
    standings = tuple(stand_api_server(options.gate, server) for server in found.asked)
    return ServersSeen(
        standings=standings,
        replicas=found.replicas,
        not_seen=(*found.not_seen, *_gaps(found, standings)),
    )


def _gaps(found: ApiServers, standings: Sequence[ApiServerStanding]) -> list[Unseen]:
    """Metrics that were not seen and would have decided."""
    return [
        server.metric
        for server, standing in zip(found.asked, standings, strict=True)
        if isinstance(server.metric, Unseen) and not standing.answer.certain
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesRead:
    """The nodes, None where they were not seen, and what their kubelets said."""

    nodes: tuple[Node, ...] | None
    metrics: Mapping[str, Seen[GateMetric]]
    not_seen: tuple[Unseen, ...] = ()


async def see_nodes(api: ClusterApi, options: ExaminationOptions) -> NodesRead:
    """List the nodes and ask their kubelets."""
    nodes = await attempt(read_nodes(api), "nodes")
    if isinstance(nodes, Unseen):
        return NodesRead(nodes=None, metrics={}, not_seen=(nodes,))
    if not options.ask_kubelets or acts_elsewhere(options.gate):
        return NodesRead(nodes=tuple(nodes), metrics={})
    options.progress(f"asking {len(nodes)} kubelets")
    metrics = await read_kubelet_metrics(
        api, nodes, options.gate.name, concurrency=options.concurrency
    )
    return NodesRead(nodes=tuple(nodes), metrics=metrics)


def stand_nodes(
    gate: Gate, read: NodesRead, pods: Counter[str] | None
) -> tuple[list[NodeStanding], list[Unseen]]:
    """Where the nodes stand, and the metrics that were not seen and would have decided."""
    standings: list[NodeStanding] = []
    gaps: list[Unseen] = []
    for node in read.nodes or ():
        metric = read.metrics.get(node.name)
        count = None if pods is None else pods[node.name]
        standing = stand_node(gate, node, metric, pods=count)
        standings.append(standing)
        if isinstance(metric, Unseen) and not standing.answer.certain:
            gaps.append(metric)
    return standings, gaps
