"""A cluster that stops answering half-way, or lets nobody do anything, yields no false verdict."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from fake_clusters import FakeCluster
from webhook_fuzz.corpora.cluster_api.failures import Trouble, cluster_error
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterApi, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import list_webhooks
from webhook_fuzz.fuzzer.cluster.discoveries import Discovery, join_webhook
from webhook_fuzz.fuzzer.cluster.surroundings import Surroundings, View
from webhook_fuzz.fuzzer.plans import Plan, build_plan
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.fuzzer.staging.campaigns import Campaign, CampaignOptions
from webhook_fuzz.fuzzer.staging.outcomes import CampaignOutcome
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions
from webhook_fuzz.reports.cluster_folds import ClusterFacts, add_cluster, tallies_of
from webhook_fuzz.reports.folding import RunFacts, fold_run
from webhook_fuzz.reports.results import RunResult

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMESPACES = {"default": {"kubernetes.io/metadata.name": "default"}}


@dataclass(kw_only=True)
class ProxyingCluster:
    """Passes calls on to a specimen, stores nothing, and falls silent after `patience` calls."""

    specimen: str = "perfect"
    patience: int = 10_000
    fake: FakeCluster = field(default_factory=FakeCluster)
    calls: int = 0

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        if request.path.endswith("selfsubjectaccessreviews"):
            return answer({"status": {"allowed": True}})
        if "/proxy/" in request.path:
            return self._pass_on(request)
        if request.path.endswith("/pods") and request.body is not None:
            self._count(request)
            return answer(json.loads(request.body))
        return await self.fake.ask(request)

    def _pass_on(self, request: ClusterRequest) -> ClusterAnswer:
        self._count(request)
        said = get_specimen(self.specimen).answer(json.loads(request.body or b""))
        return ClusterAnswer(status=said.status, body=said.body, content_type=said.content_type)

    def _count(self, request: ClusterRequest) -> None:
        self.calls += 1
        if self.calls > self.patience:
            raise cluster_error(f"POST {request.path}", "connection reset", Trouble.UNREACHABLE)


def answer(body: JsonObject) -> ClusterAnswer:
    return ClusterAnswer(status=200, body=json.dumps(body).encode())


def proxying(*, patience: int = 10_000, specimen: str = "perfect") -> ProxyingCluster:
    service: JsonObject = {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}}
    slices: JsonObject = {
        "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"port": 8443}],
    }
    fake = FakeCluster(
        collections={
            "/api/v1/namespaces/system/services": [service],
            "/apis/discovery.k8s.io/v1/namespaces/system/endpointslices": [slices],
        },
        objects={"/version": {"gitVersion": "v1.37.2"}},
    )
    return ProxyingCluster(patience=patience, specimen=specimen, fake=fake)


def discovery(**fields: object) -> Discovery:
    entry = {
        "name": "hook.example.com",
        "clientConfig": {"service": {"namespace": "system", "name": "hook", "path": "/mutate"}},
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
            }
        ],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        **fields,
    }
    configuration = json.loads(json.dumps({"metadata": {"name": "hooks"}, "webhooks": [entry]}))
    around = Surroundings(view=View.CLUSTER, now=NOW)
    return Discovery(
        webhooks=tuple(
            join_webhook(webhook, around, {}, NAMESPACES)
            for webhook in list_webhooks([configuration])
        ),
        around=around,
        namespaces=NAMESPACES,
        labels=NAMESPACES,
    )


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build_plan()


async def campaign(
    api: ClusterApi, found: Discovery, plan: Plan, **options: object
) -> tuple[CampaignOutcome, RunResult]:
    tried = Campaign(
        api=api,
        plan=plan,
        discovery=found,
        options=CampaignOptions(
            **{  # type: ignore[arg-type]  # what a test changes
                "api_server": Minor(1, 37),
                "namespace": "default",
                "namespace_labels": NAMESPACES["default"],
                "reach": ReachOptions(inside_cluster=False, dial_seconds=0.1),
                **options,
            }
        ),
    )
    async for _ in tried.events():
        pass
    facts = RunFacts(
        version="0", target=plan.target, started=NOW, seconds=1.0, seed=0, complete=True
    )
    run = fold_run(tallies_of(tried.outcome), facts, plan)
    cluster = ClusterFacts(context="test", server="https://x", version="v1.37.2")
    return tried.outcome, add_cluster(run, tried.outcome, cluster, plan.redactor)


async def test_a_webhook_behind_the_service_proxy_is_swept_and_the_chain_tried(plan: Plan) -> None:
    outcome, run = await campaign(proxying(), discovery(), plan)
    assert [each.way.way for each in outcome.judged] == ["service-proxy"]
    assert run["webhooks"][0]["verdict"] == "compatible"
    assert run["complete"] is True
    assert outcome.chain is not None
    assert outcome.chain.accepted == outcome.chain.sent > 0


async def test_a_webhook_with_a_fault_is_found_through_the_proxy(plan: Plan) -> None:
    _, run = await campaign(proxying(specimen="typed-round-trip-1.27"), discovery(), plan)
    assert run["webhooks"][0]["verdict"] == "incompatible"


@pytest.mark.parametrize("patience", [0, 1, 5, 16])
async def test_an_api_server_that_falls_silent_leaves_no_webhook_compatible(
    plan: Plan, patience: int
) -> None:
    outcome, run = await campaign(proxying(patience=patience), discovery(), plan)
    assert run["webhooks"][0]["verdict"] in {"unreachable", "not-exercised"}
    assert run["complete"] is False
    assert outcome.not_seen


async def test_a_chain_that_is_cut_short_is_told(plan: Plan) -> None:
    swept = proxying()
    await campaign(swept, discovery(), plan, namespace=None)
    outcome, run = await campaign(proxying(patience=swept.calls + 3), discovery(), plan)
    assert run["webhooks"][0]["verdict"] == "compatible"
    assert run["complete"] is False
    assert [each.what for each in outcome.not_seen] == ["what the whole chain does to every pod"]


async def test_a_webhook_with_side_effects_is_not_called_unless_that_is_allowed(
    plan: Plan,
) -> None:
    found = discovery(sideEffects="Some")
    _, run = await campaign(proxying(), found, plan, namespace=None)
    assert run["webhooks"][0]["verdict"] == "not-exercised"
    assert "sideEffects is Some" in run["webhooks"][0]["sentence"]
    allowed = ReachOptions(allow_side_effects=True, inside_cluster=False, dial_seconds=0.1)
    _, run = await campaign(proxying(), found, plan, namespace=None, reach=allowed)
    assert run["webhooks"][0]["verdict"] == "compatible"


async def test_pods_are_sent_as_the_object_selector_wants_them(plan: Plan) -> None:
    found = discovery(objectSelector={"matchLabels": {"inject": "yes"}})
    outcome, run = await campaign(proxying(), found, plan, namespace=None)
    tally = outcome.judged[0].tally
    assert run["webhooks"][0]["verdict"] == "compatible"
    assert tally is not None
    assert tally.calls == 17


async def test_only_the_webhooks_asked_for_are_called(plan: Plan) -> None:
    outcome, run = await campaign(proxying(), discovery(), plan, only=["others"], namespace=None)
    assert outcome.judged == []
    assert run["webhooks"] == []


async def test_a_webhook_that_selects_no_namespace_is_not_called(plan: Plan) -> None:
    found = discovery(namespaceSelector={"matchLabels": {"no": "such"}})
    _, run = await campaign(proxying(), found, plan, namespace=None)
    assert run["webhooks"][0]["verdict"] == "not-exercised"
    assert "selects no namespace" in run["webhooks"][0]["sentence"]
