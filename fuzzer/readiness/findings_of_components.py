"""What is wrong with the API servers, the nodes and their versions? WF701, WF702, WF703, WF706."""

from collections.abc import Iterator, Sequence

from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.fuzzer.findings import ClusterFinding, Severity
from webhook_fuzz.fuzzer.readiness.gate_answers import Source, State
from webhook_fuzz.fuzzer.readiness.gate_traits import (
    acts_elsewhere,
    came_with,
    is_of_claims,
    on_by_default_since,
)
from webhook_fuzz.fuzzer.readiness.outcomes import SENTENCES, predict_on_kubelet
from webhook_fuzz.fuzzer.readiness.standings import (
    ApiServerStanding,
    NodeGroup,
    NodeStanding,
    name_nodes,
)
from webhook_fuzz.fuzzer.readiness.strategies import Strategy


def judge_api_servers(gate: Gate, servers: Sequence[ApiServerStanding]) -> Iterator[ClusterFinding]:
    """WF701 for those below the field's version, WF703 for those with the gate off."""
    for server in servers:
        if server.answer.state is not State.OFF:
            continue
        subject = f"API server {server.address or server.version}"
        if server.minor is not None and server.minor < came_with(gate):
            yield ClusterFinding(
                code="WF701",
                severity=Severity.ERROR,
                subject=subject,
                explanation=f"It does not know {_fields(gate)}: {server.minor} is older than "
                f"{came_with(gate)}.",
                evidence=f"{server.answer.how}.",
                remedy=f"Upgrade the control plane to {_enough(gate)} before pods use the field.",
            )
        else:
            yield ClusterFinding(
                code="WF703",
                severity=Severity.ERROR,
                subject=subject,
                explanation=f"{gate.name} is off: the API server drops {_fields(gate)} from new "
                f"{_DROPPED_FROM[is_of_claims(gate)]}, without a word.",
                evidence=f"{server.answer.how}.",
                remedy=_gate_remedy(gate, "kube-apiserver"),
            )


_DROPPED_FROM = {
    False: "pods after the webhooks saw it",
    True: "claims, also those made of a pod's template",
}


def judge_nodes(gate: Gate, groups: Sequence[NodeGroup]) -> Iterator[ClusterFinding]:
    """WF702 for schedulable nodes that are too old, WF703 for those with the gate off."""
    if acts_elsewhere(gate):
        return
    for group in groups:
        if group.answer.state is not State.OFF or not group.schedulable:
            continue
        too_old = _is_too_old(gate, group)
        outcome = predict_on_kubelet(gate, (group.minor, group.answer))
        what = "too old for it" if too_old else f"{gate.name} is off"
        yield ClusterFinding(
            code="WF702" if too_old else "WF703",
            severity=_severity(group.schedulable),
            subject=_subject(group),
            explanation=f"kubelet {group.minor}, {what}: {SENTENCES[outcome]}.",
            evidence=f"{group.answer.how}.",
            remedy=f"Upgrade the nodes to {_enough(gate)}, or keep such pods away from them."
            if too_old
            else _gate_remedy(gate, "the kubelet"),
        )


def judge_mixture(
    gate: Gate, groups: Sequence[NodeGroup], strategy: Strategy
) -> Iterator[ClusterFinding]:
    """WF706 where some schedulable nodes can run the feature and others cannot."""
    if acts_elsewhere(gate):
        return
    counts = dict.fromkeys(State, 0)
    for group in groups:
        counts[group.answer.state] += len(group.schedulable)
    if not counts[State.ON] or not counts[State.OFF]:
        return
    unknown = f", of {counts[State.UNKNOWN]} it is not known" if counts[State.UNKNOWN] else ""
    yield ClusterFinding(
        code="WF706",
        severity=Severity.WARNING,
        subject="nodes",
        explanation=f"Of the schedulable nodes {counts[State.ON]} can run it, {counts[State.OFF]} "
        f"cannot{unknown}: where a pod lands decides whether it works.",
        evidence=strategy.why,
        remedy=" ".join(strategy.steps) or None,
    )


def _is_too_old(gate: Gate, group: NodeGroup) -> bool:
    """Whether a newer kubelet would have it on, as far as the version alone says."""
    if group.answer.source is Source.METRIC:
        return group.minor is not None and group.minor < came_with(gate)
    since = on_by_default_since(gate) or came_with(gate)
    return group.minor is not None and group.minor < since


def _severity(members: Sequence[NodeStanding]) -> Severity:
    """Milder where every node keeps pods without a toleration away."""
    return Severity.WARNING if all(member.reserved for member in members) else Severity.ERROR


def _subject(group: NodeGroup) -> str:
    noun = "node" if len(group.schedulable) == 1 else f"{len(group.schedulable)} nodes:"
    return f"{noun} {name_nodes(group.schedulable)}"


def _fields(gate: Gate) -> str:
    names = sorted(gate.fields)
    return " and ".join(names[:2]) + (" and others" if len(names) > 2 else "")  # noqa: PLR2004


def _enough(gate: Gate) -> str:
    """The first minor that has it on by default; the first that has it at all otherwise."""
    since = on_by_default_since(gate)
    return (
        f"{since} or later" if since else f"{came_with(gate)} with --feature-gates={gate.name}=true"
    )


def _gate_remedy(gate: Gate, component: str) -> str:
    since = on_by_default_since(gate)
    upgrade = f", or upgrade to {since}, where it is on by default" if since else ""
    return f"Set the feature gate {gate.name}=true for {component}{upgrade}."
