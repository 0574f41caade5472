"""WF001-WF006, WF009, WF010, WF403: does the webhook answer as the API server expects?

WF007 and WF008 need the same pod with and without a probe; they are decided in `isolation.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.exchanges import UNREACHED, CallFailure, FailureKind
from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import Absent, element_keys, escape_key
from webhook_fuzz.fuzzer.apiserver.answers import InvalidAnswer, InvalidReason
from webhook_fuzz.fuzzer.apiserver.decoding import Decoded, DecodeError
from webhook_fuzz.fuzzer.apiserver.patches import PatchError
from webhook_fuzz.fuzzer.checks.registry import check
from webhook_fuzz.fuzzer.differences.comparing import ChangeKind, member_paths
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation

_PATCH_REASONS = {
    InvalidReason.PATCH_WITHOUT_TYPE,
    InvalidReason.TYPE_WITHOUT_PATCH,
    InvalidReason.UNSUPPORTED_PATCH_TYPE,
    InvalidReason.PATCH_NOT_BASE64,
    InvalidReason.PATCH_NOT_A_PATCH,
}


@check("WF001")
def unreachable(observation: Observation) -> Iterator[Finding]:
    """Dialling, TLS or a time-out: nothing came that HTTP calls an answer."""
    failure = observation.exchange.outcome
    if isinstance(failure, CallFailure) and failure.kind in UNREACHED:
        yield Finding(code="WF001", explanation=f"{_sentence(failure.detail)} ({failure.kind})")


@check("WF002")
def http_error(observation: Observation) -> Iterator[Finding]:
    """A status outside 200 to 206 (client-go rest/request.go transformResponse)."""
    failure = observation.exchange.outcome
    if isinstance(failure, CallFailure) and failure.kind is FailureKind.STATUS:
        yield Finding(code="WF002", explanation=_sentence(failure.detail))


@check("WF003")
def invalid_review(observation: Observation) -> Iterator[Finding]:
    """The body is no AdmissionReview that answers this request (VerifyAdmissionResponse)."""
    failure = observation.exchange.outcome
    if isinstance(failure, CallFailure) and failure.kind is FailureKind.MALFORMED_HTTP:
        yield Finding(code="WF003", explanation=_sentence(failure.detail))
    answer = observation.answer
    if isinstance(answer, InvalidAnswer) and answer.reason not in _PATCH_REASONS:
        yield Finding(code="WF003", explanation=f"{answer.detail} ({answer.reason})")


@check("WF004")
def invalid_patch_type(observation: Observation) -> Iterator[Finding]:
    """A patch without its type, the reverse, or one that is no base64 JSON Patch."""
    answer = observation.answer
    if isinstance(answer, InvalidAnswer) and answer.reason in _PATCH_REASONS:
        yield Finding(code="WF004", explanation=f"{answer.detail} ({answer.reason})")


@check("WF005")
def patch_does_not_apply(observation: Observation) -> Iterator[Finding]:
    """Application fails; failurePolicy does not cover it, and the webhook is not named."""
    error = observation.patched
    if isinstance(error, PatchError) and not _is_escaping_fault(error):
        yield Finding(
            code="WF005",
            culprits=(error.index,),
            explanation=f"Operation {error.index} ({_shown(error)}): {error.message}",
        )


@check("WF006")
def patched_object_undecodable(observation: Observation) -> Iterator[Finding]:
    """The patched pod does not decode into the API's types."""
    error = observation.decoded
    if isinstance(error, DecodeError):
        yield Finding(code="WF006", explanation=error.message)


@check("WF009")
def adds_unknown_field(observation: Observation) -> Iterator[Finding]:
    """A member the webhook set that the target does not have: it is dropped without a word."""
    if not isinstance(observation.decoded, Decoded) or not observation.changes:
        return
    if observation.target == observation.catalogue.newest and not observation.decoded.dropped:
        return  # decoding by the same fields has found nothing that is not there
    schema = observation.catalogue.schema(observation.target)
    moved = [migration.target_path for migration in observation.migrations]
    for change in observation.changes:
        if change.kind not in {ChangeKind.ADDED, ChangeKind.ELEMENT_ADDED}:
            continue
        if isinstance(change.after, Absent):
            continue
        added = _Added(path=change.path, field=change.field, value=change.after)
        member = _schema_at(change.field, schema)
        for unknown in [added] if member is None else _unknown_members(added, member):
            # An empty struct or null is what marshalling older types leaves: nobody set it.
            if unknown.value in ({}, [], "", None):
                continue
            if not _is_brought_by_user(unknown, moved, observation.sent):
                yield Finding(
                    code="WF009",
                    path=unknown.path,
                    field=unknown.field,
                    after=unknown.value,
                    explanation=(
                        f"Kubernetes {observation.target} has no such field: it is dropped after "
                        "the patch, without an error or a warning."
                    ),
                )


