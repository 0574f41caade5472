"""A webhook that is reached through the API server's service proxy, by those who may."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from authorities import Authority
from served_webhooks import serve_at
from testbed.clusters import Cluster as Admin
from testbed.clusters import administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from testbed.registrations import build_pod, build_webhook
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, Exchange, FailureKind
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.answers import Answer, read_answer
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.fuzzer.specimens.programs import Answer as SpecimenAnswer
from webhook_fuzz.fuzzer.specimens.replies import request_of
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions, choose_reach
from webhook_fuzz.fuzzer.transports.reaching import Reaches, Way
from webhook_fuzz.fuzzer.transports.service_proxy import (
    ServiceProxyOptions,
    ServiceProxyTransport,
)

pytestmark = pytest.mark.real

NAMESPACE = "proxied"
READER = User(name="reader", token="reader-of-webhooks", groups=("readers",))
UID = "3b241101-e2bb-4255-8caf-4136c566a962"
REVIEW = build_review(build_pod("web"), ReviewOptions(api_server=NEWEST, uid=UID))


def own_address() -> str:
    """An address of this machine that is not loopback: endpoints may not be on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: nothing is sent
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address: str = probe.getsockname()[0]
    if ipaddress.ip_address(address).is_loopback:
        pytest.skip("this machine has no address but loopback")
    return address


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(programs, options=ControlPlaneOptions(users=(READER,))) as running:
        administrator(running).create_namespace(NAMESPACE)
        yield running


@pytest.fixture
async def api(plane: ControlPlane) -> AsyncGenerator[Cluster]:
    async with Cluster(ClusterOptions(kubeconfig=plane.kubeconfig)) as cluster:
        yield cluster


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """A webhook whose service leads, through the API server only, to this machine."""

    webhook: Webhook
    service: ServiceReference


def perfect_or_slow(review: JsonObject) -> SpecimenAnswer:
    """The specimen `perfect`, which takes a minute for the pod `slow`."""
    answer = get_specimen("perfect").program(review)
    return replace(answer, delay_seconds=60) if request_of(review)["name"] == "slow" else answer


@pytest.fixture
async def proxied(plane: ControlPlane, authority: Authority) -> AsyncGenerator[Proxied]:
    address = own_address()
    async with serve_at(
        address, 0, perfect_or_slow, authority=authority, names=("somebody.else",)
    ) as port:
        admin = administrator(plane)
        # In a thread: the API server calls the webhook, which runs in this one.
        names = await asyncio.to_thread(create_backend, admin, address, port)
        config: JsonObject = {
            "service": {"namespace": NAMESPACE, "name": "perfect", "path": "/mutate/"}
        }
        entry = build_webhook("perfect.example.com", config)
        webhook = list_webhooks([{"metadata": {"name": "proxied"}, "webhooks": [entry]}])[0]
        service = webhook.service
        assert service is not None
        yield Proxied(webhook=webhook, service=service)
        for name in names:
            admin.delete(name)


def create_backend(admin: Admin, address: str, port: int) -> list[str]:
    """A service with one endpoint, and the pod that the service proxy asks for."""
    core, slices = "/api/v1/namespaces", "/apis/discovery.k8s.io/v1/namespaces"
    services, pods = f"{core}/{NAMESPACE}/services", f"{core}/{NAMESPACE}/pods"
    ports: JsonObject = {"ports": [{"port": 443, "targetPort": port}]}
    admin.create(services, {"metadata": {"name": "perfect"}, "spec": ports})
    pod = build_pod("perfect")
    assert isinstance(pod["spec"], dict)
    admin.create(pods, {**pod, "spec": {**pod["spec"], "nodeName": "none"}})
    status: JsonObject = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    assert admin.request("PATCH", f"{pods}/perfect/status", body=status).status == 200
    target: JsonObject = {"kind": "Pod", "name": "perfect", "namespace": NAMESPACE}
    admin.create(
        f"{slices}/{NAMESPACE}/endpointslices",
        {
            "metadata": {
                "name": "perfect",
                "labels": {"kubernetes.io/service-name": "perfect"},
            },
            "addressType": "IPv4",
            "ports": [{"name": "", "port": port, "protocol": "TCP"}],
            "endpoints": [
                {"addresses": [address], "conditions": {"ready": True}, "targetRef": target}
            ],
        },
    )
    path = f"{services}/https:perfect:443/proxy/"
    wait_until(
        lambda: "no endpoints" not in admin.request("GET", path).message,
        what="the API server knows the endpoint",
    )
    return [
        f"{services}/perfect",
        f"{pods}/perfect",
        f"{slices}/{NAMESPACE}/endpointslices/perfect",
    ]


