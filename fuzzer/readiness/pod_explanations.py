"""What happened to the feature's fields in one pod, station by station?

What the owner's template has, what the pod was stored with, and what the kubelet of its node makes
of it. For native sidecars that hang, `stuck_pods.py` says who did it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.fuzzer.readiness.gate_answers import GateAnswer
from webhook_fuzz.fuzzer.readiness.outcomes import SENTENCES, Outcome, predict_outcome
from webhook_fuzz.fuzzer.readiness.pod_origins import template_of
from webhook_fuzz.fuzzer.readiness.standings import ApiServerStanding, NodeStanding
from webhook_fuzz.fuzzer.readiness.stuck_pods import Stuck


@dataclass(frozen=True, slots=True, kw_only=True)
class PodExplanation:
    """One pod: catalogue paths in its template and in the pod itself, its node, what comes of it.

    `in_template` is None where the template was not seen or there is none.
    """

    namespace: str
    name: str
    node: str
    in_template: tuple[str, ...] | None
    in_pod: tuple[str, ...]
    kubelet: GateAnswer | None
    outcome: Outcome | None
    stuck: Stuck | None
    sentences: tuple[str, ...]


def explain_pod(
    gate: Gate,
    pod: JsonObject,
    *,
    owners: Sequence[JsonObject],
    server: ApiServerStanding,
    node: NodeStanding | None,
    stuck: Stuck | None,
) -> PodExplanation:
    """What happened to the fields of `gate` in a pod."""
    template = template_of(owners)
    in_template = None if template is None else tuple(find_fields(gate, {"spec": template}))
    in_pod = tuple(find_fields(gate, pod))
    kubelet = None if node is None else (node.minor, node.answer)
    outcome = (
        predict_outcome(gate, api_server=(server.minor, server.answer), kubelet=kubelet)
        if in_pod
        else None
    )
    return PodExplanation(
        namespace=text_at(object_at(pod, "metadata"), "namespace"),
        name=text_at(object_at(pod, "metadata"), "name"),
        node=text_at(object_at(pod, "spec"), "nodeName"),
        in_template=in_template,
        in_pod=in_pod,
        kubelet=None if node is None else node.answer,
        outcome=outcome,
        stuck=stuck,
        sentences=tuple(_sentences(in_template, in_pod, outcome, node)),
    )


def _sentences(
    in_template: tuple[str, ...] | None,
    in_pod: tuple[str, ...],
    outcome: Outcome | None,
    node: NodeStanding | None,
) -> Iterator[str]:
    if in_template is not None:
        yield f"The owner's template has {_list(in_template)}."
    else:
        yield "The owner's template was not seen, or nobody owns the pod."
    yield f"The stored pod has {_list(in_pod)}."
    gone = sorted(set(in_template or ()) - set(in_pod))
    if gone:
        yield f"Lost on the way: {', '.join(gone)}."
    if node is not None:
        yield (
            f"Node {node.node.name}, kubelet {node.node.kubelet}: {node.answer.label} "
            f"({node.answer.how})."
        )
    if outcome is not None:
        yield f"Together: {SENTENCES[outcome]}."


def find_fields(gate: Gate, pod: JsonObject) -> list[str]:
    """The catalogue paths behind the gate itself, not below it, that a pod sets."""
    catalogue = load_catalogue()
    guarded = frozenset(field.path for field in catalogue.fields if field.gate == gate.name)
    return [path for path in catalogue.topmost(guarded) if _is_set(pod, path.split("."))]


def _is_set(value: JsonValue, steps: Sequence[str]) -> bool:
    if not steps:
        return value is not None
    name = steps[0].removesuffix("[]").removesuffix("{}")
    member = value.get(name) if isinstance(value, dict) else None
    if steps[0].endswith("[]"):
        return isinstance(member, list) and any(_is_set(each, steps[1:]) for each in member)
    if steps[0].endswith("{}"):
        return isinstance(member, dict) and any(
            _is_set(each, steps[1:]) for each in member.values()
        )
    return member is not None and _is_set(member, steps[1:])


def _list(paths: Sequence[str]) -> str:
    return ", ".join(paths) if paths else "none of the feature's fields"
