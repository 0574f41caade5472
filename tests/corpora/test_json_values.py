"""Are JSON's types called as the API server calls them?"""

import pytest

from webhook_fuzz.corpora.json_values import JsonValue, json_type_name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "bool"),
        (0, "number"),
        (1.5, "number"),
        ("", "string"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_every_type_has_its_name(value: JsonValue, name: str) -> None:
    assert json_type_name(value) == name
