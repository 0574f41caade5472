"""How does a piece of spec join the spec a pod already has?

Objects merge member by member and null removes a member, as in a JSON Merge Patch (RFC 7396):
that is how a trigger replaces one kind of probe by another. Lists follow the pod API's keys
(`patchMergeKey` and `listMapKey` in k8s.io/api core/v1 types.go):

- `containers` and `initContainers`: an element merges into the container of its name, the name
  "*" into every container there is; a new name is appended.
- Other keyed lists (env, volumes, ports, …): an element replaces the one with its key, because
  merging two would join two sources of one volume, or value and valueFrom of one variable.
- Lists of objects without a key (tolerations, envFrom, …): elements not yet there are appended.
- Lists of plain values (command, args): replaced.
"""

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

EVERY_CONTAINER = "*"
CONTAINER_LISTS = frozenset({"containers", "initContainers"})
LIST_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "schedulingGates": ("name",),
    "resourceClaims": ("name",),
    "claims": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "protocol"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
# The API server fills these in, so a key without them means the same as one with them.
_DEFAULT_KEY_PARTS = {"protocol": "TCP"}


def merge_objects(base: JsonObject, addition: JsonObject) -> JsonObject:
    """`base` with `addition` merged in; neither is changed, and what is added is a copy.

    What `addition` does not touch is shared with `base`.
    """
    merged = dict(base)
    for member, value in addition.items():
        if value is None:
            merged.pop(member, None)
        else:
            _set_unless_empty(merged, member, _merge_member(member, merged.get(member), value))
    return merged


def _set_unless_empty(target: JsonObject, member: str, value: JsonValue) -> None:
    """Set it; but "*" for the init containers of a pod without any adds no empty list."""
    if value != [] or member in target:
        target[member] = value


def _merge_member(member: str, base: JsonValue, addition: JsonValue) -> JsonValue:
    match addition:
        case dict():
            return merge_objects(base if isinstance(base, dict) else {}, addition)
        case list():
            return _merge_lists(member, base if isinstance(base, list) else [], addition)
        case _:
            return addition


def _merge_lists(member: str, base: list[JsonValue], addition: list[JsonValue]) -> list[JsonValue]:
    if member in CONTAINER_LISTS:
        return _merge_containers(base, addition)
    if (keys := LIST_KEYS.get(member)) is not None:
        return _replace_by_key(keys, base, addition)
    if all(isinstance(element, dict) for element in addition):
        return [*base, *(_copied(element) for element in addition if element not in base)]
    return [_copied(element) for element in addition]


def _merge_containers(base: list[JsonValue], addition: list[JsonValue]) -> list[JsonValue]:
    """Named elements first: "*" reaches the containers they append, wherever it stands."""
    merged = list(base)
    elements = [element for element in addition if isinstance(element, dict)]
    for element in sorted(elements, key=lambda each: each.get("name") == EVERY_CONTAINER):
        if element.get("name") == EVERY_CONTAINER:
            rest = {member: value for member, value in element.items() if member != "name"}
            merged = [_merge_if_object(container, rest) for container in merged]
        else:
            merged = _merge_named_container(merged, element)
    return merged


def _merge_named_container(base: list[JsonValue], element: JsonObject) -> list[JsonValue]:
    same = [isinstance(each, dict) and each.get("name") == element.get("name") for each in base]
    if not any(same):
        return [*base, merge_objects({}, element)]
    return [
        _merge_if_object(each, element) if is_same else each
        for each, is_same in zip(base, same, strict=True)
    ]


def _merge_if_object(base: JsonValue, addition: JsonObject) -> JsonValue:
    return merge_objects(base, addition) if isinstance(base, dict) else base


def _replace_by_key(
    keys: tuple[str, ...], base: list[JsonValue], addition: list[JsonValue]
) -> list[JsonValue]:
    new = {_key_of(element, keys): _copied(element) for element in addition}
    return [*(new.pop(_key_of(element, keys), element) for element in base), *new.values()]


def _key_of(element: JsonValue, keys: tuple[str, ...]) -> tuple[str, ...]:
    values = element if isinstance(element, dict) else {}
    return tuple(str(values.get(key, _DEFAULT_KEY_PARTS.get(key))) for key in keys)


def _copied(value: JsonValue) -> JsonValue:
    """A deep copy; copy.deepcopy, which also knows cycles, takes five times as long."""
    if isinstance(value, dict):
        return {name: _copied(member) for name, member in value.items()}
    return [_copied(element) for element in value] if isinstance(value, list) else value
