"""How is a member of a raw object read, whatever type it turns out to have?

Objects of a cluster stay raw JSON, and nothing promises their shape: what is missing, or of another
type, reads as empty.
"""

from collections.abc import Iterator, Mapping

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue


def object_at(holder: Mapping[str, JsonValue], *names: str) -> JsonObject:
    """The object that the member names lead to."""
    found: Mapping[str, JsonValue] | JsonValue = holder
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, dict) else {}


def text_at(holder: Mapping[str, JsonValue], name: str) -> str:
    """The member as a string."""
    found = holder.get(name)
    return found if isinstance(found, str) else ""


def list_at(holder: Mapping[str, JsonValue], name: str) -> list[JsonValue]:
    """The member as a list."""
    found = holder.get(name)
    return found if isinstance(found, list) else []


def objects_at(holder: Mapping[str, JsonValue], name: str) -> list[JsonObject]:
    """The objects of a list."""
    return [each for each in list_at(holder, name) if isinstance(each, dict)]


def named(holder: Mapping[str, JsonValue], name: str) -> Iterator[tuple[str, JsonObject]]:
    """The objects of a list by their names; those without one are left out."""
    for each in objects_at(holder, name):
        if own := text_at(each, "name"):
            yield own, each


def controller_of(holder: Mapping[str, JsonValue]) -> JsonObject | None:
    """The owner reference of the controller, raw; None where nobody controls it."""
    references = objects_at(object_at(holder, "metadata"), "ownerReferences")
    return next((each for each in references if each.get("controller") is True), None)
