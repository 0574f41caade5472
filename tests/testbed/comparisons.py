"""Where do the API server and the product's rules disagree about a trial?

Everything is compared that the API server shows: how the request ended, with which code and words,
the pod the next webhook was sent, and the bytes of the review.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import orjson

from testbed.emulations import emulate, emulate_review
from testbed.oracles import Outcome, OutcomeKind, Result
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor

SHOWN_CHARACTERS = 800
SHOWN_BYTES = 40
ALWAYS_WRITTEN = frozenset({"spec.resourceClaims[].source"})
"""Structs without `omitempty` that are not required. Source: k8s.io/api v0.30 core/v1/types.go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A disagreement: the name of the trial, what each side has, and the answer that was given."""

    trial: str
    what: str
    answer: bytes

    def __str__(self) -> str:
        return f"{self.trial}\n    {self.what}\n    {_readable(self.answer)}"


def find_difference(result: Result, minor: Minor) -> Difference | None:
    """The first disagreement about the outcome of a trial; None when everything is the same."""
    what = _compare(result.outcome, emulate(result, minor))
    return _difference(result, what)


def find_difference_of_review(result: Result, minor: Minor) -> Difference | None:
    """Whether the review that was sent is, byte for byte, the one the product makes of its pod."""
    ours, theirs = emulate_review(result, minor), result.review
    if ours == theirs:
        return None
    at = next(i for i, pair in enumerate(zip_longest(ours, theirs)) if pair[0] != pair[1])
    span = slice(max(at - SHOWN_BYTES, 0), at + SHOWN_BYTES)
    return _difference(result, f"the review: the server: {theirs[span]!r}; we: {ours[span]!r}")


def _difference(result: Result, what: str | None) -> Difference | None:
    if what is None:
        return None
    return Difference(trial=result.trial.name, what=what, answer=result.trial.respond("UID"))


def _readable(answer: bytes) -> str:
    """The patch of an answer, or else the answer."""
    try:
        text = base64.b64decode(orjson.loads(answer)["response"]["patch"])
    except (ValueError, KeyError, TypeError):
        text = answer
    return text.decode(errors="replace")[:SHOWN_CHARACTERS]


def _compare(theirs: Outcome, ours: Outcome) -> str | None:
    if theirs.kind is not ours.kind:
        if _is_up_to_chance(theirs, ours):
            return None
        said = f"{theirs.code} {theirs.message}"
        return f"the server: {theirs.kind} ({said}); we: {ours.kind} ({ours.message})"
    match ours.kind:
        case OutcomeKind.PASSED:
            return find_differing_place(theirs.pod, ours.pod) or _compare_warnings(theirs, ours)
        case OutcomeKind.DENIED:
            same = ours.code == theirs.code and theirs.message.endswith(_denial(ours.message))
        case OutcomeKind.INTERNAL:
            same = not ours.message or ours.message == theirs.message
        case _:
            same = True
    return None if same else f"the server: {theirs.code} {theirs.message}; we: {ours.message}"


def _is_up_to_chance(theirs: Outcome, ours: Outcome) -> bool:
    """Whether Go compared the members of two objects in another order.

    A `test` of an object ends at the first member that differs or panics, and the order of a Go
    map is random.
    """
    panicking, failing = (ours, theirs) if ours.kind is OutcomeKind.PANIC else (theirs, ours)
    failed = failing.message.endswith("failed: test failed")
    return panicking.kind is OutcomeKind.PANIC and failed


def _denial(message: str) -> str:
    """The end of the sentence. Source: errors/statuserror.go ToStatusErr."""
    return f"denied the request: {message}" if message else "denied the request without explanation"


def _compare_warnings(theirs: Outcome, ours: Outcome) -> str | None:
    missing = [
        text for text in ours.warnings if not any(text in other for other in theirs.warnings)
    ]
    return f"warnings: the server: {theirs.warnings}; we: {ours.warnings}" if missing else None


def find_differing_place(theirs: JsonValue, ours: JsonValue) -> str | None:
    """The first path (of the catalogue's form) at which two pods differ, with both values.

    Two things are no difference, because they are the same Go value. What Go leaves out of a text
    when it is empty (`omitempty`) we may still have; and where a member is missing Go may write a
    null, or zero where it is required, which validation refuses anyway.
    """
    return next(_differing_places(theirs, ours, ""), None)


def _differing_places(theirs: JsonValue, ours: JsonValue, path: str) -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        yield from _differing_members(theirs, ours, path)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for left, right in zip(theirs, ours, strict=True):
            yield from _differing_places(left, right, f"{path}[]")
    elif type(theirs) is not type(ours) or theirs != ours:
        yield f"{path}: the server: {theirs!r}; we: {ours!r}"


def _differing_members(theirs: JsonObject, ours: JsonObject, path: str) -> Iterator[str]:
    for name in {**theirs, **ours}:
        below = f"{path}.{name}".removeprefix(".")
        if name in theirs and name in ours:
            yield from _differing_places(theirs[name], ours[name], below)
        elif ours.get(name):
            yield f"{below}: the server: absent; we: {ours[name]!r}"
        elif name in theirs and not _is_written_for_nothing(theirs[name], below):
            yield f"{below}: the server: {theirs[name]!r}; we: absent"


def _is_written_for_nothing(value: JsonValue, path: str) -> bool:
    field = load_catalogue().get(path)
    written = path in ALWAYS_WRITTEN or (field is not None and field.required)
    return value is None or (written and _is_zero(value))


def _is_zero(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return all(map(_is_zero, value.values()))
    return not value
