"""`comparison.json` and what is rendered of it."""

import json
from datetime import UTC, datetime

import pytest

from fakes import IDENTITY, specimen_transport
from replayed import plain_pods, record_all
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, objects_at
from webhook_fuzz.fuzzer.recorded.differential import Differential, Party
from webhook_fuzz.fuzzer.recorded.replaying import ReplayOptions
from webhook_fuzz.fuzzer.recorded.shapes import collect_samples
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program
from webhook_fuzz.fuzzer.specimens.replies import Patch, build_response, reply
from webhook_fuzz.reports.comparison_pages import render_comparison_html
from webhook_fuzz.reports.comparison_texts import headline, render_comparison
from webhook_fuzz.reports.comparisons import (
    ComparisonFacts,
    ComparisonFold,
    ComparisonResult,
    render_comparison_json,
    worst_relation,
)

SECRET = "hunter2-is-no-password"
HOSTILE = "<script>alert(1)</script>\x1b[31m"


def labelling(value: str) -> Program:
    patch: Patch = [{"op": "add", "path": "/metadata/labels", "value": {"by": value}}]
    return lambda review: reply(build_response(review, patch))


def with_secret(pod: JsonObject) -> JsonObject:
    spec = object_at(pod, "spec")
    first, *others = objects_at(spec, "containers")
    variable: JsonObject = {"name": "TOKEN", "value": SECRET}
    return {**pod, "spec": {**spec, "containers": [{**first, "env": [variable]}, *others]}}


async def compared(first: Program, second: Program, *, complete: bool = True) -> ComparisonResult:
    differential = Differential(
        samples=collect_samples(record_all(first, map(with_secret, plain_pods()))).chosen(9),
        first=Party(webhook=IDENTITY, transport=specimen_transport(first)),
        second=Party(webhook=IDENTITY, transport=specimen_transport(second)),
        options=ReplayOptions(enrich=False),
    )
    fold = ComparisonFold(catalogue=load_catalogue())
    async for each in differential.events():
        fold.add(each)
    return fold.result(
        ComparisonFacts(
            version="1.0",
            target=load_catalogue().newest,
            started=datetime(2026, 1, 1, tzinfo=UTC),
            seconds=1.0,
            seed=0,
            complete=complete,
            exchanges=1_000_000,
            first={"configuration": "direct", "name": "old", "url": "https://old/mutate"},
            second={"configuration": "direct", "name": "new", "url": f"https://new/{HOSTILE}"},
            left_out={},
        )
    )


async def test_fields_are_counted_over_all_requests_with_an_example() -> None:
    result = await compared(labelling("a"), labelling("b"))
    (field,) = result["fields"]

    assert (field["field"], field["side"], field["cases"]) == ("metadata.labels{}", "different", 4)
    assert field["path"] == "metadata.labels{by}"
    assert worst_relation(result) == "object"


async def test_no_secret_of_a_pod_is_in_it() -> None:
    remove: Patch = [{"op": "remove", "path": "/spec/containers/0/env"}]

    def removing(review: JsonObject) -> Answer:
        return reply(build_response(review, remove))

    result = await compared(labelling("a"), removing)
    text = render_comparison_json(result)

    assert json.loads(text) == result
    assert "spec.containers[name=app].env" in text
    assert SECRET not in text + render_comparison_html(result) + render_comparison(result)


async def test_what_a_webhook_chose_is_harmless_on_the_page_and_on_the_screen() -> None:
    result = await compared(labelling("a"), labelling(HOSTILE))
    page, screen = render_comparison_html(result), render_comparison(result)

    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page + screen


@pytest.mark.parametrize(
    ("other", "complete", "said"),
    [
        ("a", True, "Both answered 4 requests alike."),
        ("b", True, "4 of 4 requests were not answered alike; at worst the objects differ."),
        ("a", False, "The comparison could not be finished"),
    ],
)
async def test_the_headline_says_what_matters(other: str, *, complete: bool, said: str) -> None:
    result = await compared(labelling("a"), labelling(other), complete=complete)

    assert headline(result).startswith(said)
    assert all(len(line) <= 100 for line in render_comparison(result).splitlines())
