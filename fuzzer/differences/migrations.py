"""Did a value leave one element and turn up on another?

That is what comparing lists index by index does when an element is put in front: members the
webhook's types know follow their element, members they do not know stay at their index. No single
patch operation shows it, only the values do: they are looked for by keyed path, so it takes values
that differ between elements (canaries) to be sure.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import element_keys, escape_key
from webhook_fuzz.fuzzer.differences.comparing import member_paths
from webhook_fuzz.fuzzer.differences.pairing import keys_of_both

Leaves = Mapping[str, Mapping[str, JsonValue]]
"""Element key -> path below the element -> value."""

# Values of the API's enumerations (`Always`, `SIGTERM`, `IfPossible`): several elements have them
# by right, an injected one too.
_ENUMERATED = re.compile(r"[A-Z][A-Za-z0-9]*")

_TOP_LISTS = ("initContainers", "containers", "volumes")
_INNER_LISTS = ("env", "volumeMounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A value at `below` of element `source` of a list that is now on `target` instead.

    `list_path` is the keyed path of the list: `spec.containers`.
    """

    list_path: str
    source: str
    target: str
    below: str
    value: JsonValue

    @property
    def source_path(self) -> str:
        """The keyed path the value was at."""
        return f"{self.list_path}[{escape_key(self.source, ']')}].{self.below}"

    @property
    def target_path(self) -> str:
        """The keyed path the value is at now."""
        return f"{self.list_path}[{escape_key(self.target, ']')}].{self.below}"


def find_migrations(
    before: JsonObject, after: JsonObject, schema: FieldSchema
) -> tuple[Migration, ...]:
    """Every value that left an element of a keyed list of the pod and is on another now."""
    found: list[Migration] = []
    pod_spec = schema.members["spec"]
    for path, old, new, list_schema in _lists(before.get("spec"), after.get("spec"), pod_spec):
        old_keys, new_keys = keys_of_both(old, new, list_schema.merge_keys)
        old_elements = dict(zip(old_keys, old, strict=True))
        new_elements = dict(zip(new_keys, new, strict=True))
        untouched = {key for key, value in old_elements.items() if new_elements.get(key) is value}
        # Only from an element that is still there, and is not what it was, can a value have left.
        if all(key in untouched for key in old_elements if key in new_elements):
            continue
        old_leaves = _leaves(old_elements, list_schema, untouched)
        new_leaves = _leaves(new_elements, list_schema, untouched)
        found += _migrations_in(path, old_leaves, new_leaves)
    return tuple(found)


def _lists(
    before: JsonValue, after: JsonValue, schema: FieldSchema
) -> Iterator[tuple[str, list[JsonValue], list[JsonValue], FieldSchema]]:
    """The keyed lists that differ, and the keyed lists inside the elements found in both."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    for name in _TOP_LISTS:
        old, new, member = before.get(name), after.get(name), schema.members[name]
        if not isinstance(old, list) or not isinstance(new, list) or old is new:
            continue
        path = f"spec.{name}"
        yield path, old, new, member
        yield from _inner_lists(path, old, new, member)


def _inner_lists(
    path: str, before: list[JsonValue], after: list[JsonValue], schema: FieldSchema
) -> Iterator[tuple[str, list[JsonValue], list[JsonValue], FieldSchema]]:
    if schema.element is None:
        return
    old_keys, new_keys = keys_of_both(before, after, schema.merge_keys)
    new_elements = dict(zip(new_keys, after, strict=True))
    for key, old in zip(old_keys, before, strict=True):
        new = new_elements.get(key)
        if not isinstance(old, dict) or not isinstance(new, dict) or old is new:
            continue
        for name in _INNER_LISTS:
            inner_old, inner_new = old.get(name), new.get(name)
            if isinstance(inner_old, list) and isinstance(inner_new, list):
                inner_path = f"{path}[{escape_key(key, ']')}].{name}"
                yield inner_path, inner_old, inner_new, schema.element.members[name]


def _migrations_in(path: str, before: Leaves, after: Leaves) -> Iterator[Migration]:
    owners = _owners(before)
    candidates: list[Migration] = []
    for target, leaves in after.items():
        for below, value in leaves.items():
            if before.get(target, {}).get(below) == value:
                continue
            for source in owners.get((below, repr(value)), ()):
                if source == target or source not in after:
                    continue
                if after[source].get(below) != value:
                    candidates.append(
                        Migration(
                            list_path=path, source=source, target=target, below=below, value=value
                        )
                    )
                    break
    candidates = _explained(candidates, after)
    certain = {(m.source, m.target) for m in candidates if not _is_common(m.value)}
    for migration in candidates:
        # An injected native sidecar has `restartPolicy: Always` by right: an enumerated value on an
        # element that is new is a migration only beside a value that cannot be a coincidence.
        if (
            not _is_common(migration.value)
            or migration.target in before
            or (migration.source, migration.target) in certain
        ):
            yield migration


def _explained(candidates: list[Migration], after: Leaves) -> list[Migration]:
    """Those whose source has nothing instead of the value, or what another one brought.

    A webhook that raises every container's request gives one container by chance what another had:
    the other has a value then that nobody had before.
    """
    while True:
        arrived = {(m.target, m.below) for m in candidates}
        kept = [
            m
            for m in candidates
            if after[m.source].get(m.below) is None or (m.source, m.below) in arrived
        ]
        if len(kept) == len(candidates):
            return kept
        candidates = kept


def _owners(leaves: Leaves) -> Mapping[tuple[str, str], list[str]]:
    owners: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for key, below in leaves.items():
        for path, value in below.items():
            owners[path, repr(value)].append(key)
    return owners


def _is_common(value: JsonValue) -> bool:
    if isinstance(value, str):
        return not value or _ENUMERATED.fullmatch(value) is not None
    return not isinstance(value, int) or isinstance(value, bool) or value in {0, 1}


def _leaves(
    elements: Mapping[str, JsonValue], schema: FieldSchema, untouched: Collection[str]
) -> Leaves:
    """The scalar values of every element by their path below it; merge keys left out.

    Elements that are the same object before and after neither give nor take: they count as empty.
    """
    element = schema.element
    found: dict[str, dict[str, JsonValue]] = {}
    for key, value in elements.items():
        if key in untouched:
            found[key] = {}
        elif isinstance(value, dict) and element is not None:
            found[key] = {
                path: leaf
                for path, leaf in _walk(value, element, "")
                if path not in schema.merge_keys
            }
    return found


def _walk(value: JsonValue, schema: FieldSchema, path: str) -> Iterator[tuple[str, JsonValue]]:
    match value:
        case dict() if schema.kind is Kind.MAP:
            for key, member in value.items():
                yield path + "{" + escape_key(key, "}") + "}", member
        case dict():
            for name, member in value.items():
                below = schema.members.get(name) or _UNKNOWN
                yield from _walk(member, below, member_paths(path, "", name)[0])
        case list():
            keys = element_keys(value, schema.merge_keys)
            for key, element in zip(keys, value, strict=True):
                below = schema.element or _UNKNOWN
                yield from _walk(element, below, f"{path}[{escape_key(key, ']')}]")
        case _:
            yield path, value


_UNKNOWN = FieldSchema(kind=Kind.ANY)
