"""Is a rollout over when the proxies serve, and is it said what holds it up?"""

import pytest

from fake_clusters import FakeCluster
from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.proxy.deployment import rollouts
from webhook_fuzz.proxy.deployment.rollouts import read_progress, wait_for_rollout

BASE = "/apis/apps/v1/namespaces/webhook-fuzz"
DEPLOYMENT = f"{BASE}/deployments/webhook-fuzz-proxy"
PODS = "/api/v1/namespaces/webhook-fuzz/pods"


def deployment(**status: JsonValue) -> JsonObject:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "webhook-fuzz-proxy", "generation": 3},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 3, **status},
    }


READY: dict[str, JsonValue] = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    "status",
    [
        {},
        {**READY, "observedGeneration": 2},
        {**READY, "updatedReplicas": 1},
        {**READY, "availableReplicas": 1},
        {**READY, "replicas": 3},
    ],
)
def test_it_is_not_over_while_a_proxy_is_missing_or_an_old_one_serves(
    status: dict[str, JsonValue],
) -> None:
    assert read_progress(deployment(**READY)).done
    assert not read_progress(deployment(**status)).done


async def test_it_waits_until_they_serve_and_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollouts, "_POLL_SECONDS", 0)
    objects = {DEPLOYMENT: deployment(updatedReplicas=2, availableReplicas=1)}
    api = FakeCluster(objects=objects, collections={PODS: [], f"{BASE}/replicasets": []})
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        objects[DEPLOYMENT] = deployment(**READY)

    await wait_for_rollout(api, "webhook-fuzz", seconds=60, tell=tell)
    assert told == ["1 of 2 proxies are ready", "2 of 2 proxies are ready"]


@pytest.mark.parametrize(
    ("collection", "found", "expected"),
    [
        (
            PODS,
            {
                "status": {
                    "containerStatuses": [
                        {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such"}}}
                    ]
                }
            },
            "ErrImagePull no such",
        ),
        (
            PODS,
            {"status": {"conditions": [{"reason": "Unschedulable", "message": "0/3 nodes"}]}},
            "0/3 nodes",
        ),
        (
            f"{BASE}/replicasets",
            {"status": {"conditions": [{"type": "ReplicaFailure", "message": "quota"}]}},
            "quota",
        ),
    ],
)
async def test_what_holds_it_up_is_said(collection: str, found: JsonObject, expected: str) -> None:
    item: JsonObject = {"kind": "X", "metadata": {"name": "x"}, **found}
    collections: dict[str, list[JsonObject]] = {PODS: [], f"{BASE}/replicasets": []}
    collections[collection] = [item]
    api = FakeCluster(objects={DEPLOYMENT: deployment()}, collections=collections)
    with pytest.raises(IncompleteRunError, match=expected) as caught:
        await wait_for_rollout(api, "webhook-fuzz", seconds=0, tell=lambda _: None)
    assert "No webhook was re-pointed" in caught.value.hint


async def test_a_rollout_that_the_server_gave_up_ends_the_wait() -> None:
    condition: JsonObject = {
        "reason": "ProgressDeadlineExceeded",
        "message": "has timed out progressing",
    }
    api = FakeCluster(objects={DEPLOYMENT: deployment(conditions=[condition])})
    with pytest.raises(IncompleteRunError, match="timed out progressing"):
        await wait_for_rollout(api, "webhook-fuzz", seconds=60, tell=lambda _: None)
