"""How do the values of a document under a patch differ from plain JSON?

evanphx/json-patch keeps every value as the text it was read from. While a patch that tests or
copies is applied, two things are therefore told apart that are one in JSON: the spelling of a
scalar (spellings.py), and a null that was read from one that an operation set.

Source: gopkg.in/evanphx/json-patch.v4 patch.go lazyNode, deepCopy and Operation.value.
"""

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.fuzzer.apiserver.encoding import encode_json
from webhook_fuzz.fuzzer.apiserver.pointers import PanicError
from webhook_fuzz.fuzzer.apiserver.spellings import respelled, spelling_of, unspelled


class AddedNull(list[JsonValue]):
    """A `null` from an operation's `value`: the library tells it from a null it read."""


class CopiedNull(dict[str, JsonValue]):
    """A null that `copy` made of an added null: the library sees a nil map in it."""

    def __setitem__(self, key: str, value: JsonValue) -> None:
        raise PanicError("assignment to entry in nil map")


ADDED_NULL = AddedNull()
COPIED_NULL = CopiedNull()


def passes_test(value: JsonValue, other: JsonValue) -> bool:
    """Whether a value of the document passes a `test`. Source: patch.go lazyNode.equal.

    `value` is not None (the caller decides that case). Raises PanicError for nulls in arrays.
    """
    match value:
        case AddedNull():
            return other is None
        case dict():
            return (
                isinstance(other, dict)
                and len(value) == len(other)
                and all(key in other and _equal_member(value[key], other[key]) for key in value)
            )
        case list():
            return (
                isinstance(other, list)
                and len(value) == len(other)
                and all(_equal_element(*pair) for pair in zip(value, other, strict=True))
            )
        case _:
            is_scalar = other is not None and not isinstance(other, dict | list)
            return is_scalar and spelling_of(value) == spelling_of(other)


def _equal_member(value: JsonValue, other: JsonValue) -> bool:
    if value is None or other is None:
        return value is other
    return passes_test(value, other)


def _equal_element(value: JsonValue, other: JsonValue) -> bool:
    if value is None or other is None:
        raise PanicError("invalid memory address or nil pointer dereference")
    return passes_test(value, other)


def marshalled_size(value: JsonValue) -> int:
    """The length of a value as Go marshals it, its scalars in their own spelling."""
    match value:
        case AddedNull() | CopiedNull():
            return len("null")
        case dict():
            members = (len(encode_json(key)) + 1 + marshalled_size(value[key]) for key in value)
            return 2 + max(len(value) - 1, 0) + sum(members)
        case list():
            return 2 + max(len(value) - 1, 0) + sum(map(marshalled_size, value))
        case _:
            return len(spelling_of(respelled(value)).encode())


def remarshalled(value: JsonValue) -> JsonValue:
    """A value after the library has written and re-read it: nulls are alike, HTML is escaped."""
    match value:
        case AddedNull() | CopiedNull():
            return None
        case dict():
            return {key: remarshalled(member) for key, member in value.items()}
        case list():
            return [remarshalled(element) for element in value]
        case _:
            return respelled(value)


def purified(value: JsonValue) -> JsonValue:
    """A value without the marks of this module, the same object where it had none."""
    match value:
        case AddedNull() | CopiedNull():
            return None
        case dict():
            members = {key: purified(member) for key, member in value.items()}
            return value if all(members[key] is value[key] for key in value) else members
        case list():
            elements = [purified(element) for element in value]
            same = all(new is old for new, old in zip(elements, value, strict=True))
            return value if same else elements
        case _:
            return unspelled(value)