OUTSIDE = ReachOptions(inside_cluster=False, dial_seconds=0.5)


async def test_a_webhook_out_of_reach_is_called_through_the_proxy(
    api: Cluster, proxied: Proxied
) -> None:
    reach = await choose_reach(proxied.webhook, api, OUTSIDE)
    assert reach.way is Way.SERVICE_PROXY
    assert [refused.way for refused in reach.refused] == [Way.SERVICE_NAME, Way.CLUSTER_IP]
    async with Reaches([reach]) as caller:
        exchange = await caller.call(proxied.webhook, REVIEW)
    assert isinstance(exchange, Exchange)
    assert isinstance(exchange.outcome, Answered)
    answer = read_answer(exchange.outcome.body, uid=UID, version="v1")
    assert isinstance(answer, Answer)
    assert answer.patch is not None


async def test_a_webhook_that_hangs_behind_the_proxy_times_out(
    api: Cluster, proxied: Proxied
) -> None:
    transport = ServiceProxyTransport(api, replace(options(proxied.service), timeout_seconds=0.5))
    review = build_review(build_pod("slow"), ReviewOptions(api_server=NEWEST, uid=UID))
    outcome = (await transport.send(review)).outcome
    assert isinstance(outcome, CallFailure)
    assert outcome.kind is FailureKind.TIMEOUT


async def test_a_user_without_the_permission_is_told_what_is_missing(
    plane: ControlPlane, proxied: Proxied, tmp_path: Path
) -> None:
    kubeconfig = plane.write_kubeconfig(tmp_path / "reader", user=READER)
    async with Cluster(ClusterOptions(kubeconfig=kubeconfig)) as reader:
        reach = await choose_reach(proxied.webhook, reader, OUTSIDE)
        assert reach.way is Way.DRY_RUN
        reasons = {refused.way: refused.reason for refused in reach.refused}
        assert "forbidden" in reasons[Way.CLUSTER_IP]
        assert "permission to create services/proxy" in reasons[Way.SERVICE_PROXY]
        transport = ServiceProxyTransport(reader, options(proxied.service))
        with pytest.raises(ClusterError) as caught:
            await transport.send(REVIEW)
    assert caught.value.trouble is Trouble.FORBIDDEN


async def test_a_service_without_endpoints_is_an_unreachable_webhook(
    api: Cluster, plane: ControlPlane
) -> None:
    admin, path = administrator(plane), f"/api/v1/namespaces/{NAMESPACE}/services"
    ports: JsonObject = {"ports": [{"port": 443}]}
    admin.create(path, {"metadata": {"name": "empty"}, "spec": ports})
    for name, port, said in (
        ("empty", 443, "no endpoints available"),
        ("empty", 444, "no service port 444"),
        ("missing", 443, "not found"),
    ):
        service = ServiceReference(namespace=NAMESPACE, name=name, port=port)
        outcome = (await ServiceProxyTransport(api, options(service)).send(REVIEW)).outcome
        assert isinstance(outcome, CallFailure)
        assert outcome.kind is FailureKind.UNREACHABLE
        assert said in outcome.detail
    admin.delete(f"{path}/empty")


async def test_a_backend_that_is_gone_is_told_by_the_api_server(
    api: Cluster, proxied: Proxied, plane: ControlPlane
) -> None:
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/perfect"
    ports: JsonObject = {"ports": [{"name": "", "port": 1, "protocol": "TCP"}]}
    admin = administrator(plane)
    assert admin.request("PATCH", slices, body=ports).status == 200
    path = f"/api/v1/namespaces/{NAMESPACE}/services/https:perfect:443/proxy/"
    await asyncio.to_thread(
        wait_until,
        lambda: "refused" in admin.request("GET", path).message,
        what="the endpoint has moved",
    )
    outcome = (await ServiceProxyTransport(api, options(proxied.service)).send(REVIEW)).outcome
    assert isinstance(outcome, CallFailure)
    assert outcome.kind is FailureKind.REFUSED


def options(service: ServiceReference) -> ServiceProxyOptions:
    return ServiceProxyOptions(service=service, configuration="proxied", name="perfect")
