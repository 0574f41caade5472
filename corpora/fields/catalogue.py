"""Which pod fields exist in a given Kubernetes minor?

The field catalogue is data (`data/catalogue.json`), written by `scripts/generate_catalogue.py` from
the published Python clients. Paths use `[]` for a list element and `{}` for a map's value:
`spec.initContainers[].restartPolicy`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources

import orjson

from webhook_fuzz.corpora.fields.gates import Gate, load_gates
from webhook_fuzz.corpora.fields.generating import CatalogueDocument, FieldEntry, parent_path
from webhook_fuzz.corpora.fields.lifecycles import Mutability
from webhook_fuzz.corpora.fields.schemas import FieldSchema, build_schema
from webhook_fuzz.corpora.versions import Minor, parse_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One pod field path.

    `since` 1.19 means 1.19 or earlier; `removed` is the first minor without it; `root` says that
    it is the topmost new path, its parent being older; `gate` is the feature gate that guards it
    or the field it is part of; `not_creatable_because` is None where a new pod may carry it.
    """

    path: str
    type: str
    since: Minor
    owner: str
    required: bool
    root: bool
    mutability: Mutability
    not_creatable_because: str | None = None
    gate: str | None = None
    removed: Minor | None = None

    @property
    def creatable(self) -> bool:
        """Whether a valid new pod can carry the field."""
        return self.not_creatable_because is None

    @property
    def parent(self) -> str:
        """The path of the field this one is a member of."""
        return parent_path(self.path)

    def exists_in(self, minor: Minor) -> bool:
        """Whether the API of `minor` has the field, whatever its gate says."""
        return self.since <= minor and (self.removed is None or minor < self.removed)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All pod fields ever seen, ordered by path."""

    fields: tuple[Field, ...]
    sources: Mapping[Minor, str]
    _schemas: dict[Minor, FieldSchema] = field(default_factory=dict[Minor, FieldSchema])

    @cached_property
    def newest(self) -> Minor:
        """The newest minor the catalogue knows."""
        return max(self.sources)

    @cached_property
    def _by_path(self) -> Mapping[str, Field]:
        # A field that left and came back is found as it is now: entries are oldest first.
        return {field.path: field for field in self.fields}

    def get(self, path: str) -> Field | None:
        """The field at a catalogue path, removed ones included."""
        return self._by_path.get(path)

    def in_minor(self, minor: Minor) -> Iterator[Field]:
        """The fields the API of `minor` has."""
        return (field for field in self.fields if field.exists_in(minor))

    def new_roots(self) -> Iterator[Field]:
        """Every field that came as a root after the oldest release read, removed ones included."""
        return (field for field in self.fields if field.root)

    def gate(self, field: Field) -> Gate | None:
        """The feature gate that guards a field."""
        return load_gates()[field.gate] if field.gate else None

    def known(self, paths: frozenset[str]) -> frozenset[str]:
        """The paths that are fields of some release."""
        return paths & self._by_path.keys()

    def topmost(self, paths: frozenset[str]) -> tuple[str, ...]:
        """The paths that have no ancestor among `paths`, sorted."""
        return tuple(sorted(path for path in paths if not self._has_ancestor(path, paths)))

    def _has_ancestor(self, path: str, paths: frozenset[str]) -> bool:
        parent = parent_path(path)
        while parent:
            if parent in paths:
                return True
            parent = parent_path(parent)
        return False

    def schema(self, minor: Minor) -> FieldSchema:
        """What the API of `minor` decodes a pod into."""
        if minor not in self._schemas:
            self._schemas[minor] = build_schema(
                (field.path, field.type, field.owner) for field in self.in_minor(minor)
            )
        return self._schemas[minor]


@cache
def load_catalogue() -> Catalogue:
    """The catalogue shipped with this package."""
    raw = resources.files(str(__package__)).joinpath("data", "catalogue.json").read_bytes()
    document: CatalogueDocument = orjson.loads(raw)
    return Catalogue(
        fields=tuple(_read_field(entry) for entry in document["fields"]),
        sources={parse_minor(minor): source for minor, source in document["sources"].items()},
    )


def _read_field(entry: FieldEntry) -> Field:
    removed = entry.get("removed")
    return Field(
        path=entry["path"],
        type=entry["type"],
        since=parse_minor(entry["since"]),
        owner=entry["owner"],
        required=entry["required"],
        root=entry["root"],
        mutability=Mutability(entry["mutability"]),
        not_creatable_because=entry.get("not_creatable_because"),
        gate=entry.get("gate"),
        removed=parse_minor(removed) if removed else None,
    )
