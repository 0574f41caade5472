"""Does `webhook-fuzz lint` find exactly what is planted in a real API server?

The control plane is this module's own: webhooks that reach for kube-system would disturb others.
"""

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from authorities import Authority
from command_lines import run_cli
from configured import by_service, configuration, entry, rule, select
from testbed.clusters import Cluster, administrator
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from testbed.registrations import CONFIGURATIONS, ServiceAddress, create_service
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane

pytestmark = pytest.mark.real

NAMESPACE = "injector"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
READER = User(name="reader", token="of-the-reader", groups=("readers",))
ELSEWHERE = select("kubernetes.io/metadata.name", "NotIn", "kube-system")


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(programs, options=ControlPlaneOptions(users=(READER,))) as started:
        administrator(started).create_namespace(NAMESPACE)
        yield started


@pytest.fixture(scope="module")
def cluster(plane: ControlPlane) -> Cluster:
    return administrator(plane)


def serve_from(cluster: Cluster, name: str, *, pods: int) -> ServiceAddress:
    """A Service and the EndpointSlice a controller would make for its pods."""
    service = create_service(cluster, NAMESPACE, name)
    body: JsonObject = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [f"10.7.0.{number}"], "conditions": {"ready": True}}
            for number in range(1, pods + 1)
        ],
        "ports": [{"port": 8443}],
    }
    cluster.create(SLICES, body)
    return service


def served_by(service: ServiceAddress, authority: Authority) -> JsonObject:
    return service.client_config("/mutate", authority.ca_file)


@pytest.fixture(scope="module")
def good(cluster: Cluster) -> ServiceAddress:
    return serve_from(cluster, "good", pods=2)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def _eight_webhooks(
    cluster: Cluster,
    good: ServiceAddress,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    lonely = served_by(serve_from(cluster, "lonely", pods=1), authority)
    del lonely["caBundle"]
    bundle = base64.b64encode(authority.ca_file.read_bytes()).decode()
    filled_later: JsonObject = {"cert-manager.io/inject-ca-from": "injector/serving"}
    custom = rule("widgets", apiGroups=["example.com"], operations=["DELETE"])
    status = rule("pods/status", operations=["UPDATE"])
    planted: list[tuple[str, JsonObject, JsonObject]] = [
        ("1-good", entry(clientConfig=served_by(good, authority)), {}),
        (
            "2-by-default",
            entry(
                timeoutSeconds=None,
                failurePolicy=None,
                namespaceSelector=None,
            ),
            {},
        ),
        (
            "3-old",
            entry(
                admissionReviewVersions=["v1beta1", "v1"],
                failurePolicy="Ignore",
                reinvocationPolicy="Never",
                timeoutSeconds=30,
            ),
            {},
        ),
        ("4-gone", entry(clientConfig=by_service("gone", NAMESPACE, caBundle=bundle)), {}),
        (
            "5-lonely",
            entry(clientConfig=lonely),
            {"annotations": filled_later},
        ),
        (
            "6-nonsense",
            entry(clientConfig={"url": "https://x.example.com", "caBundle": "eA=="}),
            {},
        ),
        ("7-elsewhere", entry(matchPolicy="Exact", rules=[custom, status]), {}),
        (
            "8-stranger",
            entry(clientConfig=served_by(good, stranger), namespaceSelector=ELSEWHERE),
            {},
        ),
    ]
    for name, webhook, metadata in planted:
        cluster.create(CONFIGURATIONS, configuration(webhook, name=name, metadata=metadata))


EXPECTED = {
    "2-by-default": {"WF601 warning", "WF602 error", "WF603 warning", "WF611 info"},
    "3-old": {"WF601 error", "WF606 warning", "WF607 info"},
    "4-gone": {"WF609 error"},
    "5-lonely": {"WF608 error", "WF609 warning", "WF612 info"},
    "6-nonsense": {"WF608 error"},
    "7-elsewhere": {"WF604 warning", "WF610 warning"},
    "8-stranger": {"WF602 error", "WF608 error"},
    "API server": {"WF613 info"},
}


@pytest.mark.usefixtures("_eight_webhooks")
async def test_eight_webhooks_have_exactly_the_findings_that_were_planted(
    plane: ControlPlane, good: ServiceAddress, authority: Authority, tmp_path: Path
) -> None:
    serving = authority.issue(good.dns_name).server_context()
    server = await asyncio.start_server(_hang_up, good.host, good.port, ssl=serving)
    async with server:
        ran = await run_cli(
            "lint", "--kubeconfig", plane.kubeconfig, "--format", "json", cwd=tmp_path
        )
    assert ran.code == Exit.FINDINGS, ran.err
    lint = json.loads(ran.out)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for finding in lint["findings"]:
        found[finding["subject"].partition("/")[0]].add(f"{finding['code']} {finding['severity']}")
    assert found == EXPECTED
    assert (lint["configurations"], lint["webhooks"], lint["complete"]) == (8, 8, True)


@pytest.mark.usefixtures("_eight_webhooks")
async def test_a_reader_of_configurations_sees_a_part_and_is_told(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    group = "rbac.authorization.k8s.io"
    cluster.create(
        f"/apis/{group}/v1/clusterroles",
        {
            "metadata": {"name": "readers"},
            "rules": [
                {
                    "apiGroups": ["admissionregistration.k8s.io"],
                    "resources": ["mutatingwebhookconfigurations"],
                    "verbs": ["list"],
                }
            ],
        },
    )
    cluster.create(
        f"/apis/{group}/v1/clusterrolebindings",
        {
            "metadata": {"name": "readers"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "readers"},
            "subjects": [{"apiGroup": group, "kind": "Group", "name": "readers"}],
        },
    )
    kubeconfig = tmp_path / "reader"
    plane.write_kubeconfig(kubeconfig, user=READER)
    arguments = ("lint", "--kubeconfig", kubeconfig, "--fail-on", "never")
    ran = await run_cli(*arguments, cwd=tmp_path)
    assert ran.code == Exit.INCOMPLETE, ran.err
    assert "not seen: services (GET /api/v1/namespaces/injector/services" in ran.out
    assert "There is no Service" not in ran.out


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
