"""Which probes are there?

A probe is the smallest valid fragment of a pod that sets one new field, with everything the API
server's validation asks for beside it. Probes are data (`data/*.yaml`):

    name       unique
    at         pod | container (app and init) | app-container | init-container
    fields     the catalogue paths it sets; for containers relative to the container
    container  merged into the container, by merge key (see `merging.py`)
    pod        merged into the pod's spec
    metadata   merged into the pod's metadata
    init       what an init container must be to take it: sidecar | plain | any (default)
    excludes   paths, or path=value, that the pod must not have beside it
    since      the first target minor the fragment is for; until: the first it is no longer for
    future     no released API has the field
    because    one sentence for people

Values are *canaries*, distinct for every container, so that a value that moves is seen:
`${c}` in a string becomes the container's mark, `${int:N}` an integer from N on, `${pick:A|B}` one
of the choices in turn; `${keep:V}` is V where nothing is set yet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import NotRequired, TypedDict

import yaml

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor, parse_minor


class Place(StrEnum):
    """What a probe is merged into."""

    POD = "pod"
    CONTAINER = "container"
    APP_CONTAINER = "app-container"
    INIT_CONTAINER = "init-container"

    @property
    def lists(self) -> tuple[str, ...]:
        """The container lists it fits; none for a probe of the whole pod."""
        return {
            Place.POD: (),
            Place.CONTAINER: ("initContainers", "containers"),
            Place.APP_CONTAINER: ("containers",),
            Place.INIT_CONTAINER: ("initContainers",),
        }[self]


class InitKind(StrEnum):
    """What an init container must be for a probe to be valid on it."""

    SIDECAR = "sidecar"
    PLAIN = "plain"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe; `fields` are as in the data file, relative to a container where it is at one."""

    name: str
    at: Place
    fields: tuple[str, ...]
    container: JsonObject
    spec: JsonObject
    metadata: JsonObject
    init: InitKind
    excludes: tuple[str, ...]
    since: Minor | None
    until: Minor | None
    future: bool
    because: str

    def paths(self, container_list: str | None = None) -> tuple[str, ...]:
        """The catalogue paths it sets, in `containers` or `initContainers` where it is at one."""
        if container_list is None:
            return self.fields
        return tuple(f"spec.{container_list}[].{field}" for field in self.fields)

    def all_paths(self) -> Iterator[str]:
        """The catalogue paths it can set, in every list it fits."""
        for container_list in self.at.lists or (None,):
            yield from self.paths(container_list)

    def fits(self, target: Minor) -> bool:
        """Whether the fragment has the shape the API of `target` knows or will know."""
        return (self.since is None or self.since <= target) and (
            self.until is None or target < self.until
        )


class _ProbeEntry(TypedDict):
    name: str
    at: str
    fields: list[str]
    because: str
    container: NotRequired[JsonObject]
    pod: NotRequired[JsonObject]
    metadata: NotRequired[JsonObject]
    init: NotRequired[str]
    excludes: NotRequired[list[str]]
    since: NotRequired[str]
    until: NotRequired[str]
    future: NotRequired[bool]


@cache
def load_probes() -> Mapping[str, Probe]:
    """All shipped probes by name, in the order of the data files."""
    folder = resources.files(str(__package__)).joinpath("data")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda f: f.name
    )
    probes: dict[str, Probe] = {}
    for file in files:
        entries: list[_ProbeEntry] = yaml.safe_load(file.read_text("utf-8"))["probes"]
        for entry in entries:
            if entry["name"] in probes:
                raise ValueError(f"{file.name}: there are two probes named {entry['name']}")
            probes[entry["name"]] = _read_probe(entry)
    return probes


def _read_probe(entry: _ProbeEntry) -> Probe:
    since, until = entry.get("since"), entry.get("until")
    return Probe(
        name=entry["name"],
        at=Place(entry["at"]),
        fields=tuple(entry["fields"]),
        container=entry.get("container", {}),
        spec=entry.get("pod", {}),
        metadata=entry.get("metadata", {}),
        init=InitKind(entry.get("init", "any")),
        excludes=tuple(entry.get("excludes", ())),
        since=parse_minor(since) if since else None,
        until=parse_minor(until) if until else None,
        future=entry.get("future", False),
        because=entry["because"],
    )
