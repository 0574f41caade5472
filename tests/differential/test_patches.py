"""Does a patch do to an object what the API server makes it do?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from testbed.agreements import RAW_PREFIX, Bench, check_agreement, raw_document
from testbed.generated_patches import random_object, random_of, random_patch
from testbed.oracles import Chain, OutcomeKind, Respond, Trial, patch_body
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.encoding import read_json

pytestmark = pytest.mark.real

ROWS = Path(__file__).with_name("patches.yaml")
TABLE = Path(__file__).parents[1] / "fuzzer/apiserver/json_patch_table.json"
GENERATED = 4000
SPOILED = 1000
"""Of these every second operation has something wrong with it."""
DOCUMENT: JsonObject = {
    "a": 1,
    "n": None,
    "text": "x&y <z> é",
    "o": {"b": None, "c": {"d": 1}},
    "l": [1, 2, 3],
    "m/n": 1,
    "m~n": 2,
    "": {"": 1},
    "12": [[]],
}
TEXTS = {
    "null": b"null",
    "an empty list": b"[]",
    "an object": b'{"op":"add","path":"/x","value":1}',
    "a text": b'"x"',
    "trailing junk": b"[]x",
    "a cut-off list": b'[{"op":"add"',
    "a list of numbers": b"[1]",
    "blanks around": b" \n[]\t",
    "a comment": b"[] // x",
    "a trailing comma": b'[{"op":"test","path":"/x","value":null},]',
    "a byte order mark": b"\xef\xbb\xbf[]",
    "bytes that are not UTF-8": b'[{"op":"add","path":"/metadata/labels","value":{"a":"\xff"}}]',
    "nested too deep to be read": b"[" * 10_001,
}


def patching(patch: bytes) -> Respond:
    return lambda uid: patch_body(uid, patch)


def trials_of(patches: dict[str, bytes], document: JsonValue) -> list[Trial]:
    return [
        Trial(
            name=f"{name} ({chain})",
            respond=patching(patch),
            chain=chain,
            document=raw_document(document),
        )
        for chain in (Chain.FAIL, Chain.IGNORE)
        for name, patch in patches.items()
    ]


async def test_every_row_of_the_table_ends_alike(bench: Bench) -> None:
    rows: dict[str, str] = yaml.safe_load(ROWS.read_text("utf-8"))
    patches = {name: f"[{row}]".replace("$", RAW_PREFIX).encode() for name, row in rows.items()}
    await check_agreement(bench, "rows of patches", trials_of(patches, DOCUMENT))


async def test_every_text_that_may_be_a_patch_is_read_alike(bench: Bench) -> None:
    results = await check_agreement(bench, "texts of patches", trials_of(TEXTS, DOCUMENT))
    ignored = {
        result.outcome.kind
        for result in results
        if result.trial.name.startswith("a cut-off list (") and result.trial.chain is Chain.IGNORE
    }
    honoured = bench.minor >= Minor(1, 34)
    assert ignored == {OutcomeKind.PASSED if honoured else OutcomeKind.INTERNAL}


async def test_what_the_library_does_the_api_server_does(bench: Bench) -> None:
    """The table made by the library, moved to a place inside a pod."""
    cases: list[dict[str, Any]] = orjson.loads(TABLE.read_bytes())["cases"]
    trials = [
        Trial(
            name=f"{index} {case['case']}",
            respond=patching(moved),
            document=raw_document(case["document"]),
        )
        for index, case in enumerate(cases)
        if (moved := _moved(case["patch"])) is not None
    ]
    await check_agreement(bench, "the library's table", trials)


async def test_copies_are_limited_alike(bench: Bench) -> None:
    """Three megabytes is the most; both sides of it."""
    trials = [
        Trial(name=str(count), respond=patching(_copies(count)), document=raw_document({}))
        for count in (29, 30, 31, 32)
    ]
    results = await check_agreement(bench, "copies", trials)
    assert {result.outcome.kind for result in results} == {OutcomeKind.PASSED, OutcomeKind.INTERNAL}


async def test_thousands_of_generated_patches_end_alike(bench: Bench) -> None:
    trials = list(_generated("generated", GENERATED, odd=0.12))
    await check_agreement(bench, "generated patches", trials)


async def test_patches_with_much_wrong_end_alike(bench: Bench) -> None:
    trials = list(_generated("spoiled", SPOILED, odd=0.5))
    await check_agreement(bench, "generated patches, spoiled", trials)


def _generated(kind: str, count: int, *, odd: float) -> Iterator[Trial]:
    for seed in range(count):
        rng = random_of(f"{kind} {seed}")
        document = random_object(rng, 3) or {"a": [1, "x"]}
        patch = random_patch(rng, document, RAW_PREFIX, odd=odd)
        chain = Chain.IGNORE if seed % 8 == 0 else Chain.FAIL
        yield Trial(
            name=f"{kind} {seed} on {document}",
            respond=patching(patch),
            chain=chain,
            document=raw_document(document),
        )


def _moved(patch: str) -> bytes | None:
    """A patch with its pointers below the document; None where that would change what it is."""
    value = read_json(patch.encode()) if patch.startswith("[{") and patch.endswith("}]") else None
    pointers = [
        operation[name]
        for operation in (value if isinstance(value, list) else [])
        if isinstance(operation, dict)
        for name in ("path", "from")
        if name in operation
    ]
    if not pointers or not all(isinstance(p, str) and p.startswith("/") for p in pointers):
        return None
    for name in ("path", "from"):
        patch = patch.replace(f'"{name}":"/', f'"{name}":"{RAW_PREFIX}/')
    return patch.encode()


def _copies(count: int) -> bytes:
    text = "x" * 100_000
    operations: list[JsonObject] = [{"op": "add", "path": f"{RAW_PREFIX}/a", "value": text}]
    for index in range(count):
        pointer = f"{RAW_PREFIX}/{index}"
        operations.append({"op": "copy", "from": f"{RAW_PREFIX}/a", "path": pointer})
    return orjson.dumps(operations)
