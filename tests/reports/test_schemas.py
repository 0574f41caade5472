import copy
import typing
from typing import Any

import jsonschema
import pytest
from cluster_samples import cluster_run
from hostile_samples import hostile_run
from samples import MakeRun, bad_run, crowded_run, good_run

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.reports import cluster_results, results, traffic_results
from webhook_fuzz.reports.schemas import CHECKED, UNCHECKED, find_mismatch, load_schema

SCHEMA: dict[str, Any] = typing.cast("dict[str, Any]", load_schema())
SHAPES: dict[str, Any] = {
    name: shape
    for module in (results, cluster_results, traffic_results)
    for name, shape in vars(module).items()
    if typing.is_typeddict(shape)
}
# Not part of a document: how renderers show an operation of a reproducer's patch.
IN_DOCUMENTS = SHAPES.keys() - {"ShownOperation"}


def schema_of(name: str) -> dict[str, Any]:
    return SCHEMA if name == "RunResult" else SCHEMA["$defs"][name]


def test_the_schema_is_valid_itself() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_has_every_shape_and_no_other() -> None:
    assert {*SCHEMA["$defs"], "RunResult"} == IN_DOCUMENTS


@pytest.mark.parametrize("name", sorted(IN_DOCUMENTS))
def test_schema_and_typed_dict_have_the_same_keys(name: str) -> None:
    schema = schema_of(name)
    assert set(schema["properties"]) == set(SHAPES[name].__annotations__)
    assert set(schema["required"]) == SHAPES[name].__required_keys__
    assert schema["additionalProperties"] is False
    assert schema["description"]


@pytest.mark.parametrize(
    ("shape", "key"),
    [
        ("WebhookResult", "verdict"),
        ("WebhookResult", "future_fields"),
        ("FindingResult", "severity"),
        ("TriggerCoverage", "effect"),
        ("Reproducer", "confirmed"),
        ("HopResult", "matched"),
        ("HopResult", "way"),
        ("ReadinessRow", "answer"),
        ("ClusterFindingResult", "severity"),
        ("TrafficField", "outcome"),
    ],
)
def test_schema_and_typed_dict_allow_the_same_words(shape: str, key: str) -> None:
    words = typing.get_args(SHAPES[shape].__annotations__[key])
    assert schema_of(shape)["properties"][key]["enum"] == list(words)


def test_schema_and_module_name_the_same_version() -> None:
    assert SCHEMA["properties"]["schema"]["const"] == results.SCHEMA_VERSION


@pytest.mark.parametrize("make", [bad_run, good_run, cluster_run, crowded_run, hostile_run])
def test_runs_follow_the_schema(make: MakeRun) -> None:
    run = typing.cast("JsonValue", make())
    jsonschema.validate(run, SCHEMA)
    assert find_mismatch(run) is None


def keywords(schema: dict[str, Any]) -> set[str]:
    inner: list[Any] = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [schema.get("items", {}), schema.get("additionalProperties"), *schema.get("anyOf", [])]
    nested = [typing.cast("dict[str, Any]", each) for each in inner if isinstance(each, dict)]
    return set(schema).union(*(keywords(each) for each in nested if each))


def test_the_reader_knows_every_keyword_of_the_schema() -> None:
    assert keywords(SCHEMA) <= CHECKED | UNCHECKED


def broken(path: str, value: object) -> dict[str, Any]:
    run: Any = copy.deepcopy(bad_run())
    here = run
    *parents, last = path.split(".")
    for part in parents:
        here = here[int(part)] if part.isdigit() else here[part]
    if value is None:
        del here[last]
    else:
        here[last] = value
    changed: dict[str, Any] = run
    return changed


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("tool", "x", "tool: object expected, not string"),
        ("webhooks.0.verdict", "fine", "webhooks[0].verdict: 'fine' is not one of incompatible"),
        ("webhooks.0.calls", True, "webhooks[0].calls: integer expected, not bool"),
        ("webhooks.0.rtt_ms", "3", "webhooks[0].rtt_ms: number or null expected, not string"),
        ("webhooks.0.name", None, "webhooks[0]: 'name' is missing"),
        ("findings.0.evidence.paths", [1], "evidence.paths[0]: string expected, not number"),
        ("findings.5.reproducer", {}, "findings[5].reproducer: 'pod' is missing"),
        ("schema", "other", "schema: 'webhook-fuzz/run/v1' expected"),
        ("coverage.0.not_probed", {"a": 1}, "coverage[0].not_probed.a: string expected"),
    ],
)
def test_a_mismatch_is_found_as_the_validator_finds_it(path: str, value: object, said: str) -> None:
    run = broken(path, value)
    assert said in (find_mismatch(run) or "")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(run, SCHEMA)


def test_members_of_a_later_release_are_passed_over() -> None:
    assert find_mismatch(broken("webhooks.0.news", "since 0.2")) is None


@pytest.mark.parametrize("value", [None, [], "x", 3, True, {}])
def test_anything_else_is_a_mismatch(value: JsonValue) -> None:
    assert find_mismatch(value)
