"""What would the API server's Go types accept at this place of a pod?

A tree of the pod's fields for one Kubernetes minor: what decoding drops, and what it refuses, is
decided by it. It is built from the field catalogue (`catalogue.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The Go kinds that decode differently from JSON."""

    OBJECT = "object"
    MAP = "map"
    LIST = "list"
    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    QUANTITY = "quantity"
    INT_OR_STRING = "int-or-string"
    TIME = "time"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSchema:
    """One place of a pod.

    `members` are the known fields of an object by their JSON name; `element` is the schema of a
    list's elements or a map's values. `merge_keys` names the fields that identify a list element
    (empty for lists told apart by position); `struct` is the Go struct of an object.
    """

    kind: Kind
    struct: str = ""
    members: Mapping[str, "FieldSchema"] = field(default_factory=dict[str, "FieldSchema"])
    element: "FieldSchema | None" = None
    merge_keys: tuple[str, ...] = ()


_SCALARS = {
    "string": Kind.STRING,
    "integer": Kind.INTEGER,
    "boolean": Kind.BOOLEAN,
    "date-time": Kind.TIME,
}

# The OpenAPI document calls quantities strings; these members are resource.Quantity in
# k8s.io/api core/v1/types.go (the first five as values of a ResourceList).
_QUANTITIES = {
    "ResourceRequirements.limits",
    "ResourceRequirements.requests",
    "VolumeResourceRequirements.limits",
    "VolumeResourceRequirements.requests",
    "PodSpec.overhead",
    "EmptyDirVolumeSource.sizeLimit",
    "ResourceFieldSelector.divisor",
}

# What tells one element of a list from another: the list's merge keys in k8s.io/api
# core/v1/types.go (patchMergeKey and listMapKey tags), and resizePolicy, which is atomic there but
# may name each resource only once. Lists not named here are told apart by position.
_MERGE_KEYS = {
    "PodSpec.containers": ("name",),
    "PodSpec.initContainers": ("name",),
    "PodSpec.ephemeralContainers": ("name",),
    "PodSpec.volumes": ("name",),
    "PodSpec.imagePullSecrets": ("name",),
    "PodSpec.resourceClaims": ("name",),
    "PodSpec.schedulingGates": ("name",),
    "PodSpec.evictionResponders": ("name",),
    "PodSpec.hostAliases": ("ip",),
    "PodSpec.topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ObjectMeta.ownerReferences": ("uid",),
    "Container.env": ("name",),
    "Container.ports": ("containerPort", "protocol"),
    "Container.volumeMounts": ("mountPath",),
    "Container.volumeDevices": ("devicePath",),
    "Container.resizePolicy": ("resourceName",),
    "ResourceRequirements.claims": ("name",),
}


def build_schema(fields: Iterable[tuple[str, str, str]]) -> FieldSchema:
    """The schema of a pod from (path, type, owner) of its fields, parents before children."""
    pod: dict[str, FieldSchema] = {
        "apiVersion": FieldSchema(kind=Kind.STRING),
        "kind": FieldSchema(kind=Kind.STRING),
        # A pod's status may be sent and is ignored on create: not part of the catalogue.
        "status": FieldSchema(kind=Kind.ANY),
    }
    members: dict[str, dict[str, FieldSchema]] = {"": pod}
    for name, struct in (("metadata", "ObjectMeta"), ("spec", "PodSpec")):
        below: dict[str, FieldSchema] = {}
        pod[name] = FieldSchema(kind=Kind.OBJECT, struct=struct, members=below)
        members[name] = below
    for path, type_name, owner in fields:
        parent, _, name = path.rpartition(".")
        below = {}
        members[parent][name] = _field_schema(type_name, owner, below)
        members[path + _element_suffix(type_name)] = below
    return FieldSchema(kind=Kind.OBJECT, struct="Pod", members=pod)


def _field_schema(type_name: str, owner: str, members: dict[str, FieldSchema]) -> FieldSchema:
    if type_name.startswith("[]"):
        return FieldSchema(
            kind=Kind.LIST,
            element=_field_schema(type_name.removeprefix("[]"), owner, members),
            merge_keys=_MERGE_KEYS.get(owner.replace("EphemeralContainer.", "Container."), ()),
        )
    if type_name.startswith("map[string]"):
        element = _field_schema(type_name.removeprefix("map[string]"), owner, members)
        return FieldSchema(kind=Kind.MAP, element=element)
    if owner in _QUANTITIES:
        return FieldSchema(kind=Kind.QUANTITY)
    if type_name == "object":
        # The only untyped members of a pod are ports (IntOrString) and managed fields.
        return FieldSchema(kind=Kind.INT_OR_STRING if owner.endswith(".port") else Kind.ANY)
    if type_name in _SCALARS:
        return FieldSchema(kind=_SCALARS[type_name])
    return FieldSchema(kind=Kind.OBJECT, struct=type_name, members=members)


def _element_suffix(type_name: str) -> str:
    if type_name.startswith("[]"):
        return "[]"
    return "{}" if type_name.startswith("map[string]") else ""
