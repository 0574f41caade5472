"""A pod with every field the newest Kubernetes has, and the catalogue paths of what is in a pod."""

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor

_SCALARS: dict[Kind, JsonValue] = {
    Kind.BOOLEAN: True,
    Kind.INTEGER: 7,
    Kind.INT_OR_STRING: 7,
    Kind.ANY: {"anything": 1},
}


def full_value(schema: FieldSchema) -> JsonValue:
    """A value with every member, and one element in every list and map."""
    if schema.kind is Kind.OBJECT:
        return {name: full_value(member) for name, member in schema.members.items()}
    if schema.element is not None:
        element = full_value(schema.element)
        return [element] if schema.kind is Kind.LIST else {"key": element}
    return _SCALARS.get(schema.kind, "1")


def paths(value: JsonValue, path: str = "") -> set[str]:
    """The catalogue paths of everything in a pod (a map's key is no step: it is `{}`)."""
    found: set[str] = set()
    if isinstance(value, dict):
        for name, member in value.items():
            below = f"{path}.{name}".lstrip(".")
            found |= {below} | paths(member, below)
    if isinstance(value, list):
        for element in value:
            found |= paths(element, f"{path}[]")
    return found


def full_pod(minor: Minor) -> JsonObject:
    pod = full_value(load_catalogue().schema(minor))
    assert isinstance(pod, dict)
    return pod
