"""Is a webhook of a real API server recorded by what `proxy install` makes, then as before?

The test needs to listen on port 443 of an address of loopback.
"""

import copy
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from command_lines import Ran, run_cli
from installed_proxies import SPACE, Kubelet, kubelet
from testbed.builds import API_032
from testbed.clusters import Cluster, administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from testbed.programs import Listening, serving
from testbed.registrations import (
    CONFIGURATIONS,
    build_pod,
    build_webhook,
    create_service,
    registered,
    wait_until_called,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.fuzzer.cluster.connections import Cluster as Api
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.proxy.deployment.installations import Installation, build_objects
from webhook_fuzz.proxy.deployment.places import path_of
from webhook_fuzz.proxy.interception.restoring import Result, Selection, restore

pytestmark = pytest.mark.real

NAME = "10-labels"
WEBHOOK = f"{NAME}/labels.example.com"
MARK = "testbed.example.com/injected"
SKIPPED: JsonObject = {"matchExpressions": [{"key": "labels/skip", "operator": "DoesNotExist"}]}
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    try:
        with socket.create_server(("127.64.0.1", 443)):
            pass
    except PermissionError:
        pytest.skip("port 443 of loopback may not be listened on by this user")
    options = ControlPlaneOptions(
        context="staging", controllers=("*",), disabled_admission_plugins=()
    )
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(programs, options=options) as plane:
        yield plane


@pytest.fixture(scope="module")
def cluster(
    plane: ControlPlane, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """With one webhook, which is called for every namespace that does not say otherwise."""
    cluster = administrator(plane)
    cluster.create_namespace("webhooks")
    address = create_service(cluster, "webhooks", "labels")
    listening = Listening(host=address.host, port=address.port, names=[address.dns_name])
    folder = tmp_path_factory.mktemp("labels")
    progress = past_capture(request.config)
    with serving(API_032, folder=folder, progress=progress, listening=listening) as running:
        config = address.client_config("/raw-patch", running.authority)
        webhook = build_webhook("labels.example.com", config, namespaceSelector=SKIPPED)
        with registered(cluster, NAME, webhook):
            wait_until(
                lambda: (
                    cluster.request(
                        "GET", "/api/v1/namespaces/default/serviceaccounts/default"
                    ).status
                    == 200
                ),
                what="the namespace can have pods",
            )
            wait_until_called(cluster, "default", marks=MARK)
            yield cluster


@pytest.fixture
def running(cluster: Cluster, tmp_path: Path) -> Iterator[Kubelet]:
    with kubelet(cluster, tmp_path) as found:
        yield found


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where backups go."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def backups(state: Path) -> list[Path]:
    """What is kept of configurations on this machine."""
    return list(state.rglob("*.json"))


async def run(plane: ControlPlane, folder: Path, *arguments: object) -> Ran:
    cluster = ("--context", "staging", "--kubeconfig", plane.kubeconfig)
    return await run_cli("proxy", *arguments, *cluster, cwd=folder)


def configuration(cluster: Cluster) -> JsonObject:
    """As it is, but for what changes with every write."""
    found = cast("dict[str, Any]", copy.deepcopy(cluster.get(f"{CONFIGURATIONS}/{NAME}")))
    for member in ("resourceVersion", "generation", "managedFields"):
        found["metadata"].pop(member, None)
    return found


def recorded_names(kubelet: Kubelet) -> set[str]:
    """The names of the pods in the recording."""
    found = iterate_recordings([kubelet.recording], on_damage=lambda _: None)
    requests = [object_at(each.exchange.review, "request", "object", "metadata") for each in found]
    return {text_at(each, "name") for each in requests}


async def test_it_is_recorded_for_a_while_and_then_everything_is_as_before(
    plane: ControlPlane, cluster: Cluster, running: Kubelet, tmp_path: Path, state: Path
) -> None:
    before = configuration(cluster)
    ran = await run(plane, tmp_path, "install", "--webhook", WEBHOOK, "--wait", "30s")
    assert ran.code == 0, ran.err + running.log
    assert "labels/skip=webhook-fuzz" in ran.err
    assert "2 of 2 proxies are ready" in ran.err
    service = cast("Any", configuration(cluster))["webhooks"][0]["clientConfig"]["service"]
    assert (service["namespace"], service["name"]) == ("webhook-fuzz", "webhook-fuzz-proxy")
    reply = cluster.dry_run(PODS, build_pod("through-the-proxy"))
    assert reply.status == 201
    assert MARK in str(reply.body)

    again = await run(plane, tmp_path, "install", "--webhook", WEBHOOK, "--ttl", "8d")
    assert again.code == 0, again.err
    assert cluster.dry_run(PODS, build_pod("once-more")).status == 201

    gone = await run(plane, tmp_path, "uninstall")
    assert gone.code == 0, gone.err
    assert configuration(cluster) == before
    for each in build_objects(Installation()):
        assert cluster.request("GET", path_of(each)).status == 404
    assert backups(state) == []
    assert running.process is not None
    running.process.terminate()
    assert running.process.wait(40) == 0, running.log
    assert {"through-the-proxy", "once-more"} <= recorded_names(running)


async def test_a_dry_run_prints_all_of_it_and_changes_nothing(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    before = configuration(cluster)
    ran = await run(plane, tmp_path, "install", "--webhook", WEBHOOK, "--dry-run")
    assert ran.code == 0, ran.err
    assert "kind: Deployment" in ran.out
    assert "/webhooks/0/clientConfig" in ran.out
    assert "PRIVATE KEY" not in ran.out
    assert configuration(cluster) == before
    assert cluster.request("GET", SPACE).status == 404


async def test_without_ready_proxies_nothing_is_re_pointed_and_uninstall_takes_it_away(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    before = configuration(cluster)
    ran = await run(plane, tmp_path, "install", "--webhook", WEBHOOK, "--wait", "3s")
    assert ran.code == 3
    assert "0 of 2 proxies are ready" in ran.err
    assert configuration(cluster) == before
    gone = await run(plane, tmp_path, "uninstall")
    assert gone.code == 0, gone.err
    assert cluster.request("GET", SPACE).status == 404


async def test_the_keeper_ends_it_at_its_time_with_no_other_rights_than_its_own(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    before = configuration(cluster)
    with kubelet(cluster, tmp_path, serves=False):
        ran = await run(plane, tmp_path, "install", "--webhook", WEBHOOK, "--ttl", "10m")
        assert ran.code == 0, ran.err
        async with keeper_of(plane, cluster, tmp_path) as api:
            now = datetime.now(UTC)
            expired = Selection(expired=True)
            assert await restore(api, expired, now=now) == ()
            assert configuration(cluster) != before
            (outcome,) = await restore(api, expired, now=now + timedelta(minutes=11))
        assert outcome.result is Result.RESTORED
        assert configuration(cluster) == before
        gone = await run(plane, tmp_path, "uninstall")
    assert gone.code == 0, gone.err
    assert cluster.request("GET", SPACE).status == 404


def keeper_of(plane: ControlPlane, cluster: Cluster, folder: Path) -> Api:
    """The API server as the keeper's pods see it."""
    path = f"{SPACE}/serviceaccounts/webhook-fuzz-keeper/token"
    request: JsonObject = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    token = cast("Any", cluster.create(path, {**request, "spec": {}}))["status"]["token"]
    kubeconfig = plane.write_kubeconfig(folder / "keeper", user=User(name="keeper", token=token))
    return Api(ClusterOptions(context="staging", kubeconfig=kubeconfig))
