"""Which operations of a patch touched the field of a finding?

Judging is not done here: the finding was judged on the resulting object. This only points a reader
at the operations worth reading first, among what may be sixty: those at the field, inside it, or
replacing or removing something that holds it. Where none does, none is marked: a webhook that
shifts list indices breaks fields with operations that look harmless one by one.
"""

import re
from collections.abc import Iterator, Sequence

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.reports.results import FindingResult, ShownOperation

_KEY = re.compile(r"\[[^\]]*\]")
_SEGMENT = re.compile(r"([^.\[\]{}]+)|(\[\])|(\{\})")
_WRITES = frozenset({"remove", "replace", "move"})


def mark_operations(finding: FindingResult) -> tuple[ShownOperation, ...]:
    """The operations of the reproducer's patch, those that touched the finding's field marked."""
    reproducer = finding["reproducer"]
    if reproducer is None or not reproducer["patch"]:
        return ()
    pattern = finding["field"] or _KEY.sub("[]", finding["path"] or "")
    places = tuple(_pointers(reproducer["pod"], pattern)) if pattern else ()
    return tuple(
        ShownOperation(operation=operation, culprit=_touches(operation, places))
        for operation in reproducer["patch"]
    )


def most_telling(operations: Sequence[ShownOperation], most: int) -> tuple[ShownOperation, ...]:
    """At most `most` operations in their order: the marked ones before any other is left out."""
    order = sorted(range(len(operations)), key=lambda index: not operations[index]["culprit"])
    return tuple(operations[index] for index in sorted(order[:most]))


def _touches(operation: JsonObject, places: Sequence[tuple[str, ...]]) -> bool:
    written = [_tokens(operation.get("path"))]
    if operation.get("op") == "move":
        written.append(_tokens(operation.get("from")))
    return any(
        _concerns(tokens, place, replaces=operation.get("op") in _WRITES)
        for tokens in written
        if tokens is not None
        for place in places
    )


def _concerns(tokens: tuple[str, ...], place: tuple[str, ...], *, replaces: bool) -> bool:
    if tokens[: len(place)] == place:  # the field itself, or inside it
        return True
    # `add` at an object's member overwrites it; at a list's index it inserts before it.
    inserts = bool(tokens) and (tokens[-1].isdigit() or tokens[-1] == "-")
    return place[: len(tokens)] == tokens and (replaces or not inserts)


def _tokens(pointer: JsonValue) -> tuple[str, ...] | None:
    """A JSON Pointer's tokens (RFC 6901), None when it is no pointer."""
    if pointer == "":
        return ()
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        return None
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def _pointers(
    value: JsonValue, pattern: str, at: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Every place in `value` that a catalogue path (`a.b[].c{}`) matches."""
    found = _SEGMENT.search(pattern)
    if found is None:
        yield at
        return
    rest = pattern[found.end() :]
    for key, member in _members(value, found[0]):
        yield from _pointers(member, rest, (*at, key))


def _members(value: JsonValue, segment: str) -> Iterator[tuple[str, JsonValue]]:
    match value:
        case list() if segment == "[]":
            yield from ((str(index), item) for index, item in enumerate(value))
        case dict() if segment == "{}":
            yield from value.items()
        case dict() if segment in value:
            yield segment, value[segment]
        case _:
            return
