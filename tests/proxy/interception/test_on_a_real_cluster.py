"""Does a real API server call the proxy inside, nobody but the webhook outside, and fail nothing?

Webhooks have the policy Fail: a single call that goes nowhere is a pod that is refused. Pods are
made, as dry runs, all the time while webhooks are pointed at the proxy and away from it again.
"""

import asyncio
import contextlib
import copy
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from authorities import Authority
from command_lines import run_cli
from intercepted import files
from served_webhooks import serve_at
from testbed.clusters import Cluster, administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from testbed.registrations import (
    CONFIGURATIONS,
    ServiceAddress,
    build_pod,
    build_webhook,
    create_service,
    in_namespaces,
    registered,
    url_client_config,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.fuzzer.cli.interception_probes import PodProbes
from webhook_fuzz.fuzzer.cli.proxy_interception import refuse_own_namespace
from webhook_fuzz.fuzzer.cluster.connections import Cluster as Api
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.fuzzer.specimens.programs import Answer
from webhook_fuzz.proxy.forwarding.servers import ForwardingServer
from webhook_fuzz.proxy.interception.interceptions import Prepared
from webhook_fuzz.proxy.interception.options import InterceptionOptions, Target, parse_url_target
from webhook_fuzz.proxy.interception.preparing import prepare_interception
from webhook_fuzz.proxy.routes import RouteTable

pytestmark = pytest.mark.real

NAME, BY_SERVICE, BY_URL = "10-both", "service.example.com", "url.example.com"
BOTH = (f"{NAME}/{BY_SERVICE}", f"{NAME}/{BY_URL}")
NAMESPACE = "called"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(programs, options=ControlPlaneOptions(context="staging")) as plane:
        yield plane


@pytest.fixture(scope="module")
def cluster(plane: ControlPlane) -> Cluster:
    cluster = administrator(plane)
    for name in ("webhooks", "fuzz", NAMESPACE):
        cluster.create_namespace(name)
    return cluster


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """Two webhooks; `called` counts the reviews each got, by whoever sent them."""

    cluster: Cluster
    folder: Path
    called: Counter[str] = field(default_factory=Counter[str])

    def answer(self, name: str, review: JsonObject) -> Answer:
        self.called[name] += 1
        response: JsonObject = {"uid": object_at(review, "request").get("uid"), "allowed": True}
        body: JsonObject = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": response,
        }
        return Answer(body=orjson.dumps(body))

    def configuration(self) -> JsonObject:
        """As it is, but for what changes with every write."""
        path = f"{CONFIGURATIONS}/{NAME}"
        found = cast("dict[str, Any]", copy.deepcopy(self.cluster.get(path)))
        for member in ("resourceVersion", "generation", "managedFields"):
            found["metadata"].pop(member, None)
        return found

    def paths(self) -> list[str]:
        """Where the API server is to call."""
        found: Any = self.configuration()
        configs = [each["clientConfig"] for each in found["webhooks"]]
        return [
            text_at(object_at(each, "service"), "path") or text_at(each, "url") for each in configs
        ]


@pytest.fixture
async def webhooks(cluster: Cluster, tmp_path: Path) -> AsyncGenerator[Webhooks]:
    """One by Service, one by URL, both called for every pod of a namespace, and alive."""
    found = Webhooks(cluster=cluster, folder=tmp_path)
    authority = Authority(tmp_path / "webhooks")
    address = await asyncio.to_thread(
        create_service, cluster, "webhooks", f"w{os.urandom(4).hex()}"
    )
    async with (
        serve_at(
            address.host,
            address.port,
            lambda review: found.answer(BY_SERVICE, review),
            authority=authority,
            names=(address.dns_name,),
        ),
        serve_at(
            "127.0.0.1",
            0,
            lambda review: found.answer(BY_URL, review),
            authority=authority,
            names=("127.0.0.1",),
        ) as port,
    ):
        selected = in_namespaces(NAMESPACE)
        registration = [
            build_webhook(
                BY_SERVICE,
                address.client_config("/mutate", authority.ca_file),
                namespaceSelector=selected,
            ),
            build_webhook(
                BY_URL,
                url_client_config(f"https://127.0.0.1:{port}/Mutate_Pods", authority.ca_file),
                namespaceSelector=selected,
                timeoutSeconds=5,
            ),
        ]
        with registered(cluster, NAME, *registration):
            await asyncio.to_thread(
                wait_until,
                lambda: create(cluster) == 201 and len(found.called) == 2,
                what="both webhooks are called",
            )
            yield found
    # The API server says farewell to the connections it kept, before the loop is closed.
    await asyncio.sleep(0.2)


