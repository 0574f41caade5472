import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from discovered import FIRST, INJECTOR, small_cluster
from webhook_fuzz.corpora.cluster_api.failures import Unseen
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import list_webhooks
from webhook_fuzz.fuzzer.apiserver.matching import Decision, Matching
from webhook_fuzz.fuzzer.cluster.ca_bundles import CaBundle
from webhook_fuzz.fuzzer.cluster.discoveries import (
    DiscoveredWebhook,
    Discovery,
    describe_webhooks,
)
from webhook_fuzz.fuzzer.cluster.discovery import discover
from webhook_fuzz.fuzzer.cluster.pod_reach import PodReach
from webhook_fuzz.fuzzer.cluster.surroundings import ServedCertificate, Surroundings, View
from webhook_fuzz.reports.webhook_lists import WebhookList, fold_webhooks, render_webhooks_json
from webhook_fuzz.reports.webhook_tables import render_webhooks

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def _listed() -> WebhookList:
    found = await discover(small_cluster(), now=NOW, dial=False)
    return fold_webhooks(found, version="1", source="context test", called={})


async def test_the_document_holds_what_was_found() -> None:
    listed = json.loads(render_webhooks_json(await _listed()))
    assert listed["schema"] == "webhook-fuzz/webhooks/v1"
    assert listed["complete"]
    assert listed["api_server"] == "1.37"
    assert listed["namespaces"] == 3
    injector = listed["webhooks"][1]
    assert injector["service"] == {
        "namespace": "sys",
        "name": "inject",
        "path": "/in",
        "port": 443,
        "exists": True,
        "ready": 2,
    }
    assert injector["images"] == ["example.com/inject:1.2"]
    assert injector["owner"]["helm_release"] == "sys/inj"
    assert injector["pods"]["namespaces"] == ["shop"]
    assert injector["called"] is None
    assert listed["webhooks"][2]["service"]["exists"] is False


async def test_the_table_names_each_webhook_in_order() -> None:
    text = render_webhooks(await _listed(), now=NOW)
    names = [line for line in text.splitlines() if ".example.com" in line]
    assert names == [
        "  0  a-first/url.example.com",
        "  1  injector/inject.example.com",
        "  2  injector/gone.example.com",
    ]
    assert "no new pods, no" in text
    assert "sys/inject:443 2 ready," in text
    assert "inject:1.2" in text
    assert "in all 3" in text
    assert "sys/gone:443 is missing" in text
    assert "Fail 3s" in text
    assert "Helm sys/inj" in text
    assert "3 webhooks in 2 configurations" in text


@pytest.mark.parametrize("width", [10, 60, 100, 160])
async def test_the_table_is_never_wider_than_it_may_be(width: int) -> None:
    listed = await _listed()
    listed["not_seen"] = [{"what": "nodes", "why": "forbidden " * 20}]
    text = render_webhooks(listed, now=NOW, width=width)
    assert max(map(len, text.splitlines())) <= max(width, 60)


def _one(**changes: object) -> WebhookList:
    around = Surroundings(view=View.MANIFESTS, now=NOW)
    found = describe_webhooks(list_webhooks([FIRST]), around).webhooks[0]
    changed: DiscoveredWebhook = replace(found, **changes)  # type: ignore[arg-type]  # as named
    return fold_webhooks(
        Discovery(webhooks=(changed,), around=around), version="1", source="x.yaml", called={}
    )


SOON, LATE = NOW + timedelta(days=3), NOW + timedelta(days=300)


@pytest.mark.parametrize(
    ("bundle", "served", "shown"),
    [
        (CaBundle(), None, "-"),
        (CaBundle(problem="no PEM"), None, "bad caBundle"),
        (CaBundle(certificates=1, expires=LATE), None, "2026-10-28"),
        (
            CaBundle(certificates=1, expires=LATE),
            ServedCertificate(address="a", expires=SOON),
            "2026-01-04",
        ),
        (CaBundle(certificates=1, expires=NOW - timedelta(days=1)), None, "2025-12-31!"),
        (CaBundle(), ServedCertificate(address="a", problem="self-signed"), "refused"),
    ],
)
def test_the_first_certificate_to_run_out_is_shown(
    bundle: CaBundle, served: ServedCertificate | None, shown: str
) -> None:
    listed = _one(bundle=bundle, served=served)
    cells = render_webhooks(listed, now=NOW).splitlines()[3]
    assert f"  {shown}  " in cells + "  "


def test_many_kinds_of_workloads_are_counted() -> None:
    reach = PodReach(pods=True, workloads=("a", "b", "c"), narrowed_by=("objectSelector",))
    text = " ".join(render_webhooks(_one(reach=reach), now=NOW, width=200).split())
    assert "new pods, 3 kinds of workloads by objectSelector" in text


def test_what_is_not_known_is_null_and_not_an_empty_list() -> None:
    listed = _one(images=Unseen(what="pods", why="forbidden"))
    assert listed["webhooks"][0]["images"] is None
    assert listed["webhooks"][0]["pods"]["namespaces"] is None


def test_who_would_be_called_and_why_follows_the_table() -> None:
    around = Surroundings(view=View.MANIFESTS, now=NOW)
    found = describe_webhooks(list_webhooks([INJECTOR, FIRST]), around)
    called = {
        0: Matching(decision=Decision.MATCHES, reason="Its rules are for it."),
        1: Matching(decision=Decision.UNDECIDED, reason="The server decides."),
    }
    listed = fold_webhooks(found, version="1", source="x", called=called)
    listed["asked"] = "new pods in the namespace shop"
    text = render_webhooks(listed, now=NOW)
    assert "For new pods in the namespace shop:" in text
    assert "  0  called      a-first/url.example.com: Its rules are for it." in text
    assert "  1  undecided   injector/inject.example.com: The server decides." in text
    assert text.count("gone.example.com") == 1


def test_what_was_not_seen_and_the_notes_are_said_last() -> None:
    around = Surroundings(view=View.CLUSTER, now=NOW)
    found = Discovery(webhooks=(), around=around, not_seen=(Unseen(what="nodes", why="forbidden"),))
    listed = fold_webhooks(found, version="1", source="x", called={})
    listed["notes"] = ["A note."]
    text = render_webhooks(listed)
    assert "#" not in text
    assert text.endswith("A note.\nnot seen: nodes (forbidden)\n")
    assert not listed["complete"]


def test_control_characters_of_a_configuration_never_reach_a_terminal() -> None:
    evil: JsonObject = {**FIRST, "metadata": {"name": "a\x1b[2J"}}
    around = Surroundings(view=View.MANIFESTS, now=NOW)
    found = describe_webhooks(list_webhooks([evil]), around)
    text = render_webhooks(fold_webhooks(found, version="1", source="x", called={}), now=NOW)
    assert "\x1b" not in text


def test_odd_addresses_are_shown_as_they_are() -> None:
    around = Surroundings(view=View.MANIFESTS, now=NOW, version=Minor(1, 30))
    for url, shown in (("https://[bad", "https://[bad"), (None, "no address")):
        entry: JsonObject = {"name": "w", "clientConfig": {"url": url} if url else {}}
        webhooks = list_webhooks([{"metadata": {"name": "c"}, "webhooks": [entry]}])
        listed = fold_webhooks(
            describe_webhooks(webhooks, around), version="1", source="x", called={}
        )
        assert shown in render_webhooks(listed, now=NOW)
