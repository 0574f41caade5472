"""How does the field catalogue grow by one Kubernetes minor?

The catalogue is folded minor by minor: what a newer client's models have and the catalogue has
not is new since that minor; what the catalogue has and the client has not was removed in it.
Adding a minor needs that minor's client only.
"""

from collections.abc import Iterable
from typing import NotRequired, TypedDict

from webhook_fuzz.corpora.fields.client_models import SeenField
from webhook_fuzz.corpora.fields.gates import gate_of_member
from webhook_fuzz.corpora.fields.lifecycles import mutability, why_not_creatable
from webhook_fuzz.corpora.versions import Minor, parse_minor

FIRST_MINOR = Minor(1, 19)
"""What was there in the oldest release read counts as always there."""


class FieldEntry(TypedDict):
    """One field in `data/catalogue.json`; `since` 1.19 means 1.19 or earlier."""

    path: str
    type: str
    since: str
    owner: str
    required: bool
    root: bool
    mutability: str
    creatable: bool
    gate: NotRequired[str]
    not_creatable_because: NotRequired[str]
    removed: NotRequired[str]


class TypeChange(TypedDict):
    """A field whose type changed in `minor`."""

    path: str
    minor: str
    before: str
    after: str


class CatalogueDocument(TypedDict):
    """`data/catalogue.json`: `sources` maps each minor to the client release it was read from."""

    sources: dict[str, str]
    fields: list[FieldEntry]
    changed: list[TypeChange]


def empty_document() -> CatalogueDocument:
    """A catalogue before its first minor."""
    return {"sources": {}, "fields": [], "changed": []}


def add_minor(
    document: CatalogueDocument, minor: Minor, source: str, seen: Iterable[SeenField]
) -> CatalogueDocument:
    """The catalogue with one newer minor folded in.

    Raises ValueError when the minor does not follow the newest one in the catalogue.
    """
    newest = max((parse_minor(text) for text in document["sources"]), default=None)
    if newest is not None and minor != newest.shifted(1):
        raise ValueError(f"the catalogue ends at {newest}, so the next minor is not {minor}")
    present = {entry["path"]: entry for entry in document["fields"] if "removed" not in entry}
    gone = [entry for entry in document["fields"] if "removed" in entry]
    found = {field.path: field for field in seen}
    fields = gone + [
        _kept_entry(entry, found[path]) if path in found else _removed_entry(entry, minor)
        for path, entry in present.items()
    ]
    fields += [_new_entry(field, minor) for path, field in found.items() if path not in present]
    return {
        "sources": document["sources"] | {str(minor): source},
        "fields": _with_roots_and_gates(fields),
        "changed": document["changed"] + _type_changes(present, found, minor),
    }


def _kept_entry(entry: FieldEntry, field: SeenField) -> FieldEntry:
    """Type, owner and required as the newest minor has them."""
    return {**entry, "type": field.type, "owner": field.owner, "required": field.required}


def _removed_entry(entry: FieldEntry, minor: Minor) -> FieldEntry:
    return {**entry, "removed": str(minor)}


def _new_entry(field: SeenField, minor: Minor) -> FieldEntry:
    entry = FieldEntry(
        path=field.path,
        type=field.type,
        since=str(minor),
        owner=field.owner,
        required=field.required,
        root=False,
        mutability=mutability(field.path),
        creatable=True,
    )
    reason = why_not_creatable(field.path)
    if reason is not None:
        entry["creatable"] = False
        entry["not_creatable_because"] = reason
    return entry


def _with_roots_and_gates(fields: list[FieldEntry]) -> list[FieldEntry]:
    """`root` marks the topmost new path: its parent is older than itself."""
    ordered = sorted(fields, key=lambda entry: (entry["path"], parse_minor(entry["since"])))
    since = {entry["path"]: entry["since"] for entry in ordered}
    gates: dict[str, str] = {}
    for entry in ordered:
        parent = parent_path(entry["path"])
        entry["root"] = entry["since"] != str(FIRST_MINOR) and since.get(parent) != entry["since"]
        gate = gate_of_member(entry["path"], entry["owner"]) or gates.get(parent)
        entry.pop("gate", None)
        if gate is not None:
            entry["gate"] = gates[entry["path"]] = gate
    return ordered


def _type_changes(
    present: dict[str, FieldEntry], found: dict[str, SeenField], minor: Minor
) -> list[TypeChange]:
    return [
        TypeChange(path=path, minor=str(minor), before=entry["type"], after=found[path].type)
        for path, entry in present.items()
        if path in found and entry["type"] != found[path].type
    ]


def parent_path(path: str) -> str:
    """The parent `spec.volumes[].image` of `spec.volumes[].image.reference`."""
    return path.rpartition(".")[0].removesuffix("[]").removesuffix("{}")
