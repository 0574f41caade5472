"""Where does a JSON Pointer of a patch lead?

Reference tokens, array indexes and members as evanphx/json-patch v4 understands them, which is
wider than RFC 6901: `01`, `+1` and `-1` are indexes, and what precedes the first `/` is ignored.

Source: gopkg.in/evanphx/json-patch.v4 patch.go findObject, partialDoc and partialArray.
"""

import json
import re
from typing import TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name

# Go's json scanner gives up below this; deeper documents cannot be decoded by the API server.
DEPTH_LIMIT = 10_000

Container: TypeAlias = dict[str, JsonValue] | list[JsonValue]
_INDEX = re.compile(r"[+-]?[0-9]+")
_INDEX_RANGE = range(-(2**63), 2**63)


class RefusalError(Exception):
    """An operation that the library answers with an error."""


class PanicError(RefusalError):
    """An operation that makes the library panic: the request fails, whatever failurePolicy says."""


def pointer_of(operation: JsonObject, member: str, failure: str) -> str:
    """`path` or `from`. Source: patch.go Operation.Path and Operation.From."""
    pointer = operation.get(member)
    if isinstance(pointer, str):
        return pointer
    if pointer is None:
        comma = "," if member == "from" else ""
        raise RefusalError(f"{failure}: operation{comma} missing {member} field: missing value")
    name = json_type_name(pointer)
    raise RefusalError(f"{failure}: json: cannot unmarshal {name} into Go value of type string")


def tokens_of(path: str) -> list[str]:
    """The reference tokens of a pointer, whose first segment is ignored; none for "".

    Source: patch.go findObject and decodePatchKey, which unescapes in one pass from the left:
    doing `~1` first and `~0` second gives the same.
    """
    segments = path.split("/")
    if len(segments) > DEPTH_LIMIT:
        raise RefusalError("exceeded max depth")
    del segments[0]
    if "~" in path:
        return [segment.replace("~1", "/").replace("~0", "~") for segment in segments]
    return segments


def _index(token: str) -> int:
    """strconv.Atoi: `01`, `+1` and `-1` are indexes."""
    if _INDEX.fullmatch(token) is None:
        raise IndexError(f"strconv.Atoi: parsing {_quoted(token)}: invalid syntax")
    # 19 digits are the longest int64; a longer run of leading zeros is read all the same.
    digits = token.lstrip("+-0")
    if len(digits) > 19 or (index := int(token)) not in _INDEX_RANGE:  # noqa: PLR2004
        raise IndexError(f"strconv.Atoi: parsing {_quoted(token)}: value out of range")
    return index


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def existing_index(array: list[JsonValue], token: str) -> int:
    """The position of an existing element. Source: patch.go partialArray.get."""
    index = _index(token)
    if -len(array) <= index < len(array):
        return index
    raise IndexError(f"Unable to access invalid index: {index}: invalid index referenced")


def child_of(container: Container, token: str) -> JsonValue:
    """What a token inside a pointer leads to; None where it leads nowhere."""
    if isinstance(container, dict):
        return container.get(token)
    try:
        return container[existing_index(container, token)]
    except IndexError:
        return None


def member_of(container: Container, key: str) -> JsonValue:
    """What the last token leads to; None for a missing key. Raises IndexError for a bad index."""
    if isinstance(container, dict):
        return container.get(key)
    return container[existing_index(container, key)]


def add_member(container: Container, key: str, value: JsonValue) -> None:
    """Source: patch.go partialDoc.add and partialArray.add."""
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        container.insert(_insertion(container, key), value)


def _insertion(array: list[JsonValue], key: str) -> int:
    """`-1` appends and `-(len + 1)` prepends: negative indexes count in the longer array."""
    try:
        index = _index(key)
    except IndexError as error:
        raise IndexError(f"value was not a proper array index: '{key}': {error}") from None
    size = len(array) + 1
    if not -size <= index < size:
        raise IndexError(f"Unable to access invalid index: {index}: invalid index referenced")
    return index + size if index < 0 else index


def remove_member(container: Container, key: str) -> JsonValue:
    """Take a member out and return it. Raises IndexError or KeyError with the library's text.

    Source: patch.go partialDoc.remove and partialArray.remove.
    """
    if isinstance(container, list):
        return container.pop(existing_index(container, key))
    if key not in container:
        raise KeyError(f"Unable to remove nonexistent key: {key}: missing value")
    return container.pop(key)