@check("WF010")
def bad_pointer_escaping(observation: Observation) -> Iterator[Finding]:
    """A key with `/` or `~` was not escaped, so that a wrong key appears or nothing applies."""
    error = observation.patched
    if isinstance(error, PatchError) and _is_escaping_fault(error):
        yield Finding(
            code="WF010",
            culprits=(error.index,),
            field=_map_field(error.path),
            explanation=f"{error.path} names a key below a key: {error.message}",
        )
    for change in observation.changes:
        # No label, annotation or node selector can have a tilde in its key.
        if change.kind is ChangeKind.ADDED and change.field in _MAP_FIELDS and "~" in change.path:
            yield Finding(
                code="WF010",
                path=change.path,
                field=change.field,
                after=change.after,
                explanation="The key was escaped in the wrong way, and another key appeared.",
            )


@check("WF403")
def oversized_response(observation: Observation) -> Iterator[Finding]:
    """An answer beyond the cap; the API server has none and reads it into memory."""
    failure = observation.exchange.outcome
    if isinstance(failure, CallFailure) and failure.kind is FailureKind.TOO_LARGE:
        yield Finding(code="WF403", explanation=_sentence(failure.detail))


_MAP_POINTERS = ("/metadata/annotations/", "/metadata/labels/", "/spec/nodeSelector/")
_MAP_FIELDS = frozenset(pointer.strip("/").replace("/", ".") + "{}" for pointer in _MAP_POINTERS)


def _is_escaping_fault(error: PatchError) -> bool:
    """A pointer that goes on below the key of a map, whose values are strings."""
    return any(
        error.path.startswith(prefix) and "/" in error.path.removeprefix(prefix)
        for prefix in _MAP_POINTERS
    )


def _map_field(pointer: str) -> str | None:
    for prefix in _MAP_POINTERS:
        if pointer.startswith(prefix):
            return prefix.strip("/").replace("/", ".") + "{}"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added:
    """A value that was not in the pod, at its keyed and its catalogue path."""

    path: str
    field: str
    value: JsonValue


def _unknown_members(added: _Added, schema: FieldSchema) -> Iterator[_Added]:
    """The topmost members of an added value that a schema does not have."""
    value = added.value
    if schema.kind is Kind.OBJECT and isinstance(value, dict):
        for name, member in value.items():
            path, field = member_paths(added.path, added.field, name)
            below = _Added(path=path, field=field, value=member)
            if name in schema.members:
                yield from _unknown_members(below, schema.members[name])
            else:
                yield below
    elif schema.element is not None and schema.kind is Kind.LIST and isinstance(value, list):
        keys = element_keys(value, schema.merge_keys)
        for key, element in zip(keys, value, strict=True):
            path, field = f"{added.path}[{escape_key(key, ']')}]", added.field + "[]"
            below = _Added(path=path, field=field, value=element)
            yield from _unknown_members(below, schema.element)


def _is_brought_by_user(added: _Added, moved: Iterable[str], sent: JsonObject) -> bool:
    """Whether the user's pod says the same somewhere: then it moved here, or was copied."""
    if any(path.startswith(added.path) for path in moved):
        return True
    return any(value == added.value for value in _values_at(sent, added.field.split(".")))


def _values_at(value: JsonValue, steps: Sequence[str]) -> Iterator[JsonValue]:
    """The values at a catalogue path, given as its steps (`containers[]`)."""
    if not steps:
        yield value
    elif isinstance(value, dict):
        name = steps[0].removesuffix("[]")
        member = value.get(name)
        if name == steps[0]:
            yield from _values_at(member, steps[1:]) if name in value else ()
        elif isinstance(member, list):
            for element in member:
                yield from _values_at(element, steps[1:])


def _schema_at(field: str, schema: FieldSchema) -> FieldSchema | None:
    """The schema at a catalogue path; None where the schema does not have it."""
    found: FieldSchema | None = schema
    for step in field.split("."):
        name = step.removesuffix("[]").removesuffix("{}")
        found = found.members.get(name) if found is not None else None
        if found is not None and name != step:
            found = found.element
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _shown(error: PatchError) -> str:
    operation = error.operation or {}
    return f"{operation.get('op')} {error.path}"
