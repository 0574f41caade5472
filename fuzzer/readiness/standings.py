"""Where does each component stand, and how much room is there on the nodes that can run the field?

A thousand nodes are a handful of groups: nodes of one minor with the same answer, known in the same
way, are one line for people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.cluster_api.failures import Seen
from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.cluster.component_facts import ApiServer, GateMetric, Node
from webhook_fuzz.fuzzer.readiness.gate_answers import (
    Component,
    GateAnswer,
    State,
    answer_gate,
    read_version,
)

_SHOWN = 3
# node.kubernetes.io/not-ready, .../disk-pressure, .../unschedulable (k8s.io/api core/v1
# well_known_taints.go), and a cloud's node that is being set up.
_CONDITIONS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerStanding:
    """One API server that was asked. `minor` is the one it behaves like."""

    address: str
    version: str
    minor: Minor | None
    answer: GateAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStanding:
    """One node. `pods` counts those that are on it and have not ended, None where not counted."""

    node: Node
    minor: Minor | None
    answer: GateAnswer
    pods: int | None = None

    @property
    def schedulable(self) -> bool:
        """Whether the scheduler may put a pod there, tolerations aside."""
        return not self.node.cordoned

    @property
    def reserved(self) -> tuple[str, ...]:
        """Taints somebody put there for good; those of conditions come and go by themselves."""
        return tuple(taint for taint in self.node.taints if not taint.startswith(_CONDITIONS))

    @property
    def open(self) -> bool:
        """Whether it takes pods right now, and pods without tolerations."""
        return self.node.ready and self.schedulable and not self.node.taints

    @property
    def room(self) -> int | None:
        """How many more pods the kubelet would take; None where that is not known."""
        if self.node.allocatable_pods is None or self.pods is None:
            return None
        return max(0, self.node.allocatable_pods - self.pods)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Nodes of one minor with the same answer, known in the same way."""

    minor: Minor | None
    answer: GateAnswer
    members: tuple[NodeStanding, ...]

    @property
    def schedulable(self) -> tuple[NodeStanding, ...]:
        """Those that are not cordoned."""
        return tuple(member for member in self.members if member.schedulable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The nodes that can run the feature: how many, how many take pods now, and how many pods.

    `pods` is None where pods could not be counted or a node does not say how many it takes;
    `reserved` counts the nodes that need a toleration, for one of `taints`; their room is not in
    `pods`.
    """

    capable: int
    open: int
    reserved: int
    taints: tuple[str, ...]
    pods: int | None


def stand_api_server(gate: Gate, server: ApiServer) -> ApiServerStanding:
    """What an API server's answer comes to; at an emulated version, that of the emulated one."""
    minor = read_version(server.emulated or server.version)
    answer = answer_gate(gate, Component(minor=minor, metric=server.metric))
    return ApiServerStanding(
        address=server.address, version=server.version, minor=minor, answer=answer
    )


def stand_node(
    gate: Gate, node: Node, metric: Seen[GateMetric] | None, *, pods: int | None = None
) -> NodeStanding:
    """What a node's answer comes to."""
    minor = read_version(node.kubelet)
    component = Component(minor=minor, metric=metric, declared=node.declared)
    return NodeStanding(node=node, minor=minor, answer=answer_gate(gate, component), pods=pods)


def group_nodes(standings: Sequence[NodeStanding]) -> list[NodeGroup]:
    """The groups, the oldest kubelets first, those of no known version before them."""
    groups: dict[tuple[Minor | None, GateAnswer], list[NodeStanding]] = {}
    for standing in standings:
        groups.setdefault((standing.minor, standing.answer), []).append(standing)
    found = [
        NodeGroup(minor=minor, answer=answer, members=tuple(members))
        for (minor, answer), members in groups.items()
    ]
    return sorted(found, key=lambda group: (group.minor or Minor(0, 0), group.answer.how))


def measure_room(standings: Sequence[NodeStanding]) -> Room:
    """How much room the schedulable nodes that can run the feature have."""
    capable = [each for each in standings if each.answer.state is State.ON and each.schedulable]
    free = [each for each in capable if each.open]
    rooms = [each.room for each in free]
    return Room(
        capable=len(capable),
        open=len(free),
        reserved=sum(1 for each in capable if each.reserved),
        taints=tuple(sorted({taint for each in capable for taint in each.reserved})),
        pods=sum(room for room in rooms if room is not None) if None not in rooms else None,
    )


def weakest(servers: Sequence[ApiServerStanding]) -> ApiServerStanding:
    """The API server that speaks for all: a create may hit any of them.

    One that has the gate off comes before one that is not known, that before one that has it on.
    """
    order = {State.OFF: 0, State.UNKNOWN: 1, State.ON: 2}
    return min(servers, key=lambda each: (order[each.answer.state], each.minor or Minor(0, 0)))


def name_nodes(standings: Sequence[NodeStanding]) -> str:
    """`worker-1, worker-2, worker-3 and 4 more`."""
    names = [standing.node.name for standing in standings]
    more = len(names) - _SHOWN
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
