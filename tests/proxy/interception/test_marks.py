"""Does an annotation say all it takes to put a webhook back, and notice when it was changed?"""

import json
from datetime import UTC, datetime

import pytest

from intercepted import BUNDLE
from patching_clusters import configuration, service_config, webhook
from webhook_fuzz.corpora.cluster_api.leases import Lease
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.proxy.interception.marks import (
    DamagedMark,
    Mark,
    checksum,
    merge_back,
    read_marks,
    render_mark,
)

ORIGINAL = service_config("mesh", "injector", path="/inject", bundle=BUNDLE)
OURS = service_config("fuzz", "proxy", path="/webhook-fuzz/ab12/inject", bundle="b3Vycw==")
MARK = Mark(
    configuration="mesh",
    webhook="inject.example.com",
    session="s1",
    lease=Lease(owner="here/1.2", expires=datetime(2030, 1, 1, tzinfo=UTC)),
    original=ORIGINAL,
    ours=OURS,
)


def annotated(value: str, key: str = MARK.key) -> JsonObject:
    return configuration("mesh", webhook("inject.example.com", OURS), annotations={key: value})


def test_a_mark_is_read_as_it_was_written() -> None:
    assert [mark for _, mark in read_marks(annotated(render_mark(MARK)))] == [MARK]


def test_other_annotations_are_not_looked_at() -> None:
    assert not [*read_marks(annotated("{}", key="webhook-fuzz/other"))]


def test_a_mark_has_nothing_go_would_escape() -> None:
    odd = Mark(
        configuration="mesh",
        webhook="é<>&",
        session="s1",
        lease=MARK.lease,
        original={"url": "https://ü.example.com/?a&b"},
        ours=OURS,
    )
    value = render_mark(odd)
    assert value.isascii()
    assert not set("<>&") & set(value)
    assert [mark for _, mark in read_marks(annotated(value, key=odd.key))] == [odd]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "not JSON"),
        ("[]", "no object"),
        (render_mark(MARK)[:-9], "not JSON"),
        (render_mark(MARK).replace("/inject", "/other"), "checksum"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_damaged_mark_is_known_to_be(value: str, why: str) -> None:
    found = [mark for _, mark in read_marks(annotated(value))]
    assert isinstance(found[0], DamagedMark)
    assert why in found[0].why


def test_a_mark_copied_to_another_webhook_is_of_no_use() -> None:
    key = Mark.key_of("mesh", "another")
    found = [mark for _, mark in read_marks(annotated(render_mark(MARK), key=key))]
    assert isinstance(found[0], DamagedMark)


def test_a_mark_without_a_time_is_damaged() -> None:
    document = json.loads(render_mark(MARK))
    document.pop("checksum")
    document["expires"] = "soon"
    value = json.dumps({**document, "checksum": checksum(document)})
    found = [mark for _, mark in read_marks(annotated(value))]
    assert isinstance(found[0], DamagedMark)


FOREIGN = service_config("mesh", "newer", path="/inject", bundle="bmV3ZXI=")


@pytest.mark.parametrize(
    ("current", "merged"),
    [
        (OURS, ORIGINAL),
        (FOREIGN, None),
        (ORIGINAL | {"caBundle": OURS["caBundle"]}, ORIGINAL),
        (OURS | {"caBundle": "bmV3ZXI="}, ORIGINAL | {"caBundle": "bmV3ZXI="}),
        ({"service": OURS["service"]}, {"service": ORIGINAL["service"]}),
        (FOREIGN | {"caBundle": OURS["caBundle"]}, FOREIGN | {"caBundle": BUNDLE}),
    ],
)
def test_only_what_is_still_ours_is_put_back(current: JsonObject, merged: JsonObject) -> None:
    assert merge_back(current, MARK) == merged
