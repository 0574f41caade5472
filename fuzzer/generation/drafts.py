"""How are probes laid on a seed pod?

A draft is a copy of a seed with room for probes: at least three app containers and three init
containers, one of them a native sidecar, because webhooks that shift list elements break first,
middle and last ones differently. Probes are placed one by one; what does not fit is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.probes.loading import InitKind, Place, Probe
from webhook_fuzz.fuzzer.generation.canaries import fill
from webhook_fuzz.fuzzer.generation.cases import Placement, Position
from webhook_fuzz.fuzzer.generation.exclusions import any_matches
from webhook_fuzz.fuzzer.generation.merging import conflicts, merge

MEMBERS = 3
"""Containers of each list: one first, one in the middle, one last."""

SIDECAR = "wf-sidecar"

_REPLACEABLE_DEFAULTS = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A container of a draft that takes probes. `number` makes its canaries unique in the pod."""

    container_list: str
    positions: tuple[Position, ...]
    name: str
    number: int
    container: JsonObject

    def takes(self, probe: Probe) -> bool:
        """Whether a probe may be valid here."""
        if self.container_list not in probe.at.lists:
            return False
        if self.container_list != "initContainers" or probe.init is InitKind.ANY:
            return True
        is_sidecar = self.container.get("restartPolicy") == "Always"
        return is_sidecar == (probe.init is InitKind.SIDECAR)


@dataclass(slots=True, kw_only=True)
class Draft:
    """A pod under construction, changed in place. `schema` is the newest the catalogue knows."""

    pod: JsonObject
    schema: FieldSchema
    placements: list[Placement] = field(default_factory=list[Placement])
    _exclusions: dict[str, None] = field(default_factory=dict[str, None])

    @property
    def spec(self) -> JsonObject:
        """The pod's spec."""
        return _object(self.pod, "spec")

    def forget_defaults(self) -> None:
        """Take out of the containers the defaults that a probe sets to something else.

        Defaulting puts back what no probe took the place of.
        """
        for slot in self.slots():
            for name, default in _REPLACEABLE_DEFAULTS.items():
                if slot.container.get(name) == default:
                    del slot.container[name]

    def add_members(self, sidecar_at: Position) -> None:
        """Fill both container lists up, with a native sidecar among the init containers."""
        apps = self.members("containers")
        for number in range(len(apps), MEMBERS):
            apps.append(plain_container(f"wf-app-{number}"))
        inits = self.members("initContainers")
        for number in range(len(inits), MEMBERS - 1):
            inits.append(plain_container(f"wf-init-{number}"))
        inits.insert(sidecar_at.index(len(inits) + 1), plain_container(SIDECAR))

    def slots(self) -> Iterator[Slot]:
        """Every container that can take probes, init containers first."""
        number = 0
        for container_list in ("initContainers", "containers"):
            containers = self.spec.get(container_list)
            for index, container in enumerate(containers if isinstance(containers, list) else ()):
                if isinstance(container, dict):
                    length = len(self.members(container_list))
                    yield Slot(
                        container_list=container_list,
                        positions=tuple(p for p in Position if p.index(length) == index),
                        name=str(container.get("name")),
                        number=number,
                        container=container,
                    )
                number += 1

    def members(self, container_list: str) -> list[JsonValue]:
        """The containers of a list, which is made if the pod has none."""
        return _list(self.spec, container_list)

    def place(self, probe: Probe, slot: Slot | None = None) -> bool:
        """Add a probe, to a container where it is at one.

        False, and nothing changed, if it does not fit beside what is there.
        """
        number = slot.number if slot else 0
        spec, metadata = fill(probe.spec, number), fill(probe.metadata, number)
        inside = fill(probe.container, number)
        if self._refuses(probe, slot, {"spec": spec, "metadata": metadata}, inside):
            return False
        merge(self.pod, {"spec": spec, "metadata": metadata}, self.schema)
        if slot is not None:
            merge(slot.container, inside, self._container_schema(slot.container_list))
        self._exclusions |= dict.fromkeys(probe.excludes)
        self.placements.append(
            Placement(
                probe=probe,
                container_list=slot.container_list if slot else None,
                container=slot.name if slot else None,
            )
        )
        return True

    def _refuses(
        self, probe: Probe, slot: Slot | None, fragment: JsonObject, inside: JsonObject
    ) -> bool:
        if conflicts(self.pod, fragment, self.schema) or any_matches(probe.excludes, self.pod):
            return True
        if any_matches(self._exclusions, fragment):
            return True
        if slot is None:
            return False
        # A container's fragment is looked at as the pod it would be in: exclusions are pod paths.
        alone: JsonObject = {"spec": {slot.container_list: [inside]}}
        return any_matches(self._exclusions, alone) or conflicts(
            slot.container, inside, self._container_schema(slot.container_list)
        )

    def _container_schema(self, container_list: str) -> FieldSchema:
        element = self.schema.members["spec"].members[container_list].element
        if element is None:
            raise ValueError(f"{container_list} is no list in the schema")
        return element


def goals_of(probe: Probe) -> Iterator[tuple[str | None, Position | None]]:
    """The (container list, position) places a probe is to be tried in."""
    if probe.at is Place.POD:
        yield None, None
    for container_list in probe.at.lists:
        for position in Position:
            yield container_list, position


def plain_container(name: str) -> JsonObject:
    """A container that is only there to hold probes, before defaulting."""
    return {"name": name, "image": "registry.example.com/wf/app:1", "resources": {}}


def _object(parent: JsonObject, name: str) -> JsonObject:
    value = parent.setdefault(name, {})
    if not isinstance(value, dict):
        raise TypeError(f"{name} of a seed pod is no object")
    return value


def _list(parent: JsonObject, name: str) -> list[JsonValue]:
    value = parent.setdefault(name, [])
    if not isinstance(value, list):
        raise TypeError(f"{name} of a seed pod is no list")
    return value
