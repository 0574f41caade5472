"""`webhook-fuzz fields`."""

import json
from collections.abc import Iterable

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.catalogue import Catalogue, Field, load_catalogue
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.versions import parse_minor


@click.command("fields")
@click.option("--since", metavar="MINOR", help="Only fields of this Kubernetes version and later.")
@click.option("--gate", metavar="NAME", help="Only fields behind this feature gate.")
@click.option("--all", "all_fields", is_flag=True, help="Members of new fields and old fields too.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(*, since: str | None, gate: str | None, all_fields: bool, form: str) -> None:
    """List the pod fields by the Kubernetes version they came with, and their feature gates.

    Only the topmost new fields are shown, unless --all is given.
    """
    catalogue = load_catalogue()
    oldest = parse_minor(since) if since else min(catalogue.sources)
    if gate is not None and gate not in load_gates():
        raise InputError(
            f"there is no feature gate {gate!r} that guards a pod field",
            hint=f"Known are: {', '.join(sorted(load_gates()))}.",
        )
    chosen = [
        field
        for field in catalogue.fields
        if (field.root or all_fields)
        and field.since >= oldest
        and (gate is None or field.gate == gate)
    ]
    click.echo(_as_json(chosen, catalogue) if form == "json" else _as_text(chosen, catalogue))


def _as_text(fields: Iterable[Field], catalogue: Catalogue) -> str:
    lines: list[str] = []
    last = None
    for field in sorted(fields, key=lambda field: (field.since, field.path)):
        if field.since != last:
            older = "  (or earlier)" if field.since == min(catalogue.sources) else ""
            lines.append(f"\n{field.since}{older}")
            last = field.since
        lines.append(f"  {field.path}  {field.type}{_notes(field, catalogue)}")
    return "\n".join(lines).lstrip("\n") or "no field matches"


def _notes(field: Field, catalogue: Catalogue) -> str:
    gate = catalogue.gate(field)
    notes = [f"{gate.name}: {', '.join(map(str, gate.stages))}"] if gate else []
    if field.removed:
        notes.append(f"gone in {field.removed}")
    if field.not_creatable_because:
        notes.append(f"not on a new pod: {field.not_creatable_because}")
    return "".join(f"\n      {note}" for note in notes)


def _as_json(fields: Iterable[Field], catalogue: Catalogue) -> str:
    entries: list[dict[str, object]] = []
    for field in fields:
        gate = catalogue.gate(field)
        entries.append(
            {
                "path": field.path,
                "type": field.type,
                "since": str(field.since),
                "owner": field.owner,
                "required": field.required,
                "root": field.root,
                "mutability": field.mutability.value,
                "creatable": field.creatable,
                "removed": str(field.removed) if field.removed else None,
                "gate": field.gate,
                "stages": [[str(s.since), s.name, s.default] for s in gate.stages] if gate else [],
            }
        )
    return json.dumps(entries, indent=1)
