import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from authorities import Authority
from proxies import Caller, children_of, get, recorded_uids, refuse, serve_webhook, until
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
from webhook_fuzz.proxy.certificates.clients import ClientAuthentication, parse_networks
from webhook_fuzz.proxy.certificates.given_certificates import GivenCertificates
from webhook_fuzz.proxy.certificates.own_certificates import Lifetimes, OwnCertificates
from webhook_fuzz.proxy.operations.listeners import Address
from webhook_fuzz.proxy.operations.plans import FixedRoutes, Hooks, ProxyPlan, Running, SinkPlan
from webhook_fuzz.proxy.operations.snapshots import Snapshot
from webhook_fuzz.proxy.operations.supervisors import run_proxy
from webhook_fuzz.proxy.operations.watching import WatchedRoutes
from webhook_fuzz.proxy.routes import RouteTable
from webhook_fuzz.proxy.routes_files import dump_routes, load_routes

LOOPBACK = Address(host="127.0.0.1", port=0)


@pytest.fixture
def own(tmp_path: Path) -> OwnCertificates:
    folder = tmp_path / "certificates"
    return OwnCertificates(folder, ["127.0.0.1"], lifetimes=Lifetimes(), now=time.time())


@pytest.fixture
def started() -> Callable[[], set[int]]:
    """The processes this test has started: others of this process belong to other tests."""
    before = children_of(os.getpid())
    return lambda: children_of(os.getpid()) - before


def plan(own: OwnCertificates, routes: RouteTable, recording: Path | None = None) -> ProxyPlan:
    sinks = []
    if recording is not None:
        sinks = [SinkPlan(name="recording", factory=RecordingSinkFactory(folder=recording))]
    return ProxyPlan(
        listen=(LOOPBACK,),
        routes=FixedRoutes(table=routes),
        certificates=own,
        sinks=tuple(sinks),
        admin=LOOPBACK,
        drain_seconds=5.0,
    )


async def run_during(
    wanted: ProxyPlan, during: Callable[[Running], AbstractAsyncContextManager[None]]
) -> Snapshot:
    """Run a proxy and stop it when the first half of `during` is over; its other half is left."""

    @asynccontextmanager
    async def around(running: Running) -> AsyncGenerator[None]:
        async with during(running):
            asyncio.get_running_loop().call_soon(running.stop)
            yield

    async with asyncio.timeout(30):
        return await run_proxy(wanted, Hooks(around=around))


async def test_two_workers_forward_and_everything_is_recorded(
    tmp_path: Path, own: OwnCertificates
) -> None:
    folder = tmp_path / "recording"

    @asynccontextmanager
    async def during(running: Running) -> AsyncGenerator[None]:
        async with Caller.open(running.addresses[0], own.ca_pem) as caller:
            statuses = await asyncio.gather(*(caller.call(f"u{n}") for n in range(50)))
            assert set(statuses) == {200}
            assert (await get(running.admin_address, "/healthz"))[0] == 200
            assert (await get(running.admin_address, "/readyz"))[0] == 200
            yield
            # Told to stop, and the cluster not put back yet: calls are still answered.
            assert await get(running.admin_address, "/readyz") == (503, "draining\n")
            assert (await get(running.admin_address, "/healthz"))[0] == 200
            assert await caller.call("late") == 200

    async with serve_webhook(tmp_path / "webhook") as webhook:
        wanted = replace(plan(own, webhook.routes(), folder), workers=2)
        last = await run_during(wanted, during)

    assert last.exchanges == 51
    assert (last.failures, last.dropped, last.workers_killed) == (0, 0, 0)
    assert last.total("records_written") == 51
    assert sorted(recorded_uids(folder)) == sorted(["late", *(f"u{n}" for n in range(50))])


async def test_a_worker_that_is_killed_is_started_again_and_its_counts_are_kept(
    tmp_path: Path, own: OwnCertificates, started: Callable[[], set[int]]
) -> None:
    @asynccontextmanager
    async def during(running: Running) -> AsyncGenerator[None]:
        async with Caller.open(running.addresses[0], own.ca_pem) as caller:
            assert await caller.call("before") == 200
            await until(lambda: running.snapshot().exchanges == 1)
            (worker,) = started()
            os.kill(worker, signal.SIGKILL)
        async with Caller.open(running.addresses[0], own.ca_pem) as caller:
            assert await caller.call("after") == 200  # waited for the next one
            await until(lambda: running.snapshot().exchanges == 2)
        await until(lambda: running.snapshot().ready)
        yield

    async with serve_webhook(tmp_path / "webhook") as webhook:
        last = await run_during(plan(own, webhook.routes()), during)

    assert last.worker_restarts == 1
    assert last.exchanges == 2


async def test_a_sink_that_is_killed_is_started_again_and_reviews_pass_meanwhile(
    tmp_path: Path, own: OwnCertificates, started: Callable[[], set[int]]
) -> None:
    folder = tmp_path / "recording"

    @asynccontextmanager
    async def during(running: Running) -> AsyncGenerator[None]:
        async with Caller.open(running.addresses[0], own.ca_pem) as caller:
            (sink,) = {pid for pid in started() if not _runs(pid, "workers")}
            os.kill(sink, signal.SIGKILL)
            assert await caller.call("meanwhile") == 200
            await until(lambda: not running.snapshot().ready)
            await until(lambda: running.snapshot().ready)
            assert await caller.call("after") == 200
        yield

    async with serve_webhook(tmp_path / "webhook") as webhook:
        last = await run_during(plan(own, webhook.routes(), folder), during)

    assert last.sink_restarts == {"recording": 1}
    uids = recorded_uids(folder)
    assert "after" in uids
    assert len(uids) + last.dropped == 2


