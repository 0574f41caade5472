"""Is what the product sends a webhook what the API server sends it?

Every other differential test compares the bytes of each review as well. Here the pod is first made
into what a user would write: what the API server adds on its way has to come back.
"""

from collections.abc import Iterator
from typing import cast

import orjson
import pytest

from testbed.agreements import Bench
from testbed.comparisons import find_difference_of_review, find_differing_place
from testbed.oracles import Chain, Result, Trial, answer_body, oracle
from testbed.version_differences import as_defaulted_by
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.seeds.loading import SeedPod, load_shipped_seeds
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.decoding import Decoded, decode_object
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.reviews import as_written

pytestmark = pytest.mark.real

# What other parts of the API server put into a pod before the webhooks: the field manager, and
# the admission plugins Priority and DefaultTolerationSeconds.
BEFORE_WEBHOOKS = ("managedFields", "priority", "preemptionPolicy", "tolerations")
ALWAYS_WRITTEN = ("status", "resources", "creationTimestamp")


async def test_a_review_is_byte_for_byte_the_same(bench: Bench) -> None:
    results = await review_of_seeds(bench)
    found = [find_difference_of_review(result, bench.minor) for result in results]
    bench.progress(
        f"reviews of seeds on {bench.plane.version}: {len(found)} cases, "
        f"{found.count(None)} agreements"
    )
    assert [str(difference) for difference in found if difference is not None] == []


async def test_what_a_user_writes_becomes_what_webhooks_are_sent(bench: Bench) -> None:
    results = await review_of_seeds(bench)
    schema = load_catalogue().schema(bench.minor)
    for result in results:
        decoded = decode_object(result.trial.pod, schema)
        assert isinstance(decoded, Decoded)
        defaulted = as_defaulted_by(bench.minor, decoded.value, default_pod(decoded.value))
        ours = as_written(defaulted, bench.minor)
        place = find_differing_place(_common(_sent(result)), _common(ours))
        assert place is None, f"{result.trial.name}: {place}"


async def review_of_seeds(bench: Bench) -> list[Result]:
    trials = [
        Trial(
            name=f"{seed.name} {how} ({chain})",
            respond=answer_body,
            chain=chain,
            pod=pod,
            generated_name=chain is Chain.BETA,
        )
        for chain in (Chain.FAIL, Chain.BETA)
        for seed in load_shipped_seeds()
        for how, pod in _as_users_write(seed, bench.minor)
    ]
    async with oracle(bench.plane, bench.folder) as server:
        return await server.run(trials)


def _as_users_write(seed: SeedPod, minor: Minor) -> Iterator[tuple[str, JsonObject]]:
    """A seed as far as the version knows its fields, as users of that version would write it."""
    decoded = decode_object(seed.pod, load_catalogue().schema(minor))
    assert isinstance(decoded, Decoded)
    yield "as it is", decoded.value
    left = _without(decoded.value, ALWAYS_WRITTEN)
    yield "without what is always written", cast("JsonObject", left)


def _without(value: JsonValue, names: tuple[str, ...]) -> JsonValue:
    """A value without members that are empty and called so, anywhere in it."""
    if isinstance(value, dict):
        left = {name: _without(member, names) for name, member in value.items()}
        return {name: member for name, member in left.items() if name not in names or member}
    return [_without(element, names) for element in value] if isinstance(value, list) else value


def _sent(result: Result) -> JsonObject:
    request = cast("JsonObject", orjson.loads(result.review)["request"])
    return cast("JsonObject", request["object"])


def _common(pod: JsonObject | None) -> JsonObject:
    """A pod without its name, and without what is put in beside defaulting."""
    assert pod is not None
    parts = {name: pod[name] for name in pod if name not in ("metadata", "spec")}
    metadata, spec = pod["metadata"], pod["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    left = ("name", "generateName", "namespace", *BEFORE_WEBHOOKS)
    return {
        **parts,
        "metadata": {name: metadata[name] for name in metadata if name not in left},
        "spec": {name: spec[name] for name in spec if name not in BEFORE_WEBHOOKS},
    }
