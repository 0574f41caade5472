r"""How was each scalar of a JSON text spelled?

A JSON Patch `test` compares scalars by their spelling (`1` is not `1.0`, `"x&y"` is not
`"x\u0026y"`), so a patch that tests has to be read with the spelling kept. Only scalars that Go
would spell differently are marked; everything else is a plain value.

Source: evanphx/json-patch v4 patch.go lazyNode.equal and lazyNode.compact.
"""

import json
import re

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.encoding import encode_scalar, escape_html, read_integer

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_LITERALS: dict[str, tuple[bool | None, int]] = {"t": (True, 4), "f": (False, 5), "n": (None, 4)}
# Anything that could be a scalar Go spells differently. Too many matches cost time, no truth.
_UNUSUAL = re.compile(rb"[\\<>&]|\xe2\x80[\xa8\xa9]|[:,\[]\s*(?:-0|-?\d+[.eE]|-?\d{17})")


class SpelledText(str):  # noqa: SLOT000 - it is slots or a plain attribute; int has no slots either
    """A string together with its spelling in the text, quotes included."""

    spelling: str


class SpelledInteger(int):
    """An integer together with its spelling in the text (`-0`)."""

    spelling: str


class SpelledFloat(float):
    """A number with a fraction, an exponent or too many digits, together with its spelling."""

    spelling: str


def may_be_unusual(text: bytes) -> bool:
    """Whether a JSON text can hold a scalar that Go would spell differently (cheap, may err)."""
    return _UNUSUAL.search(text) is not None


def spelling_of(scalar: JsonValue) -> str:
    """A scalar's own spelling, or Go's where it has none of its own."""
    if isinstance(scalar, SpelledText | SpelledInteger | SpelledFloat):
        return scalar.spelling
    if isinstance(scalar, list | dict):
        raise TypeError("only scalars have a spelling")
    return encode_scalar(scalar)


def respelled(scalar: JsonValue) -> JsonValue:
    """The scalar after Go has marshalled it once more (HTML characters get escaped)."""
    if isinstance(scalar, SpelledText | SpelledInteger | SpelledFloat):
        escaped = escape_html(scalar.spelling.encode()).decode()
        return _spelled(unspelled(scalar), escaped)
    return scalar


def unspelled(scalar: JsonValue) -> JsonValue:
    """The plain value of a scalar."""
    match scalar:
        case SpelledText():
            return str.__str__(scalar)
        case SpelledInteger():
            return int(scalar)
        case SpelledFloat():
            return float(scalar)
        case _:
            return scalar


def read_spelled(text: str) -> JsonValue:
    """The value of a valid JSON text, unusual scalars with their spelling.

    Raises RecursionError for deep nesting. `text` must have been accepted by a JSON parser.
    """
    value, _ = _read_value(text, _skip(text, 0))
    return value


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _read_value(text: str, at: int) -> tuple[JsonValue, int]:
    match text[at]:
        case "{":
            return _read_object(text, _skip(text, at + 1))
        case "[":
            return _read_array(text, _skip(text, at + 1))
        case '"':
            raw, end = _read_raw(_STRING, text, at)
            return _spelled(json.loads(raw), raw), end
        case "t" | "f" | "n" as first:
            literal, length = _LITERALS[first]
            return literal, at + length
        case _:
            raw, end = _read_raw(_NUMBER, text, at)
            return _spelled(_number(raw), raw), end


def _read_object(text: str, at: int) -> tuple[JsonObject, int]:
    members: JsonObject = {}
    while text[at] != "}":
        raw, at = _read_raw(_STRING, text, at)
        at = _skip(text, _skip(text, at) + 1)
        members[json.loads(raw)], at = _read_value(text, at)
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
    return members, at + 1


def _read_array(text: str, at: int) -> tuple[list[JsonValue], int]:
    elements: list[JsonValue] = []
    while text[at] != "]":
        element, at = _read_value(text, at)
        elements.append(element)
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
    return elements, at + 1


def _read_raw(pattern: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError(f"no JSON value at character {at}")
    return found[0], found.end()


def _number(raw: str) -> int | float:
    return read_integer(raw) if raw.lstrip("-").isdigit() else float(raw)


def _spelled(value: JsonValue, raw: str) -> JsonValue:
    if isinstance(value, str):
        value = value.encode("utf-8", "replace").decode() if not _encodable(value) else value
        marked: SpelledText | SpelledInteger | SpelledFloat = SpelledText(value)
    elif isinstance(value, float):
        marked = SpelledFloat(value)
    elif isinstance(value, int):
        marked = SpelledInteger(value)
    else:
        return value
    if encode_scalar(value) == raw:
        return value
    marked.spelling = raw
    return marked


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
