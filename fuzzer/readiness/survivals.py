"""Did the field come through admission, and if not, who is to blame?

A field that an API server does not know is refused by name (fieldValidation Strict). One whose gate
is off reaches the webhooks and is dropped after them, without a word (PrepareForCreate): no webhook
did that. Only what is lost with the gate certainly on is a webhook's doing.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from webhook_fuzz.corpora.cluster_api.failures import Seen, Unseen
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.fuzzer.cluster.component_facts import ProbeAnswer
from webhook_fuzz.fuzzer.differences.comparing import ChangeKind, compare_pods
from webhook_fuzz.fuzzer.readiness.gate_answers import GateAnswer, State
from webhook_fuzz.fuzzer.readiness.probe_pods import ProbePod

_BAD_REQUEST = 400
_FORBIDDEN = 403
_INVALID = 422
_UNKNOWN_FIELD = re.compile(r'unknown field "([^"]*)"')
_INDEX = re.compile(r"\[\d+\]")
# Validation of an init container that came in as a native sidecar and is none any more.
_NO_SIDECAR_ANY_MORE = "without restartPolicy=Always"
_LOSSES = frozenset({ChangeKind.LOST, ChangeKind.ENTRY_LOST, ChangeKind.CHANGED})


_WHO = "A webhook took it away."
_WHO_ELSE = (
    "No registered webhook is called for the pod: a MutatingAdmissionPolicy took it away, or a "
    "webhook from a file of the API server."
)


class Survival(StrEnum):
    """What became of the fields of a probe pod."""

    PRESENT = "present"
    REFUSED = "refused-by-strict"
    DROPPED_BY_GATE = "dropped-by-gate"
    LOST = "lost-to-a-webhook"
    LOST_OR_DROPPED = "lost-or-dropped"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What became of the fields: `lost` are the keyed paths that did not come back.

    `suspects` are the webhooks that may have taken them, with `how` that is known.
    """

    survival: Survival
    sentence: str
    fields: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    how: str = ""


def judge_probe(
    probe: ProbePod, answer: Seen[ProbeAnswer], gate: GateAnswer, *, any_webhook: bool | None
) -> ProbeResult:
    """What the answer to a probe pod shows.

    `gate` is the API server's; `any_webhook` says whether any webhook is called for the pod, None
    where that is not known.
    """
    if isinstance(answer, Unseen):
        return _result(probe, Survival.BLOCKED, f"The probe pod was not answered: {answer.why}")
    if answer.pod is None:
        return _judge_refusal(probe, answer, gate, any_webhook=any_webhook)
    lost = _lost(probe, answer)
    if not lost:
        return _result(probe, Survival.PRESENT, "Every field came through admission.")
    return _judge_loss(probe, lost, gate, any_webhook=any_webhook)


def _lost(probe: ProbePod, answer: ProbeAnswer) -> tuple[str, ...]:
    """Losses at, above or below the fields of the probe."""
    catalogue = load_catalogue()
    changes = compare_pods(probe.pod, answer.pod or {}, catalogue.schema(catalogue.newest))
    return tuple(
        change.path
        for change in changes
        if change.kind in _LOSSES and any(_is_about(change.field, field) for field in probe.fields)
    )


def _is_about(changed: str, field: str) -> bool:
    return (
        changed == field
        or changed.startswith((f"{field}.", f"{field}["))
        or (field.startswith((f"{changed}.", f"{changed}[")))
    )


def _judge_loss(
    probe: ProbePod, lost: tuple[str, ...], gate: GateAnswer, *, any_webhook: bool | None
) -> ProbeResult:
    if gate.state is State.OFF and gate.certain:
        sentence = f"The API server drops it after the webhooks: the gate is off ({gate.how})."
        return _result(probe, Survival.DROPPED_BY_GATE, sentence, lost)
    if gate.state is State.ON and gate.certain:
        sentence = f"{_WHO_ELSE if any_webhook is False else _WHO} The gate is on: {gate.how}."
        return _result(probe, Survival.LOST, sentence, lost)
    if any_webhook is False:
        sentence = "No webhook is called for the pod: the API server dropped it, the gate is off."
        return _result(probe, Survival.DROPPED_BY_GATE, sentence, lost)
    sentence = f"Either a webhook took it away or the gate is off; the gate: {gate.how}."
    return _result(probe, Survival.LOST_OR_DROPPED, sentence, lost)


def _judge_refusal(
    probe: ProbePod, answer: ProbeAnswer, gate: GateAnswer, *, any_webhook: bool | None
) -> ProbeResult:
    unknown = tuple(
        path
        for path in _UNKNOWN_FIELD.findall(answer.message)
        if any(_is_about(_INDEX.sub("[]", path), field) for field in probe.fields)
    )
    if answer.status == _BAD_REQUEST and unknown:
        sentence = "The API server does not know it, and says so (fieldValidation Strict)."
        return _result(probe, Survival.REFUSED, sentence, unknown)
    if answer.status == _INVALID and _NO_SIDECAR_ANY_MORE in answer.message:
        lost = tuple(field for field in probe.fields if field.endswith("restartPolicy"))
        return _judge_loss(probe, lost or probe.fields, gate, any_webhook=any_webhook)
    why = "was refused" if answer.status in {_FORBIDDEN, _INVALID, _BAD_REQUEST} else "failed"
    sentence = f"The probe pod {why} before anything could be seen ({answer.status}): "
    return _result(probe, Survival.BLOCKED, sentence + answer.message)


def _result(
    probe: ProbePod, survival: Survival, sentence: str, lost: tuple[str, ...] = ()
) -> ProbeResult:
    return ProbeResult(survival=survival, sentence=sentence, fields=probe.fields, lost=lost)


def blame(result: ProbeResult, suspects: tuple[str, ...], how: str) -> ProbeResult:
    """The same with the webhooks that may have done it, and how that is known."""
    return replace(result, suspects=suspects, how=how)
