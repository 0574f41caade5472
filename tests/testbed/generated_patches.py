"""Which patches might a webhook come up with, on a document we know?

Mostly such that apply, with everything mixed in that has ever been seen to divide implementations:
escapes, negative and odd indexes, missing and null members, duplicate members, unusual spellings.
Deterministic for a seed.
"""

import json
from collections.abc import Sequence
from random import Random

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

KEYS: Sequence[str] = ("a", "b", "c", "m/n", "m~n", "", "é", "<x>", "0", "-", "~1")
TEXTS: Sequence[str] = ("", "x", "x&y", "<b>", "é", "\u2028", "1", "null", "日本", 'q"\\', "a\tb")
OPS: Sequence[str] = ("add", "remove", "replace", "move", "copy", "test")
ODD_OPS: Sequence[str] = ("Add", "", "patch", "_get", "add ", "merge")
ODD_TOKENS: Sequence[str] = ("-", "-1", "-2", "+0", "01", "1", "9", "-9", "a", "", "~2", "~", "1e0")
ODD_TOKENS_SHARE = 0.08


def random_of(seed: str) -> Random:
    """Random decisions that are the same for the same seed."""
    return Random(seed)  # noqa: S311 - test data


def random_value(rng: Random, depth: int = 2) -> JsonValue:
    """Any JSON value whose spelling by Go is its only usual one."""
    kind = rng.randrange(12 if depth else 8)
    if kind < 3:
        return rng.choice(TEXTS)
    if kind < 5:
        return rng.choice((0, 1, -1, 7, 42, 2**31, -(2**63), 1.5, -0.25))
    if kind < 8:
        return rng.choice((True, False, None))
    if kind < 10:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return random_object(rng, depth - 1)


def random_object(rng: Random, depth: int = 2) -> JsonObject:
    """An object with a few members."""
    keys = rng.sample(KEYS, rng.randrange(5))
    return {key: random_value(rng, depth) for key in keys}


def random_patch(rng: Random, document: JsonValue, prefix: str, *, odd: float = 0.12) -> bytes:
    """The text of a patch on `document`, which stands at `prefix`.

    `odd` is the share of operations that something is done to.
    """
    operations = [
        random_operation(rng, document, prefix, odd=odd)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5)))
    ]
    text = f"[{','.join(operations)}]"
    if rng.random() < odd / 5:
        text = rng.choice(("null", "[]", "{}", "[null]", f"{text}x", f" {text}\n", text[:-1], '""'))
    return text.encode()


def random_operation(rng: Random, document: JsonValue, prefix: str, *, odd: float) -> str:
    """The text of one operation."""
    kind = rng.choice(OPS)
    members: list[tuple[str, str]] = [("op", json.dumps(kind))]
    pointer, value = _place(rng, document, existing=kind != "add")
    members.append(("path", spell(rng, prefix + pointer)))
    if kind in ("move", "copy"):
        origin, _ = _place(rng, document, existing=True)
        members.append(("from", spell(rng, prefix + origin)))
    if kind in ("add", "replace"):
        members.append(("value", spell(rng, random_value(rng))))
    if kind == "test":
        compared = value if rng.random() < 0.9 else random_value(rng)
        members.append(("value", spell(rng, compared)))
    if rng.random() < odd:
        members = _disturbed(rng, members, prefix)
    if rng.random() < 0.3:
        rng.shuffle(members)
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members) + "}"


def spell(rng: Random, value: JsonValue) -> str:
    """A value as JSON text: usually the plain one, sometimes another that means the same."""
    if isinstance(value, dict):
        members = (f"{_spell_text(rng, name)}:{spell(rng, value[name])}" for name in value)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(spell(rng, element) for element in value) + "]"
    if isinstance(value, str):
        return _spell_text(rng, value)
    if type(value) is int and rng.random() < 0.05:
        return rng.choice((f"{value}.0", f"{value}e0", f"{value}E+0"))
    return json.dumps(value)


def _spell_text(rng: Random, text: str) -> str:
    roll = rng.random()
    if roll < 0.8:
        return json.dumps(text, ensure_ascii=False)
    if roll < 0.9:
        return json.dumps(text)
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"'


def escape(token: str) -> str:
    """A key as a reference token (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def _place(rng: Random, document: JsonValue, *, existing: bool) -> tuple[str, JsonValue]:
    """A pointer into the document, usually to what is there, and the value there."""
    pointer, value, around = "", document, document
    while isinstance(value, dict | list) and value and (rng.random() < 0.75 or not pointer):
        around = value
        if isinstance(value, dict):
            name = rng.choice(list(value))
            step, value = escape(name), value[name]
        else:
            index = rng.randrange(len(value))
            step = str(index if rng.random() < 0.85 else index - len(value))
            value = value[index]
        pointer = f"{pointer}/{step}"
    if not existing and rng.random() < 0.6:
        if not isinstance(value, dict | list):
            pointer, value = pointer.rpartition("/")[0], around
        inside = isinstance(value, list)
        token = rng.choice(("-", "0", "-1")) if inside else escape(rng.choice(KEYS))
        pointer = f"{pointer}/{token}"
    elif rng.random() < ODD_TOKENS_SHARE:
        pointer = f"{pointer}/{rng.choice(ODD_TOKENS)}"
    return pointer, value


def _disturbed(rng: Random, members: list[tuple[str, str]], prefix: str) -> list[tuple[str, str]]:
    """An operation with one thing wrong, or merely unusual."""
    changed = list(members)
    at = rng.randrange(len(changed))
    name, text = changed[at]
    match rng.randrange(9):
        case 0:
            del changed[at]
        case 1:
            changed[at] = (name, "null")
        case 2:
            changed[at] = (name.capitalize(), text)
        case 3:
            changed.append((name, text))
        case 4:
            changed.insert(0, (name, rng.choice(('"x"', "1", "[]", '"/a"'))))
        case 5:
            changed[0] = ("op", json.dumps(rng.choice(ODD_OPS)))
        case 6:
            changed[at] = (name, rng.choice(("1", "true", "{}", "[]", '""')))
        case 7:
            changed.append(("extra", "1"))
        case _:
            odd = rng.choice((prefix.lstrip("/"), "", "/", f"{prefix}/", f"x{prefix}/a"))
            changed = [(name, json.dumps(odd) if name == "path" else t) for name, t in changed]
    return changed
