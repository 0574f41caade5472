"""What is a JSON value here?

Pods, patches and reviews stay raw JSON from end to end: decoding them into typed models and
back is the very bug this project looks for. These aliases are all the typing they get.
"""

from typing import TypeAlias, Union

# Union, because `list["JsonValue"] | None` of a quoted name cannot be evaluated at run time.
JsonValue: TypeAlias = Union[  # noqa: UP007
    None, bool, int, float, str, list["JsonValue"], dict[str, "JsonValue"]
]
JsonObject: TypeAlias = dict[str, JsonValue]


def json_type_name(value: JsonValue) -> str:
    """The JSON word for a value's type, as the API server's messages use it."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
