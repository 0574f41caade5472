"""Pods that are really stored: never scheduled, and always deleted again."""

import json
from typing import Any, cast

import pytest

from storing_clusters import StoringCluster, document, status
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble
from webhook_fuzz.corpora.cluster_api.requests import ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster.live_pods import GATE, delete_leftover_pods, live_pod
from webhook_fuzz.fuzzer.cluster.namespaces import WorkNamespace

WORK = WorkNamespace(name="trials", labels={}, temporary=True)
PODS = "/api/v1/namespaces/trials/pods"
POD: JsonObject = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "labels": {"app": "web"},
        "finalizers": ["batch.kubernetes.io/job-tracking"],
    },
    "spec": {"containers": [{"name": "app", "image": "i"}], "schedulingGates": [{"name": "own"}]},
}


def without_gates(pod: JsonObject) -> JsonObject:
    spec = {**cast("JsonObject", pod["spec"])}
    spec.pop("schedulingGates", None)
    return {**pod, "spec": spec}


async def test_the_pod_is_gated_labelled_and_gone_afterwards() -> None:
    cluster = StoringCluster()

    async with live_pod(cluster, POD, WORK) as stored:
        found: Any = stored
        assert found["spec"]["schedulingGates"] == [{"name": "own"}, {"name": GATE}]
        assert found["metadata"]["labels"] == {"app": "web", "webhook-fuzz/live": "true"}
        assert found["metadata"]["name"].startswith("web-")
        assert "finalizers" not in found["metadata"]
        assert len(cluster.stored) == 1

    assert cluster.stored == {}
    assert "finalizers" in cast("JsonObject", POD["metadata"])


async def test_the_pod_is_deleted_when_the_run_fails() -> None:
    cluster = StoringCluster()

    with pytest.raises(ZeroDivisionError):
        async with live_pod(cluster, POD, WORK):
            raise ZeroDivisionError

    assert cluster.stored == {}


async def test_a_pod_whose_gate_is_lost_is_never_created() -> None:
    cluster = StoringCluster(alter=without_gates)

    with pytest.raises(ClusterError, match=r"the scheduling gate .* is lost") as raised:
        async with live_pod(cluster, POD, WORK):
            pass

    assert raised.value.trouble is Trouble.REFUSED
    assert [request.query.get("dryRun") for request in cluster.asked if request.body] == ["All"]


async def test_a_pod_whose_gate_is_lost_in_the_end_is_deleted_at_once() -> None:
    cluster = StoringCluster()
    cluster.alter = lambda pod: without_gates(pod) if len(cluster.asked) > 2 else pod

    with pytest.raises(ClusterError, match="is lost"):
        async with live_pod(cluster, POD, WORK):
            pass

    assert cluster.stored == {}
    assert len(cluster.did("DELETE")) == 1


async def test_a_refused_pod_is_told() -> None:
    cluster = StoringCluster(refuse=lambda r: status(403, "no") if r.method == "POST" else None)

    with pytest.raises(ClusterError, match="no"):
        async with live_pod(cluster, POD, WORK):
            pass


async def test_a_pod_that_cannot_be_read_back_is_what_the_creation_said() -> None:
    def refuse(request: ClusterRequest) -> Any:  # noqa: ANN401 - an answer or None
        return status(403, "no") if request.method == "GET" else None

    cluster = StoringCluster(refuse=refuse)
    async with live_pod(cluster, {"metadata": {"generateName": "web-"}}, WORK) as stored:
        assert GATE in json.dumps(stored)


async def test_a_pod_that_finalizers_hold_is_told() -> None:
    held = {"metadata": {"name": "p", "finalizers": ["x.example/hold"]}}
    cluster = StoringCluster(refuse=lambda r: document(held) if r.method == "DELETE" else None)

    with pytest.raises(ClusterError, match=r"held by the finalizers x\.example/hold"):
        async with live_pod(cluster, POD, WORK):
            pass


async def test_a_pod_without_a_name_is_never_deleted_by_its_collection() -> None:
    nameless = {"metadata": {}, "spec": {"schedulingGates": [{"name": GATE}]}}
    cluster = StoringCluster(refuse=lambda r: document(nameless) if r.method == "POST" else None)

    with pytest.raises(ClusterError, match="its name is not known"):
        async with live_pod(cluster, POD, WORK):
            pass

    assert cluster.did("DELETE") == []


async def test_leftovers_of_crashed_runs_are_deleted_and_other_pods_are_not() -> None:
    cluster = StoringCluster()
    expired = {"webhook-fuzz/owner": "", "webhook-fuzz/expires": "2001-01-01T00:00:00+00:00"}
    live = {"webhook-fuzz/live": "true"}
    for name, labels, annotations in (
        ("left", live, expired),
        ("running", live, {**expired, "webhook-fuzz/expires": "2999-01-01T00:00:00+00:00"}),
        ("foreign", {}, expired),
    ):
        metadata: JsonObject = {"name": name, "uid": name}
        metadata |= {"labels": {**labels}, "annotations": {**annotations}}
        cluster.put(PODS, {"metadata": metadata})

    assert await delete_leftover_pods(cluster, WORK) == ("left",)
    assert cluster.did("DELETE") == [f"{PODS}/left"]


async def test_leftovers_that_may_not_be_listed_stay() -> None:
    assert await delete_leftover_pods(StoringCluster(refuse=lambda _: status(403, "")), WORK) == ()
