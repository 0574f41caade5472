"""Which triggers are there: the shipped catalogue, and the files of users.

A user's file holds a list `triggers` of entries with the members of a trigger. The shipped files
group the same entries as `variants` by webhook, and say of each webhook the `source` of the facts
and of each variant `because`: which code path it takes. Both are read by the same rules.

    triggers:
      - name: team-injector
        labels: {inject.example.com/enabled: "true"}
        namespaceLabels: {team: payments}
        spec:
          containers:
            - name: "*"
              env: [{name: CONFIG, value: "ref://config"}]
"""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.corpora.triggers.documents import parse_document, read_document
from webhook_fuzz.corpora.triggers.entries import MEMBERS, Origin, parse_trigger

__all__ = ["NO_TRIGGER", "Trigger", "load_shipped_triggers", "load_trigger_file"]

_FORM_HINT = f"Write a list under 'triggers:'; each entry has {', '.join(MEMBERS)}."


def load_shipped_triggers() -> tuple[Trigger, ...]:
    """The catalogue that comes with the program, in the order of its files.

    Raises InputError when a shipped file is wrong, which only a broken installation can cause.
    """
    resources = sorted(files(str(__package__)).iterdir(), key=lambda each: each.name)
    return _unique(
        trigger
        for resource in resources
        if resource.name.endswith(".yaml")
        for trigger in _shipped(parse_document(resource.read_bytes(), resource.name), resource.name)
    )


def load_trigger_file(path: Path) -> tuple[Trigger, ...]:
    """The triggers of a user's YAML file, in its order; their `source` is the file.

    Raises InputError naming file, entry and member: unknown members, wrong types, names given
    twice, labels and annotations the API server would refuse, files that are too large.
    """
    where = str(path)
    entries = _list_member(read_document(path), "triggers", where)
    if not entries:
        raise InputError(f"{where}: holds no trigger", hint=_FORM_HINT)
    return _unique(
        parse_trigger(entry, Origin(entry=_describe(where, number, entry), source=where))
        for number, entry in _objects(entries, where)
    )


def _shipped(document: JsonValue, where: str) -> Iterator[Trigger]:
    for number, group in _objects(_list_member(document, "webhooks", where), where):
        place = f"{where}: webhook {number}"
        webhook, source = (_prose(group, member, place) for member in ("webhook", "source"))
        variants = _list_member_of(group, "variants", place)
        for position, variant in _objects(variants, place):
            described = _describe(place, position, variant)
            because = _prose(variant, "because", described)
            entry = {member: value for member, value in variant.items() if member != "because"}
            origin = Origin(entry=described, source=source, webhook=webhook, because=because)
            yield parse_trigger(entry, origin)


def _list_member(document: JsonValue, member: str, where: str) -> list[JsonValue]:
    if not isinstance(document, dict) or set(document) != {member}:
        raise InputError(f"{where}: must have the one member {member!r}", hint=_FORM_HINT)
    return _list_member_of(document, member, where)


def _list_member_of(value: JsonObject, member: str, where: str) -> list[JsonValue]:
    elements = value.get(member)
    if not isinstance(elements, list):
        problem = f"{member} must be a list, not {json_type_name(elements)}"
        raise InputError(f"{where}: {problem}", hint=_FORM_HINT)
    return elements


def _objects(elements: list[JsonValue], where: str) -> Iterator[tuple[int, JsonObject]]:
    for number, element in enumerate(elements, start=1):
        if not isinstance(element, dict):
            problem = f"entry {number} must be a mapping, not {json_type_name(element)}"
            raise InputError(f"{where}: {problem}", hint=_FORM_HINT)
        yield number, element


def _prose(value: JsonObject, member: str, where: str) -> str:
    text = value.get(member)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{where}: {member} is missing", hint="Say it in a sentence.")
    return text.strip()


def _describe(where: str, number: int, entry: JsonObject) -> str:
    name = entry.get("name")
    return (
        f"{where}: entry {number} ({name})" if isinstance(name, str) else f"{where}: entry {number}"
    )


def _unique(triggers: Iterable[Trigger]) -> tuple[Trigger, ...]:
    found: dict[str, Trigger] = {}
    for trigger in triggers:
        if trigger.name in found:
            raise InputError(
                f"{trigger.source}: the name {trigger.name!r} is given twice",
                hint="Names tell triggers apart in reports; change one of them.",
            )
        found[trigger.name] = trigger
    return tuple(found.values())
