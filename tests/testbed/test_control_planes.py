"""Does the throw-away control plane do what its users count on?"""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kubernetes import client, config

from authorities import Authority
from testbed.clusters import Cluster, administrator, wait_until
from testbed.control_planes import (
    DEFAULT_MINORS,
    NEWEST,
    RELEASES,
    build_control_plane,
    minors_under_test,
)
from testbed.fixtures import past_capture, shared_control_plane
from testbed.registrations import (
    build_pod,
    build_webhook,
    create_service,
    in_namespaces,
    registered,
    wait_until_called,
)
from testbed.test_processes import ends
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.control_planes.options import (
    REQUEST_LEVEL_POLICY,
    ControlPlaneOptions,
    User,
)
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.fuzzer.control_planes.programs import find_programs

pytestmark = pytest.mark.real

READER = User(name="reader", token="of-the-reader", groups=("readers",))
GATE = "InPlacePodVerticalScalingExclusiveCPUs"
"""Alpha for several minors, so that switching it on shows."""
# Starts a control plane, says who holds it and where, and waits to be killed.
OWNER = """\
import sys, time
from pathlib import Path
from webhook_fuzz.fuzzer.control_planes.planes import control_plane
from webhook_fuzz.fuzzer.control_planes.programs import ControlPlanePrograms
program, folder = sys.argv[1:]
programs = ControlPlanePrograms(etcd=[program, "etcd"], apiserver=[program, "kube-apiserver"])
with control_plane(programs, folder=Path(folder)) as plane:
    print(plane.folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    options = ControlPlaneOptions(
        context="staging",
        users=(READER,),
        feature_gates={GATE: True},
        runtime_config={"api/all": True},
        disabled_admission_plugins=(),
        controllers=("*",),
        audit_policy=REQUEST_LEVEL_POLICY,
    )
    with control_plane(programs, options=options) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(plane: ControlPlane) -> Cluster:
    return administrator(plane)


@pytest.mark.parametrize("minor", minors_under_test(), ids=str)
def test_each_version_says_that_it_is_the_one_asked_for(
    request: pytest.FixtureRequest, minor: Minor
) -> None:
    assert shared_control_plane(request.config, minor).version == f"v{RELEASES[minor]}"


def test_the_official_client_works_with_the_kubeconfig(plane: ControlPlane) -> None:
    # Its modules are untyped.
    new_client: Any = getattr(config, "new_client_from_config")  # noqa: B009 - for the same reason
    api: Any = new_client(str(plane.kubeconfig), context="staging")
    try:
        found: Any = client.VersionApi(api).get_code()
        assert found.git_version == plane.version
    finally:
        api.close()


def test_a_user_may_do_what_rbac_says(plane: ControlPlane, cluster: Cluster) -> None:
    reader = Cluster(plane=plane, token=READER.token)
    assert reader.request("GET", "/api/v1/nodes").status == 403
    binding: JsonObject = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "readers"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "admin",
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers"}],
    }
    cluster.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    wait_until(
        lambda: reader.request("GET", "/api/v1/pods").status == 200, what="the reader may read"
    )


def test_controllers_give_every_namespace_a_service_account(cluster: Cluster) -> None:
    created = cluster.create("/api/v1/namespaces/default/pods", build_pod("with-a-token"))
    volumes = json.dumps(created["spec"])
    assert "kube-api-access-" in volumes


def test_gates_are_switched(cluster: Cluster) -> None:
    metrics = cluster.request("GET", "/metrics").message
    assert f'kubernetes_feature_enabled{{name="{GATE}",stage="ALPHA"}} 1' in metrics


def test_the_audit_log_holds_the_objects_that_were_sent(
    plane: ControlPlane, cluster: Cluster
) -> None:
    pods = "/api/v1/namespaces/default/pods"
    assert cluster.dry_run(pods, build_pod("audited")).status == 201
    events = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
    sent = [event["requestObject"] for event in events if event["verb"] == "create"]
    assert "audited" in [found["metadata"].get("name") for found in sent]


async def test_a_webhook_on_a_service_address_is_called_by_its_name(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    cluster = administrator(shared_control_plane(request.config))
    namespace = cluster.create_namespace("by-service")
    address = create_service(cluster, namespace, "refusing")
    authority = Authority(tmp_path)
    called: list[str] = []

    async def refuse(received: web.Request) -> web.Response:
        called.append(received.headers["Host"])
        review = await received.json()
        answer = {"uid": review["request"]["uid"], "allowed": False}
        return web.json_response({**review, "request": None, "response": answer})

    application = web.Application()
    application.router.add_post("/mutate", refuse)
    runner = web.AppRunner(application)
    await runner.setup()
    context: ssl.SSLContext = authority.issue(address.dns_name).server_context()
    await web.TCPSite(runner, address.host, address.port, ssl_context=context).start()
    try:
        webhook = build_webhook(
            "refusing.example.com",
            address.client_config("/mutate", authority.ca_file),
            namespaceSelector=in_namespaces(namespace),
        )
        await asyncio.to_thread(_create_until_refused, cluster, namespace, webhook)
    finally:
        await runner.cleanup()
    assert called[0] == f"{address.dns_name}:{address.port}"


def _create_until_refused(cluster: Cluster, namespace: str, webhook: JsonObject) -> None:
    with registered(cluster, "by-service", webhook):
        wait_until_called(cluster, namespace, marks="denied the request")


def test_the_programs_the_user_has_chosen_are_started(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build_control_plane(DEFAULT_MINORS[0], past_capture(request.config)).etcd[0]
    for name in ("etcd", "kube-apiserver"):
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\nexec "{built}" {name} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with control_plane(find_programs(environment=os.environ)) as plane:
        assert plane.version == f"v{RELEASES[DEFAULT_MINORS[0]]}"


def test_nothing_is_left_when_the_test_run_is_killed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    command = [sys.executable, "-c", OWNER, str(programs.etcd[0]), str(tmp_path)]
    with subprocess.Popen(  # noqa: S603 - this Python
        command, stdout=subprocess.PIPE, start_new_session=True
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().decode().strip())
        pids = _processes_of(folder)
        assert len(pids) == 3  # the leash, etcd, kube-apiserver
        os.killpg(owner.pid, signal.SIGKILL)
    assert all(ends(pid) for pid in pids)
    wait_until(lambda: not folder.exists(), what="the folder is removed")


def _processes_of(folder: Path) -> list[int]:
    """The processes that name the folder on their command line."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder) in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:  # it ended just now
            continue
    return found
