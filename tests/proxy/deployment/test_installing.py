"""Are webhooks re-pointed only when somebody answers, and put back before anybody is gone?"""

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from applying_clusters import ApplyingCluster
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.errors import IncompleteRunError, InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.proxy.deployment.installations import Installation, find
from webhook_fuzz.proxy.deployment.installing import install, plan_installation, uninstall
from webhook_fuzz.proxy.routes import Route, Upstream

ROUTE = Route(
    upstream=Upstream(
        webhook=WebhookIdentity(configuration="mesh", name="inject.example.com", url=""),
        host="mesh.mesh.svc",
        port=443,
        server_name="mesh.mesh.svc",
    ),
    prefix="/webhook-fuzz/ab12",
)
SPACE = "/api/v1/namespaces/webhook-fuzz"
KEEPER_ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/webhook-fuzz-keeper"
DEPLOYMENT = "/apis/apps/v1/namespaces/webhook-fuzz/deployments/webhook-fuzz-proxy"


@dataclass
class Redirected:
    """Remembers when it began and what with, in the order of what else happened."""

    happened: list[str]
    routes: Sequence[Route] = (ROUTE,)
    configurations: Sequence[str] = ("mesh",)
    names: Sequence[str] = ("webhook-fuzz-proxy.webhook-fuzz.svc",)
    bundles: list[bytes] = field(default_factory=list[bytes])

    async def begin(self, ca_pem: bytes) -> None:
        self.happened.append("re-pointed")
        self.bundles.append(ca_pem)


def cluster(happened: list[str]) -> ApplyingCluster:
    """Its Deployments are ready as soon as they are there."""

    def refuse(request: ClusterRequest) -> ClusterAnswer | None:
        if request.method in {"PATCH", "DELETE"}:
            happened.append(f"{request.method} {request.path.rsplit('/', 2)[1]}")
        return None

    ready: JsonObject = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    return ApplyingCluster(refuse=refuse, statuses={DEPLOYMENT: ready})


async def put_in(api: ApplyingCluster, redirected: Redirected) -> None:
    plan = await plan_installation(api, Installation(), redirected, ttl=600, now=time.time())
    await install(api, plan, redirected, rollout=0, tell=redirected.happened.append)


async def test_webhooks_are_re_pointed_last_with_the_authority_of_what_is_served() -> None:
    happened: list[str] = []
    api, redirected = cluster(happened), Redirected(happened)
    await put_in(api, redirected)
    assert happened[-2:] == ["2 of 2 proxies are ready", "re-pointed"]
    secret = cast("Any", api.stored[f"{SPACE}/secrets/webhook-fuzz-certificate"])
    assert base64.b64decode(secret["data"]["ca.crt"]) == redirected.bundles[0]
    routes = cast("Any", api.stored[f"{SPACE}/configmaps/webhook-fuzz-routes"])
    assert "prefix: /webhook-fuzz/ab12" in routes["data"]["routes.yaml"]
    role = cast("Any", api.stored[KEEPER_ROLE])
    assert role["rules"][1]["resourceNames"] == ["mesh"]


async def test_without_proxies_no_webhook_is_re_pointed() -> None:
    happened: list[str] = []
    api, redirected = cluster(happened), Redirected(happened)
    api.statuses = {}
    with pytest.raises(IncompleteRunError, match="only 0 of 2 proxies are ready"):
        await put_in(api, redirected)
    assert "re-pointed" not in happened
    assert "PATCH deployments" in happened


async def test_planning_writes_nothing() -> None:
    happened: list[str] = []
    api = cluster(happened)
    plan = await plan_installation(
        api, Installation(), Redirected(happened), ttl=600, now=time.time()
    )
    assert {request.method for request in api.asked} == {"GET"}
    assert find(plan.objects, "Deployment", "webhook-fuzz-proxy")


async def test_what_is_in_the_way_is_said_before_anything_is_written() -> None:
    happened: list[str] = []
    api = cluster(happened)
    api.put("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": "webhook-fuzz"}})
    with pytest.raises(InputError, match="not of this installation"):
        await put_in(api, Redirected(happened))
    assert happened == []


async def test_installing_again_keeps_the_bundle() -> None:
    happened: list[str] = []
    api, redirected = cluster(happened), Redirected(happened)
    await put_in(api, redirected)
    await put_in(api, redirected)
    assert redirected.bundles[0] == redirected.bundles[1]


async def test_webhooks_are_put_back_before_anything_is_deleted() -> None:
    happened: list[str] = []
    api = cluster(happened)
    await put_in(api, Redirected(happened))
    happened.clear()

    async def restore() -> None:
        happened.append("restored")

    await uninstall(api, "webhook-fuzz", restore=restore, settle=0.01, tell=happened.append)
    assert happened[0] == "restored"
    assert happened[1].startswith("waiting")
    assert api.stored == {}


async def test_a_webhook_that_cannot_be_put_back_keeps_its_proxy() -> None:
    happened: list[str] = []
    api = cluster(happened)
    await put_in(api, Redirected(happened))
    before = dict(api.stored)

    async def restore() -> None:
        raise ClusterError("refused", hint="", trouble=Trouble.BROKEN)

    with pytest.raises(ClusterError):
        await uninstall(api, "webhook-fuzz", restore=restore, settle=0, tell=happened.append)
    assert api.stored == before


@pytest.mark.parametrize("kind", ["mutating", "validating"])
async def test_while_any_webhook_leads_to_the_proxies_they_stay(kind: str) -> None:
    happened: list[str] = []
    api = cluster(happened)
    await put_in(api, Redirected(happened))
    service: JsonObject = {"namespace": "webhook-fuzz", "name": "webhook-fuzz-proxy"}
    api.put(
        f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations",
        {
            "metadata": {"name": "by-hand"},
            "kind": f"{kind.title()}WebhookConfiguration",
            "apiVersion": "admissionregistration.k8s.io/v1",
            "webhooks": [{"name": "a.example.com", "clientConfig": {"service": service}}],
        },
    )
    before = dict(api.stored)

    async def restore() -> None:
        """Knows nothing of it."""

    with pytest.raises(IncompleteRunError, match=r"by-hand/a\.example\.com still lead"):
        await uninstall(api, "webhook-fuzz", restore=restore, settle=0, tell=happened.append)
    assert api.stored == before
