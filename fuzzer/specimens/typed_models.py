"""What is left of a pod that went through the Go types of an older Kubernetes?

Emulates `json.Unmarshal` into k8s.io/api/core/v1 of some minor and `json.Marshal` back: fields the
types do not have are gone, zero values with `omitempty` are left out, and members without
`omitempty` appear where there were none. What a minor knows comes from the field catalogue.

Not emulated: quantities are not rewritten in canonical form (the API server sends them so), member
names are compared exactly (Go ignores case), and wrong types are not rejected.
"""

from functools import cache

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor

# Members that are plain bool or int32 with omitempty in core/v1/types.go, so that an explicit
# false or 0 is left out; the others are pointers and keep it.
_OMITTED_ZEROES = frozenset(
    {
        *("hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly"),
        *("initialDelaySeconds", "timeoutSeconds", "periodSeconds"),
        *("successThreshold", "failureThreshold", "hostPort", "partition"),
    }
)
# Members that are *string: an explicit "" means something else than nothing.
_KEPT_EMPTY = frozenset(
    {"storageClassName", "volumeAttributesClassName", "apiGroup", "service", "hostnameOverride"}
)
# Until k8s.io/apimachinery v0.33 `creationTimestamp` has no omitzero and is marshalled as null.
_OMITS_CREATION_TIMESTAMP = Minor(1, 34)
_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


@cache
def _schema(minor: Minor) -> FieldSchema:
    return load_catalogue().schema(minor)


def decode(pod: JsonObject, minor: Minor) -> JsonObject:
    """A copy of `pod` with what the types of `minor` know of it."""
    return _decode_object(pod, _schema(minor))


def marshal(decoded: JsonObject, minor: Minor) -> JsonObject:
    """`decoded` with the members Go writes although they are empty, changed in place."""
    decoded.setdefault("status", {})
    metadata = decoded.setdefault("metadata", {})
    if isinstance(metadata, dict):
        _add_creation_timestamp(metadata, minor)
    spec = decoded.setdefault("spec", {})
    if isinstance(spec, dict):
        spec.setdefault("containers", None)
        for name in _CONTAINER_LISTS:
            for container in _objects(spec.get(name)):
                container.setdefault("resources", {})
        for volume in _objects(spec.get("volumes")):
            _complete_claim_template(volume, minor)
    return decoded


def round_trip(pod: JsonObject, minor: Minor) -> JsonObject:
    """`pod` decoded and marshalled again without any change."""
    return marshal(decode(pod, minor), minor)


def _add_creation_timestamp(metadata: JsonObject, minor: Minor) -> None:
    if minor < _OMITS_CREATION_TIMESTAMP:
        metadata.setdefault("creationTimestamp", None)


def _complete_claim_template(volume: JsonObject, minor: Minor) -> None:
    ephemeral = volume.get("ephemeral")
    template = ephemeral.get("volumeClaimTemplate") if isinstance(ephemeral, dict) else None
    if not isinstance(template, dict):
        return
    metadata, spec = template.setdefault("metadata", {}), template.setdefault("spec", {})
    if isinstance(metadata, dict) and isinstance(spec, dict):
        _add_creation_timestamp(metadata, minor)
        spec.setdefault("resources", {})


def _decode_object(value: JsonObject, schema: FieldSchema) -> JsonObject:
    decoded: JsonObject = {}
    for name, member in schema.members.items():
        if name in value:
            kept = _decode(value[name], member)
            if not _is_omitted(name, kept, member.kind):
                decoded[name] = kept
    return decoded


def _decode(value: JsonValue, schema: FieldSchema) -> JsonValue:
    if isinstance(value, dict) and schema.kind is Kind.OBJECT:
        return _decode_object(value, schema)
    if isinstance(value, list) and schema.element is not None:
        return [_decode(element, schema.element) for element in value]
    if isinstance(value, dict) and schema.kind is Kind.MAP and schema.element is not None:
        return {key: _decode(element, schema.element) for key, element in value.items()}
    return _copied(value)


def _is_omitted(name: str, value: JsonValue, kind: Kind) -> bool:
    if value is None:
        return True
    if kind in {Kind.LIST, Kind.MAP}:
        return not value and name != "containers"
    if kind is Kind.STRING:
        return value == "" and name not in _KEPT_EMPTY
    return name in _OMITTED_ZEROES and not value


def _copied(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _copied(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_copied(element) for element in value]
    return value


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
