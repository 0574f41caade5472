"""What does a YAML file of triggers say, as plain JSON?

PyYAML accepts more than JSON can hold and keeps the last of two equal keys. Here both are errors
with a line, and so are aliases: a few lines of them can stand for gigabytes.
"""

from math import isfinite
from pathlib import Path
from typing import TypeGuard, cast

import yaml

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonValue

# Far above any catalogue; the API server itself refuses objects above about 1.5 MiB.
MAX_FILE_BYTES = 1024 * 1024


def read_document(path: Path) -> JsonValue:
    """The file's one YAML document as a JSON value.

    Raises InputError when it cannot be read, is too large or is not plain YAML.
    """
    return parse_document(_read(path), str(path))


def parse_document(data: bytes, where: str) -> JsonValue:
    """One YAML document (UTF-8) as a JSON value; `where` names it in errors (InputError)."""
    try:
        text = data.decode()
        _refuse_ambiguity(yaml.compose(text, Loader=yaml.SafeLoader), where)
        value: object = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text", hint="Save the file as UTF-8.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise InputError(
            f"{where}: not valid YAML: {detail}", hint="Correct the YAML and try again."
        ) from error
    if not _is_json(value):
        raise InputError(
            f"{where}: holds a key or value JSON does not have, such as a date",
            hint='Put it in quotes, for example "2026-01-01" or "on".',
        )
    return value


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}", hint="Check the path and its permissions."
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError(
            f"{path}: larger than {MAX_FILE_BYTES} bytes", hint="Split it into several files."
        )
    return data


def _refuse_ambiguity(root: yaml.Node | None, where: str) -> None:
    """Raise on a key given twice and on aliases (a node met a second time)."""
    seen: set[int] = set()
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            raise InputError(
                f"{where}: line {node.start_mark.line + 1} is used again through an alias",
                hint="Write the values out where they are needed.",
            )
        seen.add(id(node))
        waiting += _children(node, where)


def _children(node: yaml.Node, where: str) -> list[yaml.Node]:
    match node:
        case yaml.MappingNode():
            _refuse_repeated_keys(node, where)
            return [part for pair in node.value for part in pair]
        case yaml.SequenceNode():
            return list(node.value)
        case _:
            return []


def _refuse_repeated_keys(node: yaml.MappingNode, where: str) -> None:
    keys: set[str] = set()
    for key, _ in node.value:
        if str(key.value) in keys:
            raise InputError(
                f"{where}: line {key.start_mark.line + 1} gives {key.value!r} a second time",
                hint="Keep one of them.",
            )
        keys.add(str(key.value))


def _is_json(value: object) -> TypeGuard[JsonValue]:
    match value:
        case None | bool() | int() | str():
            return True
        case float():
            return isfinite(value)
        case list():
            return all(_is_json(element) for element in cast("list[object]", value))
        case dict():
            members = cast("dict[object, object]", value).items()
            return all(isinstance(key, str) and _is_json(each) for key, each in members)
        case _:
            return False
