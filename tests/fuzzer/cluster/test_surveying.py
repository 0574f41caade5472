"""Is what stands around webhooks read completely, and what may not be seen told as such?"""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from configured import NAME_LABEL, NOW, by_service, configuration, entry, select
from fake_clusters import FakeCluster
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, Unseen
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.cluster.surroundings import Backend, Surroundings, View
from webhook_fuzz.fuzzer.cluster.surveying import count_validating, list_configurations, survey

REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1"
SERVICES = "/api/v1/namespaces/injector/services"
PODS = "/api/v1/namespaces/injector/pods"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/injector/endpointslices"
VERSION: JsonObject = {"major": "1", "minor": "37", "gitVersion": "v1.37.2"}


def namespace(name: str, **labels: str) -> JsonObject:
    return {"kind": "Namespace", "metadata": {"name": name, "labels": {NAME_LABEL: name, **labels}}}


def named(name: str) -> JsonObject:
    return {"metadata": {"name": name}}


def service(**spec: JsonValue) -> JsonObject:
    given: JsonObject = {"ports": [{"port": 443}, "odd"], "selector": {"app": "injector"}, **spec}
    return {"kind": "Service", "metadata": {"name": "injector"}, "spec": given}


def endpoint_slice(*endpoints: JsonValue, name: str = "injector") -> JsonObject:
    labels: JsonObject = {"kubernetes.io/service-name": name}
    return {"metadata": {"name": "s", "labels": labels}, "endpoints": [*endpoints]}


def ready(address: str, **conditions: bool) -> JsonObject:
    return {"addresses": [address], "conditions": {**conditions}}


def webhooks(**changes: JsonValue) -> list[Webhook]:
    return list_webhooks([configuration(entry(clientConfig=by_service(), **changes), entry())])


def cluster(changed: Mapping[str, Sequence[JsonObject]] | None = None) -> FakeCluster:
    known: dict[str, Sequence[JsonObject]] = {
        "/api/v1/namespaces": [namespace("kube-system"), namespace("injector", own="yes")],
        SERVICES: [service()],
        SLICES: [endpoint_slice(ready("10.0.0.1"), ready("10.0.0.2", ready=True))],
        PODS: [{"metadata": {"name": "p", "labels": {"app": "injector", "tier": "control"}}}],
        **(changed or {}),
    }
    return FakeCluster(collections=known, objects={"/version": VERSION})


def see(fake: FakeCluster, found: list[Webhook] | None = None) -> Surroundings:
    return asyncio.run(survey(fake, found or webhooks(), now=NOW, dial=False))


def test_everything_is_read_where_everything_may_be() -> None:
    around = see(cluster())
    assert around.view is View.CLUSTER
    assert around.version == Minor(1, 37)
    assert around.namespaces["injector"] == {NAME_LABEL: "injector", "own": "yes"}
    assert around.backends == {
        ("injector", "injector"): Backend(
            exists=True, ports=(443,), ready=2, pod_labels={"app": "injector"}
        )
    }
    assert around.not_seen == ()


def test_pods_are_looked_at_where_a_selector_turns_on_them() -> None:
    fake = cluster()
    backend = see(fake, webhooks(objectSelector=select("tier", "NotIn", "control"))).backends[
        "injector", "injector"
    ]
    assert isinstance(backend, Backend)
    assert backend.pod_labels == {"app": "injector", "tier": "control"}
    assert PODS in {request.path for request in fake.asked}


@pytest.mark.parametrize("pods", [[], None])
def test_without_a_pod_the_services_selector_stands_for_its_labels(
    pods: list[JsonObject] | None,
) -> None:
    fake = cluster({PODS: pods or []})
    if pods is None:
        fake.refusals = {PODS: (403, "no")}
    around = see(fake, webhooks(objectSelector=select("tier", "Exists")))
    backend = around.backends["injector", "injector"]
    assert isinstance(backend, Backend)
    assert backend.pod_labels == {"app": "injector"}
    assert around.not_seen == ()


@pytest.mark.parametrize(
    ("slices", "count"),
    [
        ([], 0),
        ([endpoint_slice(ready("10.0.0.1", ready=False), {"addresses": "x"}, "odd")], 0),
        ([endpoint_slice(ready("10.0.0.1")), endpoint_slice(ready("10.0.0.1"))], 1),
        ([endpoint_slice(ready("10.0.0.9"), name="another")], 0),
    ],
)
def test_ready_addresses_are_counted_once(slices: list[JsonObject], count: int) -> None:
    backend = see(cluster({SLICES: slices})).backends["injector", "injector"]
    assert isinstance(backend, Backend)
    assert backend.ready == count


def test_a_service_that_is_not_there_is_known_not_to_be() -> None:
    around = see(cluster({SERVICES: []}))
    assert around.backends == {("injector", "injector"): Backend(exists=False)}
    assert around.not_seen == ()


def test_an_external_name_has_no_endpoints_to_count() -> None:
    fake = cluster({SERVICES: [service(type="ExternalName", selector=None)], SLICES: []})
    assert see(fake).backends == {("injector", "injector"): Backend(exists=True)}


def test_a_namespace_that_is_gone_is_no_gap() -> None:
    around = see(cluster({"/api/v1/namespaces": [namespace("kube-system")]}))
    assert around.namespaces.keys() == {"kube-system"}
    assert around.not_seen == ()


def test_what_may_not_be_seen_is_told_once_for_its_kind() -> None:
    fake = cluster()
    fake.refusals = {"/api/v1/namespaces": (403, "forbidden: no"), "/version": (500, "down")}
    around = see(fake)
    assert [unseen.what for unseen in around.not_seen] == [
        "the API server's version",
        "namespaces",
        "services",
    ]
    assert around.not_seen[1].trouble is Trouble.FORBIDDEN
    assert around.version is None
    assert isinstance(around.backends["injector", "injector"], Unseen)


def test_endpoints_that_may_not_be_seen_are_not_none() -> None:
    fake = cluster()
    fake.refusals = {SLICES: (403, "forbidden: no")}
    around = see(fake)
    assert [unseen.what for unseen in around.not_seen] == ["endpoint slices"]
    assert isinstance(around.backends["injector", "injector"], Unseen)


def test_a_version_nobody_can_read_is_not_known() -> None:
    fake = cluster()
    fake.objects = {"/version": {"gitVersion": "unknown"}}
    assert see(fake).version is None


def test_configurations_must_be_seen_and_validating_ones_are_counted() -> None:
    mutating, validating = (
        f"{REGISTRATIONS}/{kind}webhookconfigurations" for kind in ("mutating", "validating")
    )
    validators = [named("a"), named("b")]
    fake = FakeCluster(collections={mutating: [configuration(entry())], validating: validators})
    assert len(asyncio.run(list_configurations(fake))) == 1
    assert asyncio.run(count_validating(fake)) == 2
    refusing = FakeCluster(refusals={REGISTRATIONS: (403, "forbidden: no")})
    assert asyncio.run(count_validating(refusing)) == 0
    with pytest.raises(ClusterError, match="forbidden"):
        asyncio.run(list_configurations(refusing))
