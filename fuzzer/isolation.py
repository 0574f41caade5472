"""Which probe makes a webhook deny a pod, or fail on it?

A packed pod that is denied says nothing about the twenty probes on it. Halving finds the ones that
are to blame; they are then left out, so that the others are still judged.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

from webhook_fuzz.corpora.exchanges import CallFailure
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.fields.generating import FIRST_MINOR
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.fields.unions import is_union_member
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.fuzzer.apiserver.answers import Answer
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.cases import Case, Purpose
from webhook_fuzz.fuzzer.generation.packing import subset_case
from webhook_fuzz.fuzzer.observations import Observation

MOST_CALLS = 64
"""Halving stops here: a webhook that denies at random would keep it busy for ever."""

SIDECAR_PROBE = "native-sidecar"

Send = Callable[[Case], Awaitable[Observation]]


def is_blocked(observation: Observation) -> bool:
    """Whether the webhook denied the pod or did not answer it as it should."""
    if isinstance(observation.exchange.outcome, CallFailure):
        return True
    return not isinstance(observation.answer, Answer) or not observation.answer.allowed


async def find_culprits(
    case: Case, seed: SeedPod, send: Send, *, schema: FieldSchema, known: Collection[str] = ()
) -> tuple[str, ...]:
    """The names of the probes of a blocked case that are blocked by themselves.

    `known` culprits are left out. Empty where it is the seed pod that is blocked, where only a
    combination of probes is, or where the calls ran out before one was found.
    """
    placed = dict.fromkeys(placement.probe.name for placement in case.placements)
    names = tuple(name for name in placed if name not in known)
    calls = 0

    async def blocked(subset: Collection[str]) -> bool:
        nonlocal calls
        calls += 1
        if calls > MOST_CALLS:
            return False
        return is_blocked(await send(subset_case(case, seed, subset, schema)))

    if known and not await blocked(names):
        return ()
    if await blocked(()):
        return ()  # a webhook may refuse host networking, say, whatever else the pod has
    if SIDECAR_PROBE in names and await blocked({SIDECAR_PROBE}):
        return (SIDECAR_PROBE,)
    # Probes of sidecars need one; having it along is harmless once it is not to blame.
    base = {SIDECAR_PROBE} & set(names)
    return await _halve([name for name in names if name not in base], base, blocked)


async def _halve(
    names: Sequence[str],
    base: Collection[str],
    blocked: Callable[[Collection[str]], Awaitable[bool]],
) -> tuple[str, ...]:
    if not names or not await blocked({*names, *base}):
        return ()
    if len(names) == 1:
        return (names[0],)
    middle = len(names) // 2
    return (
        *await _halve(names[:middle], base, blocked),
        *await _halve(names[middle:], base, blocked),
    )


def blocked_finding(observation: Observation, probe_fields: Sequence[str]) -> tuple[Finding, ...]:
    """WF007 or WF008 for a probe whose pod is blocked while the same pod without it is not.

    None where no field of the probe is new: refusing host ports, say, is a policy, and a failure on
    a field that has always been there is told by the failed call itself.
    """
    field = next((path for path in probe_fields if _is_new(path, observation)), None)
    if field is None:
        return ()
    if observation.denied:
        answer = observation.answer
        message = answer.message if isinstance(answer, Answer) else ""
        said = f": {message}" if message else ""
        explained = f"The pod is allowed without the field and denied with it{said}."
        return (Finding(code="WF007", field=field, explanation=explained),)
    outcome = observation.exchange.outcome
    detail = outcome.detail if isinstance(outcome, CallFailure) else "the answer is malformed"
    explained = f"The webhook answers the pod without the field and fails with it: {detail}."
    return (Finding(code="WF008", field=field, explanation=explained),)


def without_new_fields(case: Case, catalogue: Catalogue) -> Case | None:
    """The same pod without the new fields of its probes: what they stand on may be refused instead.

    None where that says nothing: without the member of a one-of the pod is no valid pod, and to a
    webhook that does not know the member it is the same as before.
    """
    fields = {path: catalogue.get(path) for path in sorted(case.fields)}
    new = [path for path, field in fields.items() if field is None or field.since > FIRST_MINOR]
    owners = [field.owner for field in fields.values() if field is not None]
    if any(is_union_member(*owner.split(".", 1)) for owner in owners):
        return None
    pod = case.pod
    for path in new:
        pod = _without(pod, path.split("."))
    return replace(
        case,
        name=f"{case.name}-without",
        purpose=Purpose.CONTROL,
        pod=pod,
        placements=(),
        fields=frozenset(),
    )


def _without(value: JsonObject, steps: Sequence[str]) -> JsonObject:
    """An object without the members at a catalogue path, given as its steps (`containers[]`)."""
    name, rest = steps[0].removesuffix("[]"), steps[1:]
    if not rest:
        return {key: member for key, member in value.items() if key != name}
    member = value.get(name)
    if isinstance(member, dict):
        return {**value, name: _without(member, rest)}
    if isinstance(member, list):
        elements = [_without(e, rest) if isinstance(e, dict) else e for e in member]
        return {**value, name: elements}
    return value


def _is_new(path: str, observation: Observation) -> bool:
    """Whether the field is newer than the oldest release known, or of none at all."""
    field = observation.catalogue.get(path)
    return field is None or field.since > FIRST_MINOR
