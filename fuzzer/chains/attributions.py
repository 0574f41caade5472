"""Who took a field that did not come out of the whole chain?

A dry run shows that something is gone, not who took it. In the order of what they prove: the audit
log's patches of that very request, the webhooks called one by one with the pod as it was between
them, and elimination, where only one webhook that was called can have done it. Where none of them
answers, the hop is unknown and is said to be. What a feature gate may have dropped is never blamed
on a webhook without having seen the webhook do it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import Absent, parse_path, value_at
from webhook_fuzz.fuzzer.chains.audit_trails import replay
from webhook_fuzz.fuzzer.chains.gate_states import GateKnowledge, Gates, GateState
from webhook_fuzz.fuzzer.chains.losses import Fate, Loss
from webhook_fuzz.fuzzer.chains.suspects import Evidence, find_suspects
from webhook_fuzz.fuzzer.findings import ClusterFinding, Severity, load_codes

__all__ = ["Attribution", "Evidence", "KnownBy", "Taker", "attribute", "chain_findings"]


class Taker(StrEnum):
    """Who took a field. UNSETTLED: the gate or a webhook; UNKNOWN: not the gate, but who?"""

    WEBHOOK = "webhook"
    GATE = "feature-gate"
    UNSETTLED = "gate-or-webhook"
    UNKNOWN = "unknown-hop"


class KnownBy(StrEnum):
    """How that is known."""

    AUDIT = "audit-annotations"
    DIRECT_CALLS = "direct-calls"
    ELIMINATION = "elimination"
    GATE = "feature-gate"
    NOTHING = "not-known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """A loss and who took it.

    `hop` is the webhook (`CONFIG/NAME`), None unless one is named; `sentence` says how it is known;
    `suspects` are those that may have been it where it is not known.
    """

    loss: Loss
    taker: Taker
    known_by: KnownBy
    sentence: str
    hop: str | None = None
    suspects: tuple[str, ...] = ()


def attribute(losses: Iterable[Loss], evidence: Evidence) -> tuple[Attribution, ...]:
    """Who took each loss, as far as the evidence goes."""
    steps = tuple(_audited_steps(evidence))
    suspects = () if steps else find_suspects(evidence)  # with audited patches, all is known
    return tuple(_attribute(loss, evidence, steps, suspects) for loss in losses)


def chain_findings(attributions: Iterable[Attribution]) -> tuple[ClusterFinding, ...]:
    """WF506 for what was lost; nothing for what a feature gate dropped.

    What may have been the gate is a warning.
    """
    severity = load_codes()["WF506"].severity
    return tuple(
        ClusterFinding(
            code="WF506",
            severity=Severity.WARNING if found.taker is Taker.UNSETTLED else severity,
            subject=found.hop or "the chain of webhooks",
            explanation=_explain(found),
            evidence=found.sentence,
            path=found.loss.path,
        )
        for found in attributions
        if found.taker is not Taker.GATE
    )


def _explain(found: Attribution) -> str:
    loss = found.loss
    what = {
        Fate.LOST: f"{loss.path} went into the chain and did not come out",
        Fate.MOVED: f"{loss.path} went into the chain and came out as {loss.moved_to}",
        Fate.DEFAULTED: f"{loss.path} went into the chain and came out with the API's default",
    }[loss.fate]
    match found.taker:
        case Taker.WEBHOOK | Taker.GATE:
            return f"{what}."
        case Taker.UNSETTLED:
            return f"{what}; a feature gate or a webhook took it."
        case Taker.UNKNOWN:
            suspects = f": {', '.join(found.suspects)}" if found.suspects else ""
            return f"{what}; which hop took it is not known{suspects}."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """The pod before and after one call, whoever tells."""

    identity: str
    before: JsonObject
    after: JsonObject


def _audited_steps(evidence: Evidence) -> Iterator[_Step]:
    trail = evidence.trail
    start = trail.start or evidence.attributes.object if trail else None
    if trail is None or start is None or not trail.has_patches:
        return
    schema = evidence.catalogue.schema(evidence.api_server)
    for step in replay(trail, start, schema=schema, api_server=evidence.api_server):
        yield _Step(identity=step.call.identity, before=step.before, after=step.after)


def _attribute(
    loss: Loss, evidence: Evidence, audited: Sequence[_Step], suspects: tuple[str, ...]
) -> Attribution:
    gates = Gates(
        catalogue=evidence.catalogue, api_server=evidence.api_server, reported=evidence.gates
    )
    gate = gates.of_value(loss.field, loss.before)
    if gate.state is GateState.OFF:
        return Attribution(loss=loss, taker=Taker.GATE, known_by=KnownBy.GATE, sentence=gate.reason)
    taken = [step for step in audited if _takes(step.before, step.after, loss)]
    if taken:
        return _blame(loss, taken[-1].identity, KnownBy.AUDIT, "The audit log has its patch.")
    hops = evidence.walk.hops if evidence.walk else ()
    seen = [hop for hop in hops if _takes(hop.before, hop.after, loss)]
    if seen and not audited:
        behind = "" if seen[-1].sure else " (behind a hop of which nothing is known)"
        said = f"Called by itself{behind}, with the pod as it gets it, it takes the field away."
        return _blame(loss, seen[-1].webhook.identity, KnownBy.DIRECT_CALLS, said)
    return _eliminate(loss, evidence, gate, suspects)


def _blame(loss: Loss, hop: str, known_by: KnownBy, sentence: str) -> Attribution:
    return Attribution(
        loss=loss, taker=Taker.WEBHOOK, known_by=known_by, sentence=sentence, hop=hop
    )


def _eliminate(
    loss: Loss, evidence: Evidence, gate: GateKnowledge, suspects: tuple[str, ...]
) -> Attribution:
    """What is left when nobody was seen doing it."""
    unsettled = gate.state is GateState.UNKNOWN
    if unsettled and not suspects:
        return Attribution(
            loss=loss,
            taker=Taker.GATE,
            known_by=KnownBy.ELIMINATION,
            sentence=f"No webhook can have taken it. {gate.reason}",
        )
    if unsettled:
        return Attribution(
            loss=loss,
            taker=Taker.UNSETTLED,
            known_by=KnownBy.NOTHING,
            sentence=f"{gate.reason} {_uncleared(suspects)}",
            suspects=suspects,
        )
    if len(suspects) == 1 and not evidence.others:
        said = f"No other webhook can have taken it, and no feature gate. {gate.reason}"
        return _blame(loss, suspects[0], KnownBy.ELIMINATION, said)
    others = f" {', '.join(evidence.others)} may change pods as well." if evidence.others else ""
    return Attribution(
        loss=loss,
        taker=Taker.UNKNOWN,
        known_by=KnownBy.NOTHING,
        sentence=f"{_uncleared(suspects)}{others} {gate.reason}",
        suspects=suspects,
    )


def _uncleared(suspects: tuple[str, ...]) -> str:
    match len(suspects):
        case 0:
            return "No webhook that is seen can have taken it."
        case 1:
            return "One webhook was not seen alone."
        case count:
            return f"{count} webhooks were called and none of them was seen taking it."


def _takes(before: JsonObject, after: JsonObject, loss: Loss) -> bool:
    """Whether a step is the one in which the value went away."""
    return before is not after and _has(before, loss) and not _has(after, loss)


def _has(pod: JsonObject, loss: Loss) -> bool:
    """Whether a pod has the value: the very value where another may stand in its place."""
    if any(step.kind == "element" and step.name.isdecimal() for step in parse_path(loss.path)):
        # Told apart by position: its place may be another by now.
        values = _values_at(pod, loss.field.split("."))
        return any(_is_left_of(value, loss.before) for value in values)
    value = value_at(pod, loss.path)
    if value is None or isinstance(value, Absent):
        return False
    return loss.fate is Fate.LOST or value == loss.before


def _is_left_of(value: JsonValue, whole: JsonValue | Absent) -> bool:
    """Whether a value is what is left of another: an earlier hop may have taken a part of it."""
    if isinstance(value, dict) and isinstance(whole, dict):
        return bool(value) and all(
            name in whole and _is_left_of(member, whole[name]) for name, member in value.items()
        )
    if isinstance(value, list) and isinstance(whole, list):
        return bool(value) and all(
            any(_is_left_of(each, other) for other in whole) for each in value
        )
    return value == whole


def _values_at(value: JsonValue, steps: Sequence[str]) -> Iterator[JsonValue]:
    """The values at a catalogue path, given as its steps (`containers[]`)."""
    if not steps:
        yield value
        return
    name = steps[0].removesuffix("[]").removesuffix("{}")
    member = value.get(name) if isinstance(value, dict) else None
    if name == steps[0]:
        if member is not None:
            yield from _values_at(member, steps[1:])
    elif isinstance(member, list):
        for element in member:
            yield from _values_at(element, steps[1:])
    elif isinstance(member, dict):
        for entry in member.values():
            yield from _values_at(entry, steps[1:])
