"""Which pods might a patch leave behind?

Pods with any of the fields the API has, filled with what decoding and defaulting treat specially:
spellings of quantities and times, zeros, nulls, image references, unknown members, and once in a
while a value of the wrong type. Few would pass validation, which comes after admission.
Deterministic for a seed.
"""

from collections.abc import Mapping, Sequence
from random import Random

from testbed.generated_patches import escape
from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

QUANTITIES: Sequence[JsonValue] = (
    *("1", "0.1", "100m", "1024Mi", "1Gi", "0", "1e3", "1E", "0.5Gi", "1500m", "12e6", "-1", "1k"),
    *("1000Ki", "2.5", "1n", "999u", "0.0001", "1.5e-3", "+5", " 1", "07", "9223372036854775807"),
    *("1Ei", "1000", "1024", ".5", "5.", "0Mi", "1e-1", "128974848", "1.05Ki", 1, 0, 2.5, 1e3),
)
WRONG_QUANTITIES: Sequence[JsonValue] = ("", "1 Gi", "Gi", "1gi", "1KB", "x", "--1", "1e", True, [])
TIMES: Sequence[JsonValue] = (
    *("2024-01-02T03:04:05Z", "2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05+02:00"),
    "2024-02-29T23:59:59-11:30",
)
WRONG_TIMES: Sequence[JsonValue] = ("", "yesterday", "2024-01-02", "2023-02-29T00:00:00Z", 5)
IMAGES: Sequence[str] = (
    *("app", "app:latest", "app:1", "registry.example.com:5000/team/app", "a/b:latest", "", "A:B"),
    "app@sha256:" + "0" * 64,
    "app:1@sha256:" + "0" * 64,
)
TEXTS: Sequence[str] = ("", "x", "app", "Always", "Never", "<&>", "é", "TCP", "File", "v1", "true")
INTEGERS: Sequence[JsonValue] = (0, 1, -1, 7, 30, 8080, 2**31 - 1, -(2**31))
SCALARS: Mapping[Kind, Sequence[JsonValue]] = {
    Kind.STRING: TEXTS,
    Kind.INTEGER: INTEGERS,
    Kind.BOOLEAN: (True, False),
    Kind.QUANTITY: QUANTITIES,
    Kind.INT_OR_STRING: (0, 80, "http", "", "8080"),
    Kind.TIME: TIMES,
}
WRONG: Mapping[Kind, Sequence[JsonValue]] = {
    Kind.OBJECT: ("x", 1, True, [], [{}]),
    Kind.MAP: ("x", 1, False, []),
    Kind.LIST: ("x", 0, True, {}),
    Kind.STRING: (1, True, {}, [], 1.5),
    Kind.INTEGER: ("1", True, {}, [], 1.5, 30.0, 2**31, 2**63, -(2**63) - 1, 1e3),
    Kind.BOOLEAN: ("true", 1, 0, {}, []),
    Kind.QUANTITY: WRONG_QUANTITIES,
    Kind.INT_OR_STRING: (True, {}, [], 1.5, 2**31),
    Kind.TIME: WRONG_TIMES,
}
UNKNOWN: Sequence[str] = ("zzUnknown", "Name", "IMAGE", "restartpolicy", "future-field", "")


class Pods:
    """Random values for the places of one schema.

    `density` is the share of members that are there, `wrong` the share of values of a wrong type,
    `odd` that of nulls and unknown members.
    """

    def __init__(
        self, rng: Random, *, density: float = 0.2, wrong: float = 0.0, odd: float = 0.02
    ) -> None:
        self._rng = rng
        self._density = density
        self._wrong = wrong
        self._odd = odd

    def pod(self, schema: FieldSchema) -> JsonObject:
        """A pod with apiVersion and kind and without a status."""
        members = {name: schema.members[name] for name in ("metadata", "spec")}
        pod: JsonObject = {"apiVersion": "v1", "kind": "Pod"}
        for name, member in members.items():
            pod[name] = self.value(member, name)
        return pod

    def value(self, schema: FieldSchema, name: str = "") -> JsonValue:
        """A value for one place of a pod, a member called `name`."""
        rng = self._rng
        if rng.random() < self._wrong:
            return rng.choice(WRONG.get(schema.kind, (None,)))
        if rng.random() < self._odd:
            return None
        match schema.kind:
            case Kind.OBJECT:
                return self._object(schema)
            case Kind.LIST:
                return [self._element(schema, name) for _ in range(rng.choice((0, 1, 1, 2)))]
            case Kind.MAP:
                keys = rng.sample(("a", "cpu", "example.com/x", ""), rng.choice((0, 1, 2)))
                return {key: self._element(schema, name) for key in keys}
            case kind:
                return self._scalar(kind, name)

    def _element(self, schema: FieldSchema, name: str) -> JsonValue:
        return self.value(schema.element, name) if schema.element else None

    def _object(self, schema: FieldSchema) -> JsonObject:
        rng = self._rng
        found: JsonObject = {
            name: self.value(member, name)
            for name, member in schema.members.items()
            if rng.random() < self._density or name in ("containers", "name", "image")
        }
        if rng.random() < self._odd:
            found[rng.choice(UNKNOWN)] = rng.choice(TEXTS)
        return found

    def _scalar(self, kind: Kind, name: str) -> JsonValue:
        rng = self._rng
        if kind is Kind.STRING and name in ("image", "reference"):
            return rng.choice(IMAGES)
        return rng.choice(SCALARS.get(kind, ({"f:metadata": {"f:labels": {}}},)))

    def edit(self, pod: JsonObject, schema: FieldSchema) -> JsonObject:
        """An operation on one place of a pod, with a value that is of its type."""
        rng = self._rng
        part = "spec" if rng.random() < 0.9 else "metadata"
        place, container, path = schema.members[part], _child(pod, part), f"/{part}"
        while True:
            step, member = self._step(place, container)
            path = f"{path}/{escape(step)}"
            inside = _child(container, step)
            if inside is None or not _has_places(member) or rng.random() < 0.25:
                break
            place, container = member, inside
        there = inside is not None
        kind = rng.choice(("add", "replace", "remove")) if there else "add"
        operation: JsonObject = {"op": kind, "path": path}
        if kind != "remove":
            operation["value"] = self.value(member, path.rpartition("/")[2])
        return operation

    def _step(self, place: FieldSchema, container: JsonValue) -> tuple[str, FieldSchema]:
        """One token further into a pod, and the schema of what is there."""
        rng = self._rng
        if isinstance(container, list) and place.element is not None:
            ends = ("-", "0", "-1")
            token = str(rng.randrange(len(container))) if container else "-"
            return (token if rng.random() < 0.8 else rng.choice(ends)), place.element
        if place.element is not None:
            return rng.choice(("cpu", "memory", "example.com/x", "a~b")), place.element
        there = [name for name in place.members if _child(container, name) is not None]
        names = there if there and rng.random() < 0.7 else list(place.members)
        name = rng.choice(names)
        return name, place.members[name]


def _child(container: JsonValue, step: str) -> JsonValue:
    if isinstance(container, dict):
        return container.get(step)
    if isinstance(container, list) and step.isdigit() and int(step) < len(container):
        return container[int(step)]
    return None


def _has_places(schema: FieldSchema) -> bool:
    return bool(schema.members) or schema.element is not None
