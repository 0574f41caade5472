"""What does the audit log say of a pod's way through the chain?

For every webhook it called, the API server notes whether the pod changed, and from audit level
Request on also the patch: the one record of the real chain, which calls nobody. Metadata-level
events only narrow down who can have done it.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/mutating/dispatcher.go (the annotations);
audit.k8s.io/v1 Event.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.decoding import Decoded, decode_object
from webhook_fuzz.fuzzer.apiserver.defaulting import default_patched_pod, default_pod
from webhook_fuzz.fuzzer.apiserver.json_patch_versions import json_patch_version
from webhook_fuzz.fuzzer.apiserver.patches import PatchError, apply_patch

_MUTATION: Final = "mutation.webhook.admission.k8s.io/"
_PATCH: Final = "patch.webhook.admission.k8s.io/"
_FAILED_OPEN: Final = "failed-open.mutation.webhook.admission.k8s.io/"
_TURN: Final = re.compile(r"round_(\d+)_index_(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedCall:
    """One call of a webhook. `index` is its position in the chain, counted over all webhooks.

    `patch` is None where the event does not have it: the level is Metadata, or there was none.
    """

    round: int
    index: int
    configuration: str
    webhook: str
    mutated: bool
    failed_open: bool = False
    patch: tuple[JsonObject, ...] | None = None

    @property
    def identity(self) -> str:
        """`CONFIG/NAME`."""
        return f"{self.configuration}/{self.webhook}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """The calls of one request, in their order; `start` is its object where the event has it."""

    calls: tuple[AuditedCall, ...]
    start: JsonObject | None = None

    @property
    def has_patches(self) -> bool:
        """Whether every change comes with the patch that made it."""
        return all(call.patch is not None for call in self.calls if call.mutated)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedStep:
    """The pod before and after one call, as far as patches alone tell."""

    call: AuditedCall
    before: JsonObject
    after: JsonObject


def read_audit_trail(event: Mapping[str, JsonValue]) -> AuditTrail:
    """The trail in an audit event, given as parsed JSON; empty where the event has none."""
    annotations = event.get("annotations")
    notes = annotations if isinstance(annotations, dict) else {}
    calls = [
        call
        for key, value in notes.items()
        if key.startswith(_MUTATION) and (call := _call(key, value, notes)) is not None
    ]
    requested = event.get("requestObject")
    return AuditTrail(
        calls=tuple(sorted(calls, key=lambda call: (call.round, call.index))),
        start=requested if isinstance(requested, dict) else None,
    )


def replay(
    trail: AuditTrail, start: JsonObject, *, schema: FieldSchema, api_server: Minor
) -> Iterator[AuditedStep]:
    """The pod before and after each call, from the pod the request was about.

    In-tree plugins have added to that pod before the webhooks got it, always behind what was there
    (volumes, mounts, tolerations). So an operation on what only they have added finds nothing here
    and is left out: it does not concern the user's fields.
    """
    pod = default_pod(start)
    for call in trail.calls:
        after = _patched(pod, call.patch or (), api_server)
        decoded = decode_object(after, schema, reuse=pod)
        if isinstance(decoded, Decoded):
            after = default_patched_pod(decoded.value, reuse=pod)
        else:
            after = pod
        yield AuditedStep(call=call, before=pod, after=after)
        pod = after


def _patched(pod: JsonObject, operations: tuple[JsonObject, ...], api_server: Minor) -> JsonObject:
    version = json_patch_version(api_server)
    for operation in operations:
        try:
            result = apply_patch(pod, [operation], json_patch=version)
        except PatchError:
            continue
        pod = result if isinstance(result, dict) else pod
    return pod


def _call(key: str, value: JsonValue, notes: Mapping[str, JsonValue]) -> AuditedCall | None:
    turn = key.removeprefix(_MUTATION)
    found, said = _TURN.fullmatch(turn), _object(value)
    if found is None or said is None:
        return None
    patched = _object(notes.get(_PATCH + turn))
    operations = patched.get("patch") if patched else None
    return AuditedCall(
        round=int(found[1]),
        index=int(found[2]),
        configuration=str(said.get("configuration", "")),
        webhook=str(said.get("webhook", "")),
        mutated=said.get("mutated") is True,
        failed_open=_FAILED_OPEN + turn in notes,
        patch=tuple(each for each in operations if isinstance(each, dict))
        if isinstance(operations, list)
        else None,
    )


def _object(value: JsonValue) -> JsonObject | None:
    """A JSON object an annotation holds as text."""
    if not isinstance(value, str):
        return None
    try:
        found: JsonValue = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
