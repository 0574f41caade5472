"""What does an examination say of a real API server, its nodes and what its webhooks do?

The control plane is this module's own, because it has nodes. Kubelets are scripted, and the real
API server's node proxy asks them.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from authorities import LOOPBACK, Authority
from examined_clusters import gone, metrics, off, on
from served_webhooks import serve_at
from testbed.clusters import Cluster as Client
from testbed.clusters import administrator
from testbed.control_planes import build_control_plane, minors_under_test
from testbed.fake_kubelets import fake_kubelets, why_not
from testbed.fixtures import past_capture
from testbed.registrations import (
    build_webhook,
    in_namespaces,
    registered,
    url_client_config,
    wait_until_called,
)
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.cluster.api_servers import connect_directly
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.fuzzer.examining.examinations import examine_cluster
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.examining.single_pods import examine_pod
from webhook_fuzz.fuzzer.readiness.examined import Examination
from webhook_fuzz.fuzzer.readiness.gate_answers import Source, State
from webhook_fuzz.fuzzer.readiness.gate_traits import is_of_claims
from webhook_fuzz.fuzzer.readiness.probe_pods import probe_with
from webhook_fuzz.fuzzer.readiness.strategies import universal_pair
from webhook_fuzz.fuzzer.readiness.stuck_pods import Culprit
from webhook_fuzz.fuzzer.readiness.survivals import Survival
from webhook_fuzz.fuzzer.specimens.replies import patch_once
from webhook_fuzz.fuzzer.specimens.round_trips import typed_round_trip

pytestmark = pytest.mark.real

READER = User(name="doctor-reader", token="of-the-reader", groups=("doctor-readers",))
STRIPPED = "stripped"
PODS = f"/api/v1/namespaces/{STRIPPED}/pods"
SIDECARS = load_gates()["SidecarContainers"]
# Port, kubelet and what its metrics say; the last one listens nowhere.
KUBELETS: dict[str, tuple[int, str, tuple[int, str] | None]] = {
    "old": (10251, "v1.27.16", (200, metrics())),
    "off": (10252, "v1.28.9", (200, off())),
    "beta": (10253, "v1.29.6", (200, on())),
    "ga": (10254, "v1.33.13", (200, on(""))),
    "late": (10255, "v1.36.3", (200, gone())),
    "forbidding": (10256, "v1.29.6", (403, "Forbidden (user=x, verb=get, resource=nodes)")),
    "silent": (10257, "v1.28.9", None),
}


@pytest.fixture(scope="module", params=minors_under_test(), ids=str)
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    minor = request.param
    assert isinstance(minor, Minor)
    programs = build_control_plane(minor, past_capture(request.config))
    with control_plane(programs, options=ControlPlaneOptions(users=(READER,))) as started:
        administrator(started).create_namespace(STRIPPED)
        yield started


@pytest.fixture(scope="module")
def client(plane: ControlPlane) -> Client:
    return administrator(plane)


async def examine(
    plane: ControlPlane, *, gate: str = "SidecarContainers", namespace: str = "default"
) -> Examination:
    reach = ClusterOptions(kubeconfig=plane.kubeconfig, context=plane.context)
    options = ExaminationOptions(
        gate=load_gates()[gate], namespace=namespace, direct=connect_directly(reach)
    )
    async with Cluster(reach) as cluster:
        return await examine_cluster(cluster, options)


async def test_native_sidecars_are_on_although_nothing_is_found_in_the_metrics(
    plane: ControlPlane,
) -> None:
    found = await examine(plane)

    (server,) = found.servers
    assert server.answer.label == "on (locked)"
    expected = Source.METRIC if server.minor == Minor(1, 33) else Source.VERSION
    assert server.answer.source is expected
    assert found.probe is not None
    assert found.probe.survival is Survival.PRESENT


@pytest.mark.parametrize("gate", load_gates(), ids=str)
async def test_what_the_metric_says_of_a_gate_is_what_becomes_of_its_fields(
    plane: ControlPlane, gate: str
) -> None:
    found = await examine(plane, gate=gate)

    (server,) = found.servers
    assert server.answer.certain
    if found.probe is None:
        return
    survival = found.probe.survival
    known = server.minor is not None and load_gates()[gate].stages[0].since <= server.minor
    stays = known and is_of_claims(load_gates()[gate])
    if stays or server.answer.state is State.ON:
        assert survival is Survival.PRESENT, found.probe.sentence
    elif known:
        assert survival is Survival.DROPPED_BY_GATE, found.probe.sentence
    else:
        assert survival is Survival.REFUSED, found.probe.sentence


def create_node(client: Client, name: str, address: str, port: int, kubelet: str) -> None:
    client.create("/api/v1/nodes", {"kind": "Node", "metadata": {"name": name}})
    status: JsonObject = {
        "nodeInfo": {"kubeletVersion": kubelet},
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": address}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    body: JsonObject = {"status": status}
    reply = client.request("PATCH", f"/api/v1/nodes/{name}/status", body=body)
    assert reply.status == 200, reply.message


@pytest.fixture
def nodes(client: Client, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Nodes whose kubelets answer as scripted."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    answers = {port: answer for port, _, answer in KUBELETS.values() if answer is not None}
    with fake_kubelets(answers, tmp_path, past_capture(request.config)) as address:
        for name, (port, kubelet, _) in KUBELETS.items():
            create_node(client, name, address, port, kubelet)
        yield
        for name in KUBELETS:
            client.delete(f"/api/v1/nodes/{name}")


@pytest.mark.usefixtures("nodes")
async def test_kubelets_are_asked_through_the_node_proxy(plane: ControlPlane) -> None:
    found = await examine(plane)

    answers = {
        member.node.name: (group.answer.label, group.answer.source)
        for group in found.groups or ()
        for member in group.members
    }
    assert answers == {
        "old": ("off", Source.VERSION),
        "off": ("off", Source.METRIC),
        "beta": ("on", Source.METRIC),
        "ga": ("on (locked)", Source.METRIC),
        "late": ("on (locked)", Source.VERSION),
        "forbidding": ("on by default", Source.DEFAULT),
        "silent": ("off by default", Source.DEFAULT),
    }
    assert [unseen.what for unseen in found.not_seen] == [
        "metrics of node forbidding",
        "metrics of node silent",
    ]
    assert {finding.code for finding in found.findings} == {"WF702", "WF703", "WF706"}


async def test_a_reader_without_permissions_is_told_what_was_not_seen(
    plane: ControlPlane, client: Client, tmp_path: Path
) -> None:
    file = plane.write_kubeconfig(tmp_path / "reader", user=READER)
    async with Cluster(ClusterOptions(kubeconfig=file, context=plane.context)) as cluster:
        found = await examine_cluster(cluster, ExaminationOptions(gate=SIDECARS))

    assert found.groups is None
    assert {unseen.what for unseen in found.not_seen} >= {"nodes", "pods"}
    assert found.findings == ()


async def test_a_webhook_that_strips_the_field_is_named_and_its_pod_explained(
    plane: ControlPlane, client: Client, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    program = patch_once(typed_round_trip(Minor(1, 27)))
    async with serve_at("127.0.0.1", 0, program, authority=authority, names=LOOPBACK) as port:
        address = url_client_config(f"https://127.0.0.1:{port}/mutate", authority.ca_file)
        webhook = build_webhook(
            "strip.example.com", address, namespaceSelector=in_namespaces(STRIPPED)
        )
        with registered(client, "strippers", webhook):
            await asyncio.to_thread(_wait_until_stripped, client)
            found = await examine(plane, namespace=STRIPPED)
            refused = await _try_pod_with_hook(plane)
            stored = await asyncio.to_thread(client.create, PODS, _pod("kept"))
            await asyncio.to_thread(_make_it_hang, client)
            options = ExaminationOptions(gate=SIDECARS)
            reach = ClusterOptions(kubeconfig=plane.kubeconfig, context=plane.context)
            async with Cluster(reach) as cluster:
                one = await examine_pod(cluster, options, namespace=STRIPPED, name="kept")
    await asyncio.to_thread(client.delete, f"{PODS}/kept")

    assert [finding.code for finding in found.findings] == ["WF101"]
    assert "strippers/strip.example.com" in found.findings[0].explanation
    assert "restartPolicy" not in _init_container(stored)
    # The API server's own message names no webhook.
    assert [finding.code for finding in refused.findings] == ["WF101"]
    assert refused.probe is not None
    assert refused.probe.suspects == ("strippers/strip.example.com",)
    assert one.pod is not None
    assert one.pod.stuck is not None
    assert one.pod.stuck.culprit is Culprit.WEBHOOK
    assert "managedFields" in one.pod.stuck.how


def _pod(name: str) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "initContainers": [{"name": "logs", "image": "logs:1", "restartPolicy": "Always"}],
            "containers": [{"name": "app", "image": "app:1"}],
        },
    }


async def _try_pod_with_hook(plane: ControlPlane) -> Examination:
    """A native sidecar with a hook that only native sidecars may have."""
    pod = _pod("hooked")
    _init_container(pod)["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
    probe = probe_with(SIDECARS, pod)
    assert probe is not None
    reach = ClusterOptions(kubeconfig=plane.kubeconfig, context=plane.context)
    options = ExaminationOptions(gate=SIDECARS, namespace=STRIPPED, probe=probe)
    async with Cluster(reach) as cluster:
        return await examine_cluster(cluster, options)


def _init_container(pod: JsonObject) -> JsonObject:
    spec = pod["spec"]
    assert isinstance(spec, dict)
    containers = spec["initContainers"]
    assert isinstance(containers, list)
    assert isinstance(containers[0], dict)
    return containers[0]


def _wait_until_stripped(client: Client) -> None:
    wait_until_called(client, STRIPPED, marks="specimen")


def _make_it_hang(client: Client) -> None:
    status: JsonObject = {
        "phase": "Pending",
        "conditions": [{"type": "Initialized", "status": "False"}],
        "initContainerStatuses": [
            {
                "name": "logs",
                "image": "logs:1",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }
        ],
    }
    reply = client.request("PATCH", f"{PODS}/kept/status", body={"status": status})
    assert reply.status == 200, reply.message


async def test_the_universal_pair_is_valid_with_and_without_restart_policy(
    client: Client,
) -> None:
    spec: JsonObject = yaml.safe_load(universal_pair())["spec"]
    pods: list[JsonObject] = []
    for keep in (True, False):
        copied = yaml.safe_load(yaml.safe_dump(spec))
        for container in copied["initContainers"]:
            if not keep:
                container.pop("restartPolicy", None)
        pods.append(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pair"}, "spec": copied}
        )
    for pod in pods:
        reply = await asyncio.to_thread(client.dry_run, "/api/v1/namespaces/default/pods", pod)
        assert reply.status == 201, reply.message
