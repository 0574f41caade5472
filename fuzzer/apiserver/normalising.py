"""When are two pods the same to Kubernetes?

A patched pod differs from the sent one in ways that mean nothing: a null instead of nothing,
`creationTimestamp: null`, an empty status, `resources: {}`, `1024Mi` for `1Gi`, a default spelled
out. Pods are compared as what is left once all that is gone.

Source: k8s.io/apimachinery pkg/api/equality Semantic.DeepEqual (nil and empty lists and maps are
equal, quantities are compared by amount), and the `omitempty` tags of k8s.io/api core/v1 types.go.
"""

from operator import is_
from typing import Final, TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.quantities import QuantityError, canonical_quantity

# Members that are maps from text: their entries are data, whatever their value.
_MAPS = frozenset(
    {
        "annotations",
        "labels",
        "limits",
        "matchLabels",
        "nodeSelector",
        "options",
        "overhead",
        "requests",
        "volumeAttributes",
    }
)
_QUANTITY_MAPS = frozenset({"limits", "overhead", "requests"})
_QUANTITIES = frozenset({"divisor", "sizeLimit"})
# Structs that are no pointers: empty is the same as absent.
_STRUCTS = frozenset({"metadata", "resources", "status"})
# Members that are no pointers in Go, so that false, 0 and "" cannot be told from absent.
_FLAGS = frozenset({"hostIPC", "hostNetwork", "hostPID", "readOnly", "stdin", "stdinOnce", "tty"})
_NUMBERS = frozenset({"hostPort", "initialDelaySeconds"})
_TEXTS = frozenset(
    {"generateName", "hostIP", "hostname", "medium", "nodeName", "subPath", "subPathExpr",
     "subdomain", "value", "workingDir"}
)  # fmt: skip


class _Gone:
    """A member that means nothing."""


_GONE: Final = _Gone()
_Left: TypeAlias = "JsonValue | _Gone"
_LeftObject: TypeAlias = "JsonObject | _Gone"


def normalise_pod(pod: JsonObject) -> JsonObject:
    """A pod as it is compared: defaulted, without members that mean nothing.

    Subtrees that are in that form already are shared with the input.
    """
    return _whole(_members(default_pod(pod), None)[0])


def normalise_changes(before: JsonObject, after: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Two pods as they are compared, work being done only where they differ.

    Subtrees that are one and the same object in both stay as they are, in both, so that whoever
    compares can skip them by identity. Both are given with their defaults (`default_pod`).
    """
    first, second = _members(before, after)
    return _whole(first), _whole(second)


def _whole(value: _LeftObject) -> JsonObject:
    return {} if isinstance(value, _Gone) else value


def _members(
    first: JsonObject, second: JsonObject | None, name: str = ""
) -> tuple[_LeftObject, _LeftObject]:
    """Two versions of an object normalised; without a second one, the first alone (and twice)."""
    if second is None:
        alone = _alone_members(first, name)
        return alone, alone
    changes_first: dict[str, _Left] = {}
    changes_second: dict[str, _Left] = {}
    for key, member in first.items():
        if key not in second:
            changes_first[key] = _alone(member, key, name)
        elif second[key] is not member:
            pair = _pair(member, second[key], key, name)
            changes_first[key], changes_second[key] = pair
    for key, member in second.items():
        if key not in first:
            changes_second[key] = _alone(member, key, name)
    return _with(first, changes_first, name), _with(second, changes_second, name)


def _alone_members(members: JsonObject, name: str) -> _LeftObject:
    changes: dict[str, _Left] = {}
    texts_stay = name not in _QUANTITY_MAPS
    for key, member in members.items():
        if member and type(member) is str and texts_stay and key not in _QUANTITIES:
            continue
        new = _alone(member, key, name)
        if new is not member:
            changes[key] = new
    return _with(members, changes, name)


def _with(members: JsonObject, changes: dict[str, _Left], name: str) -> _LeftObject:
    """The members after their changes, the same object if there are none; or nothing at all."""
    if any(change is not members[key] for key, change in changes.items()):
        merged = {**members, **changes}
        members = {key: member for key, member in merged.items() if not isinstance(member, _Gone)}
    return _GONE if not members and (name in _MAPS or name in _STRUCTS) else members


def _pair(first: JsonValue, second: JsonValue, key: str, parent: str) -> tuple[_Left, _Left]:
    """Two versions of one member, which are not the same object."""
    if isinstance(first, dict) and isinstance(second, dict):
        return _members(first, second, key)
    if isinstance(first, list) and isinstance(second, list):
        return _elements(first, second)
    return _alone(first, key, parent), _alone(second, key, parent)


def _elements(first: list[JsonValue], second: list[JsonValue]) -> tuple[_Left, _Left]:
    """Two versions of a list: elements of both stay as they are, others meet their namesake."""
    shared = {id(element) for element in first} & {id(element) for element in second}
    namesakes = {_key(element, at): element for at, element in enumerate(second)}
    new_first: list[JsonValue] = []
    paired: dict[int, JsonValue] = {}
    for at, element in enumerate(first):
        if id(element) in shared:
            new_first.append(element)
            continue
        other = namesakes.get(_key(element, at))
        if id(other) in shared or id(other) in paired:
            other = None
        if isinstance(element, dict) and isinstance(other, dict):
            pair = _members(element, other)
            new_first.append(_whole(pair[0]))
            paired[id(other)] = _whole(pair[1])
        else:
            new_first.append(_element(element))
    new_second = [
        element
        if id(element) in shared
        else paired[id(element)]
        if id(element) in paired
        else _element(element)
        for element in second
    ]
    return _list(first, new_first), _list(second, new_second)


def _list(old: list[JsonValue], new: list[JsonValue]) -> _Left:
    if not new:
        return _GONE
    return old if all(map(is_, old, new)) else new


def _key(element: JsonValue, at: int) -> object:
    """What tells an element of a list here: only used to find work to share."""
    if isinstance(element, dict):
        name = element.get("name", element.get("mountPath"))
        return name if isinstance(name, str) else at
    return at


def _element(element: JsonValue) -> JsonValue:
    if isinstance(element, dict):
        return _whole(_alone_members(element, ""))
    if isinstance(element, list):
        new = _list(element, [_element(inner) for inner in element])
        return [] if isinstance(new, _Gone) else new
    return element


def _alone(value: JsonValue, key: str, parent: str) -> _Left:
    """One member of one version, or nothing."""
    if parent in _MAPS:
        return _quantity(value) if parent in _QUANTITY_MAPS else value
    if isinstance(value, dict):
        return _alone_members(value, key)
    if isinstance(value, list):
        return _list(value, [_element(element) for element in value])
    if _is_zero(value, key):
        return _GONE
    return _quantity(value) if key in _QUANTITIES else value


def _is_zero(value: JsonValue, key: str) -> bool:
    """Whether a member's value cannot be told from its absence."""
    match value:
        case None:
            return True
        case bool():
            return not value and key in _FLAGS
        case int():
            return not value and key in _NUMBERS
        case str():
            return not value and key in _TEXTS
        case _:
            return False


def _quantity(value: JsonValue) -> JsonValue:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    try:
        canonical = canonical_quantity(str(value))
    except QuantityError:
        return value
    return value if canonical == value else canonical
