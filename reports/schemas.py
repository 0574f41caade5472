"""Which JSON Schema does `run.json` follow, and does a value have its shape?

`run.schema.json` is published with the package for any validator (JSON Schema 2020-12). Reading a
file needs no validator as a dependency: `find_mismatch` understands the handful of keywords that
schema uses. It is lenient where a reader should be: members it does not know are passed over, so
that a result written by a later release of the same schema version can still be shown.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources

import orjson

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name

_TYPES: dict[str, Callable[[JsonValue], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

# Keywords that say nothing about a value's shape, or that a reader is lenient about.
UNCHECKED = frozenset({"$schema", "$id", "$defs", "title", "description", "minimum"})
CHECKED = frozenset(
    {"$ref", "anyOf", "type", "enum", "const", "properties", "required", "items"}
    | {"additionalProperties"}
)


@cache
def load_schema() -> JsonObject:
    """The JSON Schema of `run.json` (2020-12), as shipped with this package."""
    raw = resources.files(str(__package__)).joinpath("run.schema.json").read_bytes()
    schema: JsonObject = orjson.loads(raw)
    return schema


def find_mismatch(value: JsonValue, schema: JsonObject | None = None, at: str = "") -> str | None:
    """Where and how `value` differs from the schema of `run.json`, None when it has its shape.

    `schema` is a part of it (the whole by default) and `at` the path of `value`, for the message:
    `webhooks[0].verdict: "fine" is not one of incompatible, at-risk, …`.
    """
    return next(_mismatches(value, load_schema() if schema is None else schema, at), None)


def _mismatches(value: JsonValue, schema: JsonObject, at: str) -> Iterator[str]:
    resolved = _resolve(schema)
    problem = _own_problem(value, resolved)
    if problem:
        yield f"{at or 'the document'}: {problem}"
        return
    yield from _alternative_mismatches(value, resolved, at)
    if isinstance(value, dict):
        yield from _member_mismatches(value, resolved, at)
    items = resolved.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        for index, item in enumerate(value):
            yield from _mismatches(item, items, f"{at}[{index}]")


def _resolve(schema: JsonObject) -> JsonObject:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    return _objects(load_schema(), "$defs")[reference.removeprefix("#/$defs/")]


def _objects(schema: JsonObject, keyword: str) -> dict[str, JsonObject]:
    members = schema.get(keyword)
    found = members if isinstance(members, dict) else {}
    return {name: member for name, member in found.items() if isinstance(member, dict)}


def _strings(value: JsonValue) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _own_problem(value: JsonValue, schema: JsonObject) -> str | None:
    if "type" in schema:
        expected = _strings(schema["type"])
        if not any(_TYPES[name](value) for name in expected):
            return f"{' or '.join(expected)} expected, not {json_type_name(value)}"
    if "const" in schema and value != schema["const"]:
        return f"{schema['const']!r} expected"
    allowed = schema.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        return f"{str(value)[:40]!r} is not one of {', '.join(_strings(allowed))}"
    return None


def _alternative_mismatches(value: JsonValue, schema: JsonObject, at: str) -> Iterator[str]:
    choices = schema.get("anyOf")
    if not isinstance(choices, list):
        return
    found = [find_mismatch(value, choice, at) for choice in choices if isinstance(choice, dict)]
    if found and all(found):
        yield str(found[0])


def _member_mismatches(value: JsonObject, schema: JsonObject, at: str) -> Iterator[str]:
    properties = _objects(schema, "properties")
    for name in _strings(schema.get("required", [])):
        if name not in value:
            yield f"{at or 'the document'}: {name!r} is missing"
    others = schema.get("additionalProperties")
    for name, member in value.items():
        inner = properties.get(name, others)
        if isinstance(inner, dict):
            yield from _mismatches(member, inner, f"{at}.{name}" if at else name)