async def test_no_peer_from_elsewhere_gets_anything_forwarded_or_recorded(
    tmp_path: Path, own: OwnCertificates
) -> None:
    folder = tmp_path / "recording"

    @asynccontextmanager
    async def during(running: Running) -> AsyncGenerator[None]:
        async with Caller.open(running.addresses[0], own.ca_pem) as caller:
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await caller.call("elsewhere")
            await until(lambda: running.snapshot().statistics.rejected_peers > 0)
        yield

    clients = ClientAuthentication(networks=parse_networks(["192.0.2.0/24"]))
    async with serve_webhook(tmp_path / "webhook") as webhook:
        wanted = replace(plan(own, webhook.routes(), folder), clients=clients)
        last = await run_during(wanted, during)
        assert webhook.uids == []

    assert last.exchanges == 0
    assert recorded_uids(folder) == []


async def test_no_peer_without_the_client_certificate_gets_anything_forwarded_or_recorded(
    tmp_path: Path, own: OwnCertificates
) -> None:
    folder, authority = tmp_path / "recording", Authority(tmp_path / "clients")

    @asynccontextmanager
    async def during(running: Running) -> AsyncGenerator[None]:
        address = running.addresses[0]
        async with Caller.open(address, own.ca_pem) as caller:
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await caller.call("unknown")
        async with Caller.open(address, own.ca_pem) as caller:
            shown = authority.issue("api-server")
            caller.tls.load_cert_chain(shown.cert_file, shown.key_file)
            assert await caller.call("known") == 200
        yield

    clients = ClientAuthentication(ca_pem=authority.ca_file.read_bytes())
    async with serve_webhook(tmp_path / "webhook") as webhook:
        wanted = replace(plan(own, webhook.routes(), folder), clients=clients)
        await run_during(wanted, during)
        assert webhook.uids == ["known"]

    assert recorded_uids(folder) == ["known"]


async def test_new_routes_and_a_new_certificate_reach_the_workers(
    tmp_path: Path, own: OwnCertificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_fuzz.proxy.operations.supervisors._REFRESH_SECONDS", 0.05)
    authority, file = Authority(tmp_path / "served"), tmp_path / "routes.yaml"
    served = authority.issue("127.0.0.1")
    ca = authority.ca_file.read_bytes()

    async with (
        serve_webhook(tmp_path / "one") as one,
        serve_webhook(tmp_path / "two") as two,
    ):

        @asynccontextmanager
        async def during(running: Running) -> AsyncGenerator[None]:
            async with _lenient(running, ca) as caller:
                assert await caller.call("first") == 200
            file.write_text("routes: [")
            await until(lambda: running.snapshot().routes_problem is not None)
            file.write_text(dump_routes(two.routes()))
            await until(lambda: running.snapshot().routes_problem is None)
            newer = authority.issue("127.0.0.1")
            served.key_file.write_bytes(newer.key_file.read_bytes())
            await until(lambda: running.snapshot().certificate_problem is not None)
            assert running.snapshot().ready
            served.cert_file.write_bytes(newer.cert_file.read_bytes())
            await until(lambda: running.snapshot().certificate_problem is None)
            async with _lenient(running, ca) as caller:
                assert await caller.call("second") == 200
            yield

        file.write_text(dump_routes(one.routes()))
        wanted = replace(
            plan(own, one.routes()),
            routes=WatchedRoutes(file, load_routes),
            certificates=GivenCertificates(served.cert_file, served.key_file),
        )
        await run_during(wanted, during)
        assert (one.uids, two.uids) == (["first"], ["second"])


async def test_what_fails_around_a_proxy_ends_it_in_order_and_is_raised(
    tmp_path: Path, own: OwnCertificates, started: Callable[[], set[int]]
) -> None:
    @asynccontextmanager
    async def during(running: Running) -> AsyncGenerator[None]:
        async with Caller.open(running.addresses[0], own.ca_pem) as caller:
            assert await caller.call("before") == 200
        if running.addresses:
            raise InputError("the cluster says no", hint="Ask it.")
        yield

    async with serve_webhook(tmp_path / "webhook") as webhook:
        folder = tmp_path / "recording"
        with pytest.raises(InputError, match="the cluster says no"):
            await run_during(plan(own, webhook.routes(), folder), during)

    assert recorded_uids(folder) == ["before"]
    assert started() == set()


async def test_a_sink_that_cannot_be_opened_is_said_and_nothing_is_left(
    tmp_path: Path, own: OwnCertificates, started: Callable[[], set[int]]
) -> None:
    wanted = replace(plan(own, RouteTable()), sinks=(SinkPlan(name="r", factory=refuse),))

    with pytest.raises(InputError, match="another version"):
        await run_proxy(wanted)
    assert started() == set()


async def test_a_second_interrupt_ends_everything_at_once(
    tmp_path: Path, own: OwnCertificates, started: Callable[[], set[int]]
) -> None:
    def slowly(running: Running) -> AbstractAsyncContextManager[None]:
        return _interrupted(running)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(run_proxy(plan(own, RouteTable()), Hooks(around=slowly)))
    assert started() == set()


@asynccontextmanager
async def _interrupted(_running: Running) -> AsyncGenerator[None]:
    loop = asyncio.get_running_loop()
    loop.call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    loop.call_later(0.10, os.kill, os.getpid(), signal.SIGINT)
    yield
    await asyncio.sleep(60)  # putting the cluster back takes its time


def _lenient(running: Running, ca: bytes) -> AbstractAsyncContextManager[Caller]:
    return Caller.open(running.addresses[0], ca)


def _runs(pid: int, module: str) -> bool:
    return module in Path(f"/proc/{pid}/cmdline").read_text()
