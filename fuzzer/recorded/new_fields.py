"""Which of the fields Kubernetes gained are on a pod?

Only these show what a webhook does with fields that are newer than its types, and a recording shows
it only for those that occurred.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.differences.comparing import is_absent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A member that is a new field (`path`, else None), or has one below it."""

    path: str | None
    schema: FieldSchema
    below: Mapping[str, "_Place"]


class FieldFinder:
    """Finds the new fields of pods by the newest types known; `fields` are all there are."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.fields = frozenset(field.path for field in catalogue.new_roots() if field.creatable)
        self._places = self._build(catalogue.schema(catalogue.newest), "")

    def find(self, pod: JsonObject) -> frozenset[str]:
        """The catalogue paths set on a pod that came as a root after the oldest release.

        Those that a pod may be created with: managedFields and the like are nobody's wish. What a
        member says by being there counts, not that it is there (see `is_absent`).
        """
        return frozenset(_walk(pod, self._places))

    def _build(self, schema: FieldSchema, field: str) -> Mapping[str, _Place]:
        """The members of a struct, or of the elements of a list of them, that lead somewhere."""
        found: dict[str, _Place] = {}
        for name, member in schema.members.items():
            path = f"{field}.{name}" if field else name
            is_list = member.kind is Kind.LIST and member.element is not None
            struct = member.element if is_list and member.element else member
            below = self._build(struct, f"{path}[]" if is_list else path)
            if below or path in self.fields:
                root = path if path in self.fields else None
                found[name] = _Place(path=root, schema=member, below=below)
        return found


def _walk(value: JsonObject, places: Mapping[str, _Place]) -> Iterator[str]:
    for name, member in value.items():
        place = places.get(name)
        if place is None:
            continue
        if place.path is not None and not is_absent(name, member, place.schema):
            yield place.path
        if place.below:
            yield from _walk_below(member, place.below)


def _walk_below(value: JsonValue, places: Mapping[str, _Place]) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _walk(value, places)
    elif isinstance(value, list):
        for element in value:
            if isinstance(element, dict):
                yield from _walk(element, places)