def create(cluster: Cluster) -> int:
    """The status of a pod that is created as a dry run."""
    return cluster.dry_run(PODS, build_pod("probe")).status


@dataclass(slots=True)
class Creating:
    """Creates pods until it is stopped; `refused` are the answers that were none."""

    cluster: Cluster
    made: int = 0
    refused: list[str] = field(default_factory=list[str])

    @contextlib.asynccontextmanager
    async def all_the_time(self) -> AsyncGenerator[None]:
        stopped = asyncio.Event()

        async def work() -> None:
            while not stopped.is_set():
                reply = await asyncio.to_thread(self.cluster.dry_run, PODS, build_pod("probe"))
                self.made += 1
                if reply.status != 201:
                    self.refused.append(reply.message)

        workers = [asyncio.create_task(work()) for _ in range(2)]
        try:
            yield
        finally:
            stopped.set()
            await asyncio.gather(*workers)


@contextlib.asynccontextmanager
async def proxied(
    prepared: Prepared, host: str, port: int, credential: Authority
) -> AsyncGenerator[ForwardingServer]:
    server = ForwardingServer(routes=RouteTable.of(prepared.routes), observers=())
    context = credential.issue(*prepared.names).server_context()
    await server.start([socket.create_server((host, port))], context, admits=lambda _: True)
    try:
        yield server
    finally:
        await server.drain(1.0)


def exchanges(server: ForwardingServer) -> Mapping[str, int]:
    return {
        f"{each.webhook.configuration}/{each.webhook.name}": each.exchanges
        for each in server.statistics().webhooks
    }


async def prepare(
    plane: ControlPlane, stack: contextlib.AsyncExitStack, options: InterceptionOptions
) -> Prepared:
    """As the command does."""
    login = ClusterOptions(kubeconfig=plane.kubeconfig)
    api = await stack.enter_async_context(Api(login))
    probes = PodProbes(api, login, stack)
    prepared = await prepare_interception(api, options, find_probes=probes.find)
    webhooks = [each.webhook for each in prepared.chosen]
    if options.target.service is not None:
        assert not await refuse_own_namespace(api, webhooks, options.target.service)
    return prepared


@pytest.fixture(params=["service", "url"])
async def target(request: pytest.FixtureRequest, cluster: Cluster) -> tuple[Target, str, int]:
    """Where the proxy is to listen."""
    if request.param == "service":
        name = f"proxy{os.urandom(4).hex()}"
        address: ServiceAddress = await asyncio.to_thread(create_service, cluster, "fuzz", name)
        service = ServiceReference(namespace="fuzz", name=name, port=address.port)
        return Target(service=service), address.host, address.port
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    return parse_url_target(f"https://127.0.0.1:{port}"), "127.0.0.1", port


async def test_every_call_goes_through_the_proxy_inside_and_none_fails_on_the_way(
    plane: ControlPlane,
    webhooks: Webhooks,
    target: tuple[Target, str, int],
    tmp_path: Path,
) -> None:
    where, host, port = target
    before = webhooks.configuration()
    authority = Authority(tmp_path / "proxy")
    creating = Creating(webhooks.cluster)
    backups = tmp_path / "backups"
    options = InterceptionOptions(
        target=where, webhooks=BOTH, server=plane.url, backup_folder=backups
    )
    async with contextlib.AsyncExitStack() as stack:
        prepared = await prepare(plane, stack, options)
        async with proxied(prepared, host, port, authority) as server:
            async with creating.all_the_time():
                await asyncio.sleep(0.3)
                async with prepared.active(
                    authority.ca_file.read_bytes(), seen=lambda: exchanges(server)
                ):
                    assert all("/webhook-fuzz/" in path for path in webhooks.paths())
                    await asyncio.sleep(2)
            through = _by_name(exchanges(server))
            after_it = Counter(webhooks.called)
            assert min(through.values()) > 20
            assert webhooks.configuration() == before
            # And afterwards the other way round.
            for _ in range(20):
                assert await asyncio.to_thread(create, webhooks.cluster) == 201
            assert _by_name(exchanges(server)) == through
            assert webhooks.called[BY_URL] == after_it[BY_URL] + 20
    assert creating.made > 50
    assert creating.refused == []
    assert files(backups) == []


