import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from planted_secrets import exchanges_with_secrets
from webhook_fuzz.corpora.exchanges import FailureKind
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.recordings.schemas import (
    RECORDING_VERSION,
    load_recording_schema,
    parse_exchange,
)
from webhook_fuzz.corpora.recordings.segments import read_lines
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory


@pytest.fixture(params=[True, False], ids=["raw", "redacted"])
def lines(request: pytest.FixtureRequest, tmp_path: Path) -> list[JsonObject]:
    sink = RecordingSinkFactory(folder=tmp_path, raw=bool(request.param))()
    for each in exchanges_with_secrets():
        sink.take(each)
    sink.close()
    (segment,) = tmp_path.iterdir()
    return [*_lines(segment)]


def _lines(segment: Path) -> Iterator[JsonObject]:
    with segment.open("rb") as stream:
        for _, line in read_lines(
            stream, segment, on_damage=lambda damage: pytest.fail(str(damage))
        ):
            yield json.loads(line)


def test_the_schema_is_one_and_knows_every_failure() -> None:
    schema = load_recording_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    kinds = object_at(schema, "$defs", "failed", "properties", "failure")["enum"]
    assert kinds == [*map(str, FailureKind)]
    version = object_at(schema, "$defs", "header", "properties", "recording")
    assert version["const"] == RECORDING_VERSION


def test_every_line_has_the_shape_of_the_schema_and_nothing_else(lines: list[JsonObject]) -> None:
    schema = load_recording_schema()
    known = object_at(schema, "$defs", "exchange", "properties").keys()
    header, *exchanges = lines
    jsonschema.validate(header, {**schema, "anyOf": [{"$ref": "#/$defs/header"}]})
    assert header.keys() == object_at(schema, "$defs", "header", "properties").keys()
    for each in exchanges:
        jsonschema.validate(each, {**schema, "anyOf": [{"$ref": "#/$defs/exchange"}]})
        assert each.keys() <= known


def test_what_the_schema_requires_is_what_reading_needs(lines: list[JsonObject]) -> None:
    """Members with an obvious meaning when they are missing may be left out by other programs."""
    schema = load_recording_schema()
    required = object_at(schema, "$defs", "exchange")["required"]
    assert isinstance(required, list)
    optional = {"hungUp", "raw", "status", "requestHeaders", "answerHeaders"}
    for name in map(str, required):
        incomplete = {key: value for key, value in lines[1].items() if key != name}
        if name in optional:
            parse_exchange(incomplete)
            continue
        with pytest.raises(ValueError, match=name):
            parse_exchange(incomplete)
