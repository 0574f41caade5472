"""Does discovery say of a real API server what was registered there?"""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from authorities import Authority
from testbed.clusters import Cluster as Client
from testbed.clusters import administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture, shared_control_plane
from testbed.registrations import (
    CONFIGURATIONS,
    build_pod,
    build_webhook,
    create_service,
    in_namespaces,
    registered,
)
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, Unseen
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.discoveries import DiscoveredWebhook, Discovery
from webhook_fuzz.fuzzer.cluster.discovery import discover
from webhook_fuzz.fuzzer.cluster.surroundings import Backend
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane

pytestmark = pytest.mark.real

NAMESPACE = "discovery"
READER = User(name="discovery-reader", token="of-the-reader", groups=("discovery-readers",))


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> ControlPlane:
    plane = shared_control_plane(request.config)
    administrator(plane).create_namespace(NAMESPACE, team="discovery")
    return plane


@pytest.fixture(scope="module")
def client(plane: ControlPlane) -> Client:
    return administrator(plane)


async def _discover(kubeconfig: Path, context: str) -> Discovery:
    options = ClusterOptions(kubeconfig=kubeconfig, context=context)
    async with Cluster(options) as cluster:
        return await discover(cluster, now=datetime.now(UTC), dial=True)


def _of(found: Discovery, configuration: str) -> list[DiscoveredWebhook]:
    return [each for each in found.webhooks if each.webhook.configuration == configuration]


async def test_a_webhook_behind_a_service_is_found_with_its_pods_and_certificate(
    plane: ControlPlane, client: Client, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    address = create_service(client, NAMESPACE, "injector")
    _give_it_a_pod(client)
    credential = authority.issue(address.dns_name)
    context: ssl.SSLContext = credential.server_context()
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), address.host, address.port, ssl=context
    )
    webhook = build_webhook(
        "inject.example.com",
        address.client_config("/inject", authority.ca_file),
        namespaceSelector=in_namespaces(NAMESPACE),
    )
    gone = build_webhook(
        "gone.example.com",
        {"service": {"namespace": NAMESPACE, "name": "gone"}},
        namespaceSelector=in_namespaces("nowhere"),
    )
    async with server:
        with registered(client, "discovery", webhook, gone):
            found = await _discover(plane.kubeconfig, plane.context)
    injector, missing = _of(found, "discovery")
    assert isinstance(injector.backend, Backend)
    assert (injector.backend.exists, injector.backend.ready) == (True, 1)
    assert injector.images == ("registry.example.com/app:1",)
    assert injector.reach.namespaces == (NAMESPACE,)
    assert injector.bundle.expires == _expiry(authority.ca_file)
    assert injector.served is not None
    assert injector.served.problem is None
    assert injector.served.expires == _expiry(credential.cert_file)
    # Nobody but the test wrote it, and the API server says so.
    assert len(injector.ownership.managers) == 1
    assert isinstance(missing.backend, Backend)
    assert not missing.backend.exists
    assert missing.reach.namespaces == ()
    assert found.not_seen == ()
    assert f"v{found.version}" == ".".join(plane.version.split(".")[:2])
    assert found.user.get("groups")


async def test_configurations_come_in_the_order_of_the_api_server(
    plane: ControlPlane, client: Client
) -> None:
    hook = build_webhook(
        "w.example.com",
        {"url": "https://127.0.0.1:1/x"},
        namespaceSelector=in_namespaces("nowhere"),
        failurePolicy="Ignore",
    )
    names = ["discovery-b", "discovery-a", "discovery-a.b", "discovery-a-b"]
    with (
        registered(client, names[0], hook),
        registered(client, names[1], hook),
        registered(client, names[2], hook),
        registered(client, names[3], hook),
    ):
        found = await _discover(plane.kubeconfig, plane.context)
    listed = [each.webhook.configuration for each in found.webhooks]
    assert [name for name in listed if name in names] == sorted(names)


async def test_a_user_who_may_read_configurations_only_gets_a_partial_view(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(programs, options=ControlPlaneOptions(users=(READER,))) as plane:
        kubeconfig = tmp_path / "kubeconfig"
        plane.write_kubeconfig(kubeconfig, user=READER)
        with pytest.raises(ClusterError) as refused:
            await _discover(kubeconfig, plane.context)
        assert refused.value.trouble is Trouble.FORBIDDEN
        client = administrator(plane)
        _let_read_configurations(client)
        reader = Client(plane=plane, token=READER.token)
        wait_until(
            lambda: reader.request("GET", CONFIGURATIONS).status == 200, what="the reader may list"
        )
        service: JsonObject = {"service": {"namespace": "default", "name": "hook"}}
        with registered(client, "discovery", build_webhook("w.example.com", service)):
            found = await _discover(kubeconfig, plane.context)
    (webhook,) = found.webhooks
    assert isinstance(webhook.backend, Unseen)
    assert webhook.reach.namespaces is None
    assert found.user.get("username") == READER.name
    assert {each.what for each in found.not_seen} == {"namespaces", "services"}
    assert {each.trouble for each in found.not_seen} == {Trouble.FORBIDDEN}


def _give_it_a_pod(client: Client) -> None:
    """A pod with an endpoint, as the controllers would make it."""
    pod = build_pod("injector-1")
    pod["metadata"] = {"name": "injector-1", "labels": {"app": "injector"}}
    client.create(f"/api/v1/namespaces/{NAMESPACE}/pods", pod)
    selecting: JsonObject = {"spec": {"selector": {"app": "injector"}}}
    path = f"/api/v1/namespaces/{NAMESPACE}/services/injector"
    assert client.request("PATCH", path, body=selecting).status == 200
    client.create(
        f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices",
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "injector",
                "labels": {"kubernetes.io/service-name": "injector"},
            },
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["10.1.1.1"], "conditions": {"ready": True}},
                {"addresses": ["10.1.1.2"], "conditions": {"ready": False}},
            ],
            "ports": [{"port": 443}],
        },
    )


def _let_read_configurations(client: Client) -> None:
    group = "rbac.authorization.k8s.io"
    name = "reads-configurations"
    client.create(
        f"/apis/{group}/v1/clusterroles",
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [
                {
                    "apiGroups": ["admissionregistration.k8s.io"],
                    "resources": ["mutatingwebhookconfigurations"],
                    "verbs": ["list"],
                }
            ],
        },
    )
    client.create(
        f"/apis/{group}/v1/clusterrolebindings",
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "Group", "name": READER.groups[0]}],
        },
    )


def _expiry(file: Path) -> datetime:
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
