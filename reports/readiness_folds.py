"""What does `run.json` say of the cluster's readiness for a feature?"""

from webhook_fuzz.fuzzer.readiness.examined import Examination
from webhook_fuzz.fuzzer.readiness.standings import ApiServerStanding, NodeGroup
from webhook_fuzz.reports.cluster_results import ReadinessResult, ReadinessRow

_MOST_NAMES = 3


def fold_readiness(found: Examination) -> ReadinessResult:
    """A row for each API server that was asked and for each group of nodes that are alike."""
    servers = [_server(server) for server in found.servers]
    nodes = [_nodes(group) for group in found.groups or ()]
    return {
        "feature": found.gate.name,
        "rows": [*servers, *nodes],
        "advice": [found.strategy.why, *found.strategy.steps] if found.strategy else [],
    }


def _server(server: ApiServerStanding) -> ReadinessRow:
    return {
        "component": "kube-apiserver",
        "version": server.version,
        "count": 1,
        "names": [server.address] if server.address else [],
        "answer": server.answer.state.value,
        "known_by": server.answer.how,
    }


def _nodes(group: NodeGroup) -> ReadinessRow:
    names = [member.node.name for member in group.members]
    versions = sorted({member.node.kubelet for member in group.members})
    return {
        "component": "kubelet",
        "version": ", ".join(versions[:_MOST_NAMES]),
        "count": len(names),
        "names": names[:_MOST_NAMES],
        "answer": group.answer.state.value,
        "known_by": group.answer.how,
    }
