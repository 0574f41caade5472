"""What is different between the pod that was sent and the pod that came out?

Both are compared by keyed path, never by index: a container that moved down by one because another
was put in front of it has not changed. Subtrees that are the same object in both are skipped, which
is what makes judging fast: applying, decoding and defaulting a patch share what they do not touch.

Equal is what the API server takes for equal (Semantic.DeepEqual): null and absent, nil and empty
lists and maps, two spellings of one quantity; and members that are not pointers in the Go types
are absent when they are zero, whoever wrote them down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import is_

from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import ABSENT, Absent, element_keys, escape_key
from webhook_fuzz.fuzzer.apiserver.quantities import QuantityError, parse_quantity
from webhook_fuzz.fuzzer.differences.pairing import keys_of_both, pair_by_key, pair_by_likeness

UNKNOWN = FieldSchema(kind=Kind.ANY)
_NO_STEP = frozenset(".[]{}\\")


class ChangeKind(StrEnum):
    """What happened at a path."""

    LOST = "lost"
    CHANGED = "changed"
    ADDED = "added"
    ENTRY_LOST = "entry-lost"
    ELEMENT_LOST = "element-lost"
    ELEMENT_ADDED = "element-added"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `struct` is the Go struct whose member `path` is, "" for a map or a list.

    For REORDERED, `before` and `after` are the keys of the elements in both, in their orders.
    """

    kind: ChangeKind
    path: str
    field: str
    before: JsonValue | Absent = ABSENT
    after: JsonValue | Absent = ABSENT
    struct: str = ""


# Lists whose order has a meaning: init containers run in it, env expands in it, and the first
# container is the default one of many tools.
_ORDERED = {"initContainers", "containers", "env"}

# Not pointers in k8s.io/api core/v1/types.go: false and 0 are what absent means. Empty strings are
# absent but in the members of _EMPTY_IS_A_VALUE, which are pointers.
_ZERO_IS_ABSENT = {
    "hostNetwork", "hostPID", "hostIPC", "tty", "stdin", "stdinOnce", "readOnly",
    "initialDelaySeconds", "hostPort", "partition",
}  # fmt: skip
_EMPTY_IS_A_VALUE = {"service", "storageClassName", "volumeAttributesClassName", "type", "apiGroup"}
# Structs whose `{}` says no more than their absence.
_EMPTY_STRUCTS = {
    "ResourceRequirements", "VolumeResourceRequirements", "PodSecurityContext", "SecurityContext",
    "Affinity", "NodeAffinity", "PodAffinity", "PodAntiAffinity", "PodDNSConfig", "Lifecycle",
    "Capabilities", "SELinuxOptions", "WindowsSecurityContextOptions", "ObjectMeta",
}  # fmt: skip


def compare_pods(before: JsonObject, after: JsonObject, schema: FieldSchema) -> tuple[Change, ...]:
    """Every difference in metadata and spec, in the order of the pod that was sent."""
    found: list[Change] = []
    for name in ("metadata", "spec"):
        old, new = before.get(name, {}), after.get(name, {})
        if old is not new:
            found += _compare(old, new, schema.members[name], name, name)
    return tuple(found)


def _compare(
    before: JsonValue, after: JsonValue, schema: FieldSchema, path: str, field: str
) -> Iterator[Change]:
    if before is after:
        return
    match before, after:
        case dict(), dict() if schema.kind is Kind.MAP:
            yield from _compare_maps(before, after, schema, path, field)
        case dict(), dict():
            yield from _compare_objects(before, after, schema, path, field)
        case list(), list():
            yield from _compare_lists(before, after, schema, path, field)
        case _:
            if not _equal_scalars(before, after, schema):
                yield Change(
                    kind=ChangeKind.CHANGED, path=path, field=field, before=before, after=after
                )


def _compare_objects(
    before: JsonObject, after: JsonObject, schema: FieldSchema, path: str, field: str
) -> Iterator[Change]:
    for name, old in before.items():
        new = after.get(name)
        if old is new:
            continue
        member = schema.members.get(name, UNKNOWN)
        below, below_field = member_paths(path, field, name)
        if new is not None and old is not None:
            yield from _compare(old, new, member, below, below_field)
        elif new is None and not is_absent(name, old, member):
            yield Change(
                kind=ChangeKind.LOST,
                path=below,
                field=below_field,
                before=old,
                struct=schema.struct,
            )
        elif old is None and not is_absent(name, new, member):
            yield _added(new, schema, below, below_field)
    for name, new in after.items():
        if name not in before and not is_absent(name, new, schema.members.get(name, UNKNOWN)):
            yield _added(new, schema, *member_paths(path, field, name))


def _added(new: JsonValue, schema: FieldSchema, path: str, field: str) -> Change:
    return Change(kind=ChangeKind.ADDED, path=path, field=field, after=new, struct=schema.struct)


def member_paths(path: str, field: str, name: str) -> tuple[str, str]:
    """The keyed path and the catalogue path of a member.

    A name that is no step of a path (a webhook can add any) is written as a map's entry is.
    """
    if name and _NO_STEP.isdisjoint(name):
        return (f"{path}.{name}", f"{field}.{name}") if path else (name, name)
    return path + "{" + escape_key(name, "}") + "}", field + "{}"


