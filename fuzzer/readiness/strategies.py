"""Which way of adopting the feature fits this cluster?

For whoever injects sidecars there are three, as the tutorial "Adopting Sidecar Containers" has
them: switch, where every node can; keep such pods on the nodes that can, where a label tells them
apart; or inject a pair of a native and an old-way sidecar that decides by itself, where nodes are
mixed and cannot be told apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

import yaml

from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.fuzzer.readiness.gate_answers import GateAnswer, State
from webhook_fuzz.fuzzer.readiness.gate_traits import (
    SIDECARS,
    acts_elsewhere,
    came_with,
    on_by_default_since,
)
from webhook_fuzz.fuzzer.readiness.node_labels import find_separation
from webhook_fuzz.fuzzer.readiness.standings import NodeStanding

_OWN_LABEL = "webhook-fuzz.dev/feature-"


class Fit(StrEnum):
    """What to do."""

    SWITCH = "switch"
    POOLS = "node-pools"
    UNIVERSAL = "universal-pair"
    WAIT = "wait"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What to do and why, one sentence each step; `manifest` is what to put into pods (YAML)."""

    fit: Fit
    why: str
    steps: tuple[str, ...] = ()
    manifest: str = ""


def universal_pair() -> str:
    """A pod fragment (YAML) with a native and an old-way sidecar, of which one is at work."""
    data = resources.files(str(__package__)).joinpath("data", "universal-pair.yaml")
    return data.read_text("utf-8")


def choose_strategy(
    gate: Gate, api_server: GateAnswer, nodes: Sequence[NodeStanding] | None
) -> Strategy:
    """The strategy for a gate; `nodes` is None when they were not seen."""
    if api_server.state is State.OFF:
        return Strategy(fit=Fit.WAIT, why=f"The API server cannot: {api_server.how}.")
    if api_server.state is State.UNKNOWN:
        return Strategy(fit=Fit.UNKNOWN, why=f"About the API server: {api_server.how}.")
    if (who := acts_elsewhere(gate)) is not None:
        return Strategy(fit=Fit.SWITCH, why=f"It is on, and no kubelet acts on it: {who} does.")
    if nodes is None:
        return Strategy(fit=Fit.UNKNOWN, why="The nodes were not seen.")
    return _by_nodes(gate, [node for node in nodes if node.schedulable])


def _by_nodes(gate: Gate, usable: Sequence[NodeStanding]) -> Strategy:
    capable = [node for node in usable if node.answer.state is State.ON]
    if not usable:
        return Strategy(fit=Fit.UNKNOWN, why="There is no schedulable node.")
    if len(capable) == len(usable):
        return _switch(capable)
    if not capable:
        return _wait(gate, usable)
    others = [node for node in usable if node.answer.state is not State.ON]
    return _mixed(gate, capable, others)


def _switch(capable: Sequence[NodeStanding]) -> Strategy:
    why = "The API server and every schedulable node can."
    if not all(node.answer.certain for node in capable):
        why += " Some are taken by their version's default: a gate switched off is not seen there."
    return Strategy(fit=Fit.SWITCH, why=why, steps=("Use the feature everywhere.",))


def _wait(gate: Gate, usable: Sequence[NodeStanding]) -> Strategy:
    if any(node.answer.state is State.UNKNOWN for node in usable):
        return Strategy(fit=Fit.UNKNOWN, why="Of no schedulable node it is known that it can.")
    since = on_by_default_since(gate) or came_with(gate)
    step = f"Upgrade nodes to {since} or later, or switch the gate {gate.name} on."
    return Strategy(fit=Fit.WAIT, why="No schedulable node can.", steps=(step,))


def _mixed(gate: Gate, capable: Sequence[NodeStanding], others: Sequence[NodeStanding]) -> Strategy:
    counts = f"{len(capable)} of {len(capable) + len(others)} schedulable nodes can"
    label = find_separation([each.node for each in capable], [each.node for each in others])
    if label is not None:
        values = ", ".join(label.values)
        return Strategy(
            fit=Fit.POOLS,
            why=f"{counts}, and the label {label.key} tells them apart ({values}).",
            steps=("Give pods that use the feature this affinity; inject the old way elsewhere.",),
            manifest=_render({"spec": {"affinity": label.affinity()}}),
        )
    if gate.name == SIDECARS:
        return _universal(gate, counts, others)
    key = f"{_OWN_LABEL}{gate.name}"
    return Strategy(
        fit=Fit.POOLS,
        why=f"{counts}, and no label tells them apart.",
        steps=(f"Label the nodes that can: kubectl label node NAME {key}=on",),
        manifest=_render({"spec": {"nodeSelector": {key: "on"}}}),
    )


def _universal(gate: Gate, counts: str, others: Sequence[NodeStanding]) -> Strategy:
    steps = ["Inject the pair below: it decides on the node, and the loser stands by."]
    rejecting = [each for each in others if each.minor is None or each.minor >= came_with(gate)]
    if rejecting:
        names = ", ".join(each.node.name for each in rejecting[:3])
        more = f" and {len(rejecting) - 3} more" if len(rejecting) > 3 else ""  # noqa: PLR2004
        steps.insert(
            0,
            f"First upgrade or cordon {names}{more}: a kubelet that knows the gate and has it off "
            "rejects every pod with a native sidecar, the pair too.",
        )
    return Strategy(
        fit=Fit.UNIVERSAL,
        why=f"{counts}, and no label tells them apart.",
        steps=tuple(steps),
        manifest=universal_pair(),
    )


def _render(fragment: object) -> str:
    return yaml.safe_dump(fragment, sort_keys=False)
