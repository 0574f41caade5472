from datetime import UTC, datetime

import pytest

from discovered import CONFIGURATIONS, FIRST, INJECTOR, small_cluster
from fake_clusters import FakeCluster
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, Unseen, cluster_error
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import list_webhooks
from webhook_fuzz.fuzzer.apiserver.attributes import UNKNOWN_USER
from webhook_fuzz.fuzzer.cluster.discoveries import Discovery, describe_webhooks
from webhook_fuzz.fuzzer.cluster.discovery import discover, read_user
from webhook_fuzz.fuzzer.cluster.surroundings import Backend, Surroundings, View

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def _discover(cluster: FakeCluster, namespace: str | None = None) -> Discovery:
    return await discover(cluster, now=NOW, dial=True, namespace=namespace)


async def test_webhooks_come_in_the_order_of_the_calls_with_what_is_behind_them() -> None:
    found = await _discover(small_cluster())
    assert [each.webhook.identity for each in found.webhooks] == [
        "a-first/url.example.com",
        "injector/inject.example.com",
        "injector/gone.example.com",
    ]
    url, injector, gone = found.webhooks
    assert url.backend is None
    assert isinstance(injector.backend, Backend)
    assert injector.backend.ready == 2
    assert injector.images == ("example.com/inject:1.2",)
    assert injector.ownership.helm_release == "sys/inj"
    assert injector.reach.namespaces == ("shop",)
    assert isinstance(gone.backend, Backend)
    assert not gone.backend.exists
    assert not gone.reach.pods
    assert found.version == Minor(1, 37)
    assert found.not_seen == ()


async def test_the_user_is_who_the_api_server_says() -> None:
    found = await _discover(small_cluster())
    assert found.user == {"username": "me", "uid": "", "groups": ["dev"], "extra": {}}


async def test_extra_members_of_the_user_are_kept() -> None:
    user: JsonObject = {"username": "me", "extra": {"example.com/k": ["v"]}, "groups": None}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    cluster = FakeCluster(objects={path: {"status": {"userInfo": user}}})
    assert (await read_user(cluster)).get("extra") == {"example.com/k": ["v"]}


class _Silent:
    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        raise cluster_error(request.path, "no answer", Trouble.UNREACHABLE)


async def test_a_user_who_is_not_told_is_unknown() -> None:
    assert await read_user(_Silent()) == UNKNOWN_USER
    assert await read_user(FakeCluster()) == UNKNOWN_USER


async def test_namespaces_that_may_not_be_listed_are_said_to_be_unseen() -> None:
    cluster = small_cluster()
    everything = dict(cluster.collections)
    del everything["/api/v1/namespaces"]
    shop: JsonObject = {"metadata": {"name": "shop", "labels": {"inject": "on"}}}
    cluster.collections = everything
    cluster.objects = {**cluster.objects, "/api/v1/namespaces/shop": shop}
    found = await _discover(cluster, "shop")
    assert found.namespaces is None
    assert found.labels["shop"] == {"inject": "on"}
    assert [each.what for each in found.not_seen] == ["namespaces"]
    assert all(each.reach.namespaces is None for each in found.webhooks)
    assert "nowhere" not in (await _discover(cluster, "nowhere")).labels
    assert "shop" not in (await _discover(cluster)).labels


async def test_pods_and_services_that_may_not_be_seen_are_no_missing_ones() -> None:
    refusals = {
        "/api/v1/namespaces/sys/pods": (403, "pods is forbidden"),
        "/api/v1/namespaces/sys/services/gone": (403, "services is forbidden"),
    }
    found = await _discover(small_cluster(refusals))
    _, injector, gone = found.webhooks
    assert isinstance(injector.images, Unseen)
    assert isinstance(gone.backend, Unseen)
    assert {each.what for each in found.not_seen} == {"pods", "services"}


async def test_without_the_configurations_there_is_nothing_to_say() -> None:
    with pytest.raises(ClusterError, match="forbidden"):
        await _discover(small_cluster({CONFIGURATIONS: (403, "forbidden")}))


def test_manifests_tell_what_they_hold() -> None:
    around = Surroundings(view=View.MANIFESTS, now=NOW, namespaces={"shop": {"a": "b"}})
    found = describe_webhooks(list_webhooks([INJECTOR, FIRST]), around)
    assert len(found.webhooks) == 3
    assert found.namespaces is None
    assert found.labels == {"shop": {"a": "b"}}
    assert found.may_have_static_webhooks


def test_only_new_api_servers_have_webhooks_the_api_does_not_show() -> None:
    around = Surroundings(view=View.CLUSTER, now=NOW)
    old = Discovery(webhooks=(), around=around, version=Minor(1, 35))
    new = Discovery(webhooks=(), around=around, version=Minor(1, 36))
    assert not old.may_have_static_webhooks
    assert new.may_have_static_webhooks
