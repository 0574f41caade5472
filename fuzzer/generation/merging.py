"""Can a fragment be added to a pod, and what is the pod then?

Fragments merge as a strategic merge patch would: objects member by member, lists with a merge key
element by element, other lists by appending. Two fragments conflict where they set one value
differently, or two members of a one-of. A conflict is found before anything is changed.
"""

from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.fields.unions import is_union_member
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import element_key
from webhook_fuzz.fuzzer.generation.canaries import kept_default

UNKNOWN = FieldSchema(kind=Kind.ANY)
"""The schema of a member that no release has."""


def conflicts(target: JsonObject, fragment: JsonObject, schema: FieldSchema) -> bool:
    """Whether merging `fragment` into `target` would overwrite something or break a one-of."""
    for name, value in fragment.items():
        if name not in target:
            if is_union_member(schema.struct, name) and _has_other_member(target, name, schema):
                return True
            continue
        if _values_conflict(target[name], value, schema.members.get(name, UNKNOWN)):
            return True
    return False


def merge(target: JsonObject, fragment: JsonObject, schema: FieldSchema) -> None:
    """Merge `fragment` into `target` in place; check `conflicts` first."""
    for name, value in fragment.items():
        default = kept_default(value)
        if name not in target:
            target[name] = _copied(value) if default is None else default
            continue
        present, member = target[name], schema.members.get(name, UNKNOWN)
        if isinstance(present, dict) and isinstance(value, dict):
            merge(present, value, _element_or_self(member))
        elif isinstance(present, list) and isinstance(value, list):
            _merge_list(present, value, member)


def _has_other_member(target: JsonObject, name: str, schema: FieldSchema) -> bool:
    return any(other != name and is_union_member(schema.struct, other) for other in target)


def _values_conflict(present: JsonValue, value: JsonValue, schema: FieldSchema) -> bool:
    if kept_default(value) is not None:
        return False
    if isinstance(present, dict) and isinstance(value, dict):
        return conflicts(present, value, _element_or_self(schema))
    if isinstance(present, list) and isinstance(value, list):
        return _lists_conflict(present, value, schema)
    return present != value


def _lists_conflict(present: list[JsonValue], value: list[JsonValue], schema: FieldSchema) -> bool:
    if not schema.merge_keys:
        # Lists of scalars (command, args, selectors' values) are one value; others take more.
        return any(not isinstance(element, dict) for element in value) and present != value
    element_schema = schema.element or UNKNOWN
    return any(
        conflicts(same, element, element_schema)
        for element in value
        if isinstance(element, dict)
        and (same := _same_element(present, element, schema)) is not None
    )


def _merge_list(present: list[JsonValue], value: list[JsonValue], schema: FieldSchema) -> None:
    for element in value:
        same = _same_element(present, element, schema)
        if same is not None and isinstance(element, dict):
            merge(same, element, schema.element or UNKNOWN)
        elif isinstance(element, dict):
            present.append(_copied(element))


def _same_element(
    present: list[JsonValue], element: JsonValue, schema: FieldSchema
) -> JsonObject | None:
    key = element_key(element, schema.merge_keys)
    if key is None:
        return None
    for other in present:
        if isinstance(other, dict) and element_key(other, schema.merge_keys) == key:
            return other
    return None


def _element_or_self(schema: FieldSchema) -> FieldSchema:
    return schema.element or UNKNOWN if schema.kind is Kind.MAP else schema


def _copied(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return {name: _copied(member) for name, member in value.items()}
        case list():
            return [_copied(element) for element in value]
        case _:
            return value