def _compare_maps(
    before: JsonObject, after: JsonObject, schema: FieldSchema, path: str, field: str
) -> Iterator[Change]:
    element = schema.element or UNKNOWN
    for key, old in before.items():
        new = after.get(key, ABSENT)
        if old is new:
            continue
        below, below_field = path + "{" + escape_key(key, "}") + "}", field + "{}"
        if isinstance(new, Absent):
            yield Change(kind=ChangeKind.ENTRY_LOST, path=below, field=below_field, before=old)
        else:
            yield from _compare(old, new, element, below, below_field)
    for key, new in after.items():
        if key not in before:
            below = path + "{" + escape_key(key, "}") + "}"
            yield Change(kind=ChangeKind.ADDED, path=below, field=field + "{}", after=new)


def _compare_lists(
    before: list[JsonValue],
    after: list[JsonValue],
    schema: FieldSchema,
    path: str,
    field: str,
) -> Iterator[Change]:
    element = schema.element or UNKNOWN
    if not schema.merge_keys and not _has_objects(before):
        yield from _compare_scalar_lists(before, after, path, field)
        return
    if schema.merge_keys and len(after) >= len(before) and all(map(is_, before, after)):
        # What almost every webhook does: something is added at the end, or nothing at all.
        if len(after) > len(before):
            new_keys = element_keys(after, schema.merge_keys)
            yield from _added_elements(after, new_keys, set(range(len(before))), path, field)
        return
    if schema.merge_keys:
        old_keys, new_keys = keys_of_both(before, after, schema.merge_keys)
        pairs = pair_by_key(old_keys, new_keys)
    else:
        old_keys = [str(index) for index in range(len(before))]
        new_keys = [str(index) for index in range(len(after))]
        pairs = pair_by_likeness(
            before, after, lambda old, new: not any(_compare(old, new, element, "", ""))
        )
    for index, key in enumerate(old_keys):
        partner = pairs.get(index)
        if partner is not None and before[index] is after[partner]:
            continue
        below = f"{path}[{escape_key(key, ']')}]"
        if partner is None:
            yield Change(
                kind=ChangeKind.ELEMENT_LOST, path=below, field=field + "[]", before=before[index]
            )
        else:
            yield from _compare(before[index], after[partner], element, below, field + "[]")
    yield from _added_elements(after, new_keys, set(pairs.values()), path, field)
    yield from _reordered(old_keys, pairs, path, field)


def _compare_scalar_lists(
    before: list[JsonValue], after: list[JsonValue], path: str, field: str
) -> Iterator[Change]:
    """A list of scalars is one value, to which a webhook may add."""
    added = _added_scalars(before, after)
    if added is None:
        yield Change(kind=ChangeKind.CHANGED, path=path, field=field, before=before, after=after)
        return
    for index in added:
        yield Change(
            kind=ChangeKind.ELEMENT_ADDED,
            path=f"{path}[{index}]",
            field=field + "[]",
            after=after[index],
        )


def _added_elements(
    after: list[JsonValue], keys: Sequence[str], paired: set[int], path: str, field: str
) -> Iterator[Change]:
    for index, key in enumerate(keys):
        if index not in paired:
            below = f"{path}[{escape_key(key, ']')}]"
            yield Change(
                kind=ChangeKind.ELEMENT_ADDED, path=below, field=field + "[]", after=after[index]
            )


def _reordered(
    old_keys: Sequence[str], pairs: dict[int, int], path: str, field: str
) -> Iterator[Change]:
    partners = [pairs[index] for index in range(len(old_keys)) if index in pairs]
    if path.rpartition(".")[2] in _ORDERED and partners != sorted(partners):
        surviving = [index for index in range(len(old_keys)) if index in pairs]
        then = sorted(surviving, key=lambda index: pairs[index])
        yield Change(
            kind=ChangeKind.REORDERED,
            path=path,
            field=field,
            before=[old_keys[index] for index in surviving],
            after=[old_keys[index] for index in then],
        )


def _has_objects(elements: list[JsonValue]) -> bool:
    return any(isinstance(element, dict) for element in elements)


def _added_scalars(before: list[JsonValue], after: list[JsonValue]) -> list[int] | None:
    """The indexes of what was added; None if what was there is not there, in its order."""
    added: list[int] = []
    rest = iter(before)
    wanted = next(rest, ABSENT)
    for index, value in enumerate(after):
        if value == wanted:
            wanted = next(rest, ABSENT)
        else:
            added.append(index)
    return added if wanted is ABSENT else None


def _equal_scalars(before: JsonValue, after: JsonValue, schema: FieldSchema) -> bool:
    if before == after and isinstance(before, bool) == isinstance(after, bool):
        return True
    if schema.kind is not Kind.QUANTITY:
        return False
    try:
        # By amount: 1Gi is 1073741824, whose canonical spelling is another.
        return _amount(before) == _amount(after)
    except QuantityError:
        return False


def _amount(value: JsonValue) -> int:
    return parse_quantity(str(value).strip()).nanos


def is_absent(name: str, value: JsonValue, schema: FieldSchema) -> bool:
    """Whether a member's value says no more than its absence (see the module's docstring)."""
    match value:
        case None | []:
            return True
        case dict() if schema.kind is Kind.MAP:
            return not value
        case dict():
            return schema.struct in _EMPTY_STRUCTS and all(
                is_absent(key, member, schema.members.get(key, UNKNOWN))
                for key, member in value.items()
            )
        case "":
            return name not in _EMPTY_IS_A_VALUE
        case False | 0:
            return name in _ZERO_IS_ABSENT
        case _:
            # Whoever writes one down: the API server sets it.
            return name == "creationTimestamp"
