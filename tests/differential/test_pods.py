"""Is a patched pod decoded and defaulted as the API server does it?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from testbed.agreements import Bench, check_agreement
from testbed.generated_patches import random_of
from testbed.generated_pods import WRONG, Pods
from testbed.oracles import RECORDED, Chain, OutcomeKind, Respond, Trial, patch_body
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.seeds.loading import load_shipped_seeds
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.plans import build_plan

pytestmark = pytest.mark.real

ROWS = Path(__file__).with_name("patched_pods.yaml")
TABLES = Path(__file__).parents[1] / "fuzzer/apiserver"
PODS = 1500
SPOILED_PODS = 1000
EDITED_PODS = 2000
PODS_OF_QUANTITIES = 100
QUANTITIES = 30
# A number is read as a number, without its spelling: the amount is the same.
KNOWN = {
    "a quantity that is 1e3": (
        "spec.containers[].resources.limits.cpu: the server: '1e3'; we: '1k'"
    )
}
OTHER_KINDS = {"Service": "v1", "PodList": "v1", "Deployment": "apps/v1", "Binding": "v1"}


def patching(patch: bytes) -> Respond:
    return lambda uid: patch_body(uid, patch)


def replacing(pod: JsonValue) -> Respond:
    """A patch that makes the object what is given, in JSON that need not fit in 64 bits."""
    return patching(json.dumps([{"op": "replace", "path": "", "value": pod}]).encode())


def schema_of(minor: Minor) -> FieldSchema:
    return load_catalogue().schema(minor)


async def test_every_row_becomes_the_same_pod(bench: Bench) -> None:
    rows: dict[str, str] = yaml.safe_load(ROWS.read_text("utf-8"))
    trials = [
        Trial(name=name, respond=patching(f"[{row}]".replace("$", "/spec/containers/0").encode()))
        for name, row in rows.items()
    ]
    await check_agreement(bench, "rows of patched pods", trials, known=KNOWN)


async def test_a_pod_that_became_something_else_is_refused_in_the_end(bench: Bench) -> None:
    """The webhooks behind are still called, with whatever it is."""
    trials = [
        Trial(
            name=f"{kind} ({chain})",
            respond=replacing({"apiVersion": version, "kind": kind}),
            chain=chain,
        )
        for chain in (Chain.LAST, Chain.FAIL)
        for kind, version in OTHER_KINDS.items()
    ]
    known = {
        f"{kind} ({Chain.FAIL})": (
            f"the server: {OutcomeKind.PASSED} ({RECORDED} admission webhook "
            f'"record-fail.example.com" denied the request without explanation); '
            f"we: {OutcomeKind.INTERNAL} ()"
        )
        for kind in OTHER_KINDS
    }
    await check_agreement(bench, "pods that became something else", trials, known=known)


async def test_every_text_of_the_table_of_decoding_is_decoded_alike(bench: Bench) -> None:
    cases: list[dict[str, Any]] = orjson.loads((TABLES / "decoding_table.json").read_bytes())[
        "cases"
    ]
    trials = [
        Trial(
            name=f"{index} {case['text']}",
            respond=patching(b'[{"op":"replace","path":"","value":%s}]' % case["text"].encode()),
        )
        for index, case in enumerate(cases)
        if not any(f'"kind":"{kind}"' in case["text"] for kind in OTHER_KINDS)
    ]
    await check_agreement(bench, "the table of decoding", trials)


async def test_every_quantity_of_the_table_is_spelled_alike(bench: Bench) -> None:
    cases: list[dict[str, Any]] = orjson.loads((TABLES / "quantities_table.json").read_bytes())[
        "cases"
    ]
    trials = [
        Trial(name=f"{index} {case['spelling']!r}", respond=replacing(_sized(case["spelling"])))
        for index, case in enumerate(cases)
    ]
    await check_agreement(bench, "the table of quantities", trials)


async def test_generated_quantities_are_spelled_alike(bench: Bench) -> None:
    trials = [
        Trial(name=f"quantities {seed}", respond=replacing(_amounts(f"quantities {seed}")))
        for seed in range(PODS_OF_QUANTITIES)
    ]
    await check_agreement(bench, f"quantities, {QUANTITIES} a case", trials)


async def test_every_place_of_a_pod_refuses_the_wrong_type_alike(bench: Bench) -> None:
    """One value of a wrong type at every place the schema has."""
    trials = [
        Trial(name=f"{path} = {value!r}", respond=replacing(_pod_with(tokens, value)))
        for path, tokens, value in _wrong_places(schema_of(bench.minor))
    ]
    await check_agreement(bench, "wrong types at every place", trials)


async def test_generated_pods_are_decoded_and_defaulted_alike(bench: Bench) -> None:
    schema = schema_of(bench.minor)
    trials = [
        Trial(name=f"pod {seed}", respond=replacing(Pods(random_of(f"pod {seed}")).pod(schema)))
        for seed in range(PODS)
    ]
    await check_agreement(bench, "generated pods", trials)


async def test_generated_pods_with_something_wrong_are_refused_alike(bench: Bench) -> None:
    schema = schema_of(bench.minor)
    trials = [
        Trial(
            name=f"spoiled pod {seed}",
            respond=replacing(
                Pods(random_of(f"spoiled pod {seed}"), wrong=0.006, odd=0.05).pod(schema)
            ),
        )
        for seed in range(SPOILED_PODS)
    ]
    await check_agreement(bench, "generated pods, spoiled", trials)


async def test_edited_seeds_become_the_same_pods(bench: Bench) -> None:
    """Patches of a few operations on realistic pods, each with a value of the right type."""
    await check_agreement(bench, "edited seeds", list(_edited(schema_of(bench.minor))))


async def test_seeds_without_their_defaults_get_them_back(bench: Bench) -> None:
    trials = [
        Trial(name=f"{seed.name} without {name}", respond=replacing(pod))
        for seed in load_shipped_seeds()
        for name, pod in _without_members(seed.pod)
    ]
    await check_agreement(bench, "seeds without defaults", trials)


async def test_pods_with_probes_are_what_the_product_sends(bench: Bench) -> None:
    """Every pod of a sweep: the API server neither drops nor adds anything of this version."""
    plan = build_plan(bench.minor)
    trials = [
        Trial(name=f"{index} {case.name}", respond=replacing(case.pod))
        for index, case in enumerate(plan.sweep.cases)
    ]
    await check_agreement(bench, "pods of a sweep", trials)


def _sized(quantity: JsonValue) -> JsonObject:
    """A pod with an amount where it is rounded, and where it is not."""
    container: JsonObject = {"name": "c", "resources": {"limits": {"cpu": quantity}}}
    volume: JsonObject = {"name": "v", "emptyDir": {"sizeLimit": quantity}}
    return {"spec": {"containers": [container], "volumes": [volume]}}


def _amounts(seed: str) -> JsonObject:
    """A pod with many amounts; a wrong one would refuse all of them."""
    rng = random_of(seed)
    limits: JsonObject = {}
    for number in range(QUANTITIES):
        whole = str(rng.randrange(10 ** rng.choice((1, 2, 3, 4, 9, 17)))).rjust(
            rng.choice((0, 3)), "0"
        )
        fraction = f".{rng.randrange(10 ** rng.choice((1, 3, 6)))}" if rng.random() < 0.4 else ""
        suffix = rng.choice(
            ("", "", "n", "u", "m", "k", "M", "G", "E", "Ki", "Mi", "Ti", "e3", "E-4")
        )
        limits[f"example.com/{number}"] = rng.choice(("", "", "-", "+")) + whole + fraction + suffix
    container: JsonObject = {"name": "c", "resources": {"limits": limits}}
    return {"spec": {"containers": [container], "overhead": limits}}


def _wrong_places(
    schema: FieldSchema, path: str = "", tokens: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...], JsonValue]]:
    for name, member in schema.members.items():
        if name == "status" or member.kind is Kind.ANY:
            continue
        below, steps = f"{path}.{name}", (*tokens, name)
        values = WRONG[member.kind]
        yield below, steps, values[len(below) % len(values)]
        inner, suffix = member, ""
        while inner.element is not None:
            suffix += "[]" if inner.kind is Kind.LIST else "{}"
            steps = (*steps, "[]" if inner.kind is Kind.LIST else "{}")
            inner = inner.element
            values = WRONG[inner.kind]
            yield below + suffix, steps, values[len(below) % len(values)]
        yield from _wrong_places(inner, below + suffix, steps)


def _pod_with(tokens: tuple[str, ...], value: JsonValue) -> JsonObject:
    for token in reversed(tokens):
        match token:
            case "[]":
                value = [value]
            case "{}":
                value = {"key": value}
            case name:
                value = {name: value}
    assert isinstance(value, dict)
    return value


def _edited(schema: FieldSchema) -> Iterator[Trial]:
    seeds = load_shipped_seeds()
    for number in range(EDITED_PODS):
        rng = random_of(f"edit {number}")
        pod = seeds[number % len(seeds)].pod
        pods = Pods(rng, density=0.3, wrong=0.0005)
        edits = [pods.edit(pod, schema) for _ in range(rng.choice((1, 1, 2, 4)))]
        yield Trial(
            name=f"edit {number} of {seeds[number % len(seeds)].name}",
            respond=patching(json.dumps(edits).encode()),
            document=pod,
        )


def _without_members(pod: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The pod without each member of its spec, and without each of its containers' and volumes'."""
    spec = pod["spec"]
    assert isinstance(spec, dict)
    yield "nothing", pod
    for name, value in spec.items():
        yield name, {**pod, "spec": {key: spec[key] for key in spec if key != name}}
        elements = value if isinstance(value, list) else []
        members = {key for element in elements if isinstance(element, dict) for key in element}
        for member in sorted(members):
            left: list[JsonValue] = [
                {key: element[key] for key in element if key != member}
                for element in elements
                if isinstance(element, dict)
            ]
            yield f"{name}[].{member}", {**pod, "spec": {**spec, name: left}}