async def test_no_call_reaches_the_old_address_once_it_is_active(
    plane: ControlPlane,
    webhooks: Webhooks,
    target: tuple[Target, str, int],
    tmp_path: Path,
) -> None:
    where, host, port = target
    authority = Authority(tmp_path / "proxy")
    options = InterceptionOptions(
        target=where, webhooks=BOTH, server=plane.url, backup_folder=tmp_path / "backups"
    )
    async with contextlib.AsyncExitStack() as stack:
        prepared = await prepare(plane, stack, options)
        server = await stack.enter_async_context(proxied(prepared, host, port, authority))
        ca_pem = authority.ca_file.read_bytes()
        async with prepared.active(ca_pem, seen=lambda: exchanges(server)):
            called, through = Counter(webhooks.called), _by_name(exchanges(server))
            for _ in range(50):
                assert await asyncio.to_thread(create, webhooks.cluster) == 201
            now_called, now_through = Counter(webhooks.called), _by_name(exchanges(server))
            assert now_called - called == now_through - through == {BY_SERVICE: 50, BY_URL: 50}


def _by_name(counts: Mapping[str, int]) -> Counter[str]:
    return Counter({name.partition("/")[2]: count for name, count in counts.items()})


async def test_after_kill_9_the_next_command_finds_and_restores_everything(
    plane: ControlPlane, webhooks: Webhooks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = webhooks.configuration()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    cluster = ("--context", "staging", "--kubeconfig", plane.kubeconfig)
    command = (
        *("-m", "webhook_fuzz", "proxy", *cluster, "--webhook", BOTH[0], "--webhook", BOTH[1]),
        *("--advertise", f"https://127.0.0.1:{port}", "--listen", f"127.0.0.1:{port}", "--judge"),
        *("--findings", tmp_path / "findings"),
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *map(str, command),
            stdout=output,
            stderr=output,
            cwd=tmp_path,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(60):
            while "intercepted: " not in log.read_text():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.1)
        assert await asyncio.to_thread(create, webhooks.cluster) == 201
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    assert webhooks.configuration() != before
    assert await asyncio.to_thread(create, webhooks.cluster) == 500
    ran = await run_cli("restore", *cluster, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [f"{name}: restored" for name in BOTH]
    assert webhooks.configuration() == before
    assert files(tmp_path / "state" / "webhook-fuzz" / "interceptions") == []
    await asyncio.to_thread(
        wait_until, lambda: create(webhooks.cluster) == 201, what="pods can be made again"
    )


async def test_a_stopped_proxy_leaves_everything_as_it_was(
    plane: ControlPlane, webhooks: Webhooks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM, with pods being made all the time."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = webhooks.configuration()
    creating = Creating(webhooks.cluster)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = (
        *("-m", "webhook_fuzz", "proxy", "--context", "staging", "--kubeconfig", plane.kubeconfig),
        *("--all", "--advertise", f"https://127.0.0.1:{port}", "--listen", f"127.0.0.1:{port}"),
        *("--recording", tmp_path / "recording", "--judge", "--shadow"),
    )
    log = tmp_path / "log"
    async with creating.all_the_time():
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *map(str, command), stdout=output, stderr=output, cwd=tmp_path
            )
        async with asyncio.timeout(60):
            while "intercepted: " not in log.read_text():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.1)
        assert webhooks.configuration() != before
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert webhooks.configuration() == before
    assert creating.refused == []
    assert files(tmp_path / "state" / "webhook-fuzz" / "interceptions") == []
    # What the configurations declare (sideEffects: None) is what allows copies.
    for name in ("judged", "shadow"):
        found = orjson.loads((tmp_path / "recording" / f"{name}-findings.json").read_bytes())
        assert NAME in str(found["webhooks"])
