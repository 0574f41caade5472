"""Is nothing lost, altered or kept for ever, in long runs, restarts, stops and crashes?

`EXCHANGES` (5,000) makes the run longer, `CONTAINERS` (18, which is 7 kB) the reviews smaller.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from admission_loads import Account, Caller, Load, digesting_webhook, family, memory_of_family
from authorities import Authority
from digesting_webhook import digest
from hostile_servers import closed_port
from proxied import RunningProxy, running_proxy
from webhook_fuzz.corpora.exchanges import Answered, WebhookIdentity
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.recordings.reading import Damage, iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream

pytestmark = pytest.mark.real

EXCHANGES: Final = int(os.environ.get("EXCHANGES", "5000"))
CONTAINERS: Final = int(os.environ.get("CONTAINERS", "18"))
PER_SECOND: Final = float(os.environ.get("PER_SECOND", "500"))
RESTARTS: Final = 10
NAME: Final = "webhook.shop.svc"
KILLS: Final = (0.7, 0.31, 1.13, 0.05, 0.9)
"""Seconds between them: before a flush, while one is written, at once after a start."""
ROTATING: Final = ("--rotate-size", "64KiB")


class Stage:
    """A webhook, and the addresses and certificates of everything around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder / "authority")
        self.credential = self.authority.issue(NAME)
        self.webhook = ("127.0.0.1", closed_port())
        self.listen = ("127.0.0.1", closed_port())

    def routes(self) -> RouteTable:
        identity = WebhookIdentity(
            configuration="shop", name="mutate", url=f"https://{NAME}/mutate"
        )
        host, port = self.webhook
        upstream = Upstream(
            webhook=identity,
            host=host,
            port=port,
            server_name=NAME,
            ca_pem=self.authority.ca_file.read_bytes(),
        )
        return RouteTable.of([Route(upstream=upstream)])

    def caller(self, load: Load) -> Caller:
        return Caller(load, address=self.listen, name=NAME, ca_file=self.authority.ca_file)


def compare(account: Account, recorded: Iterable[RecordedExchange]) -> dict[str, int]:
    """How many calls are not in the recording, twice in it, or other than they were seen."""
    missing, wrong, twice = dict(account.answers), 0, 0
    for each in recorded:
        request = object_at(each.exchange.review, "request")
        uid = text_at(request, "uid")
        if uid not in missing:
            twice += 1
            continue
        answer = missing.pop(uid)
        number = str(int(uid.partition("-")[0], 16))
        pod = object_at(request, "object")
        outcome = each.exchange.outcome
        if object_at(object_at(pod, "metadata"), "labels").get("number") != number or (
            answer is not None
            and not (isinstance(outcome, Answered) and digest(outcome.body) == answer)
        ):
            wrong += 1
    unanswered = sum(answer is None for answer in missing.values())
    lost = len(missing) - unanswered
    return {"lost": lost, "lost failures": unanswered, "twice": twice, "wrong": wrong}


async def test_nothing_is_lost_or_altered_while_segments_rotate_and_the_webhook_restarts(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    load = Load(exchanges=EXCHANGES, per_second=PER_SECOND, containers=CONTAINERS)
    async with digesting_webhook(*stage.webhook, stage.credential) as webhook:
        with running_proxy(
            stage.routes(),
            folder=tmp_path / "proxy",
            address=stage.listen,
            credential=stage.credential,
            options=ROTATING,
        ) as proxy:
            caller = stage.caller(load)
            running = asyncio.create_task(caller.run())
            memory: list[float] = []
            for step in range(1, RESTARTS + 1):
                await caller.reached(EXCHANGES * step // (RESTARTS + 1))
                memory.append(memory_of_family(proxy.process.pid))
                await webhook.restart()
            await running
            memory.append(memory_of_family(proxy.process.pid))
            assert await asyncio.to_thread(proxy.stop) == 0
    account = caller.account
    assert account.altered == []
    assert account.answered > EXCHANGES * 0.4
    found = compare(account, proxy.recorded())
    assert found == {"lost": 0, "lost failures": 0, "twice": 0, "wrong": 0}
    assert len(list(proxy.recording.iterdir())) > 1
    print(f"MiB after each tenth: {[round(each) for each in memory]}")  # noqa: T201 - shown by -s
    assert memory[-1] < memory[len(memory) // 2] + 32


async def test_a_stop_under_load_loses_no_call_that_was_answered(tmp_path: Path) -> None:
    account, proxy = await _interrupted(tmp_path, signal.SIGTERM)
    assert account.answered > 0
    assert account.altered == []
    found = compare(account, proxy.recorded())
    assert (found["lost"], found["twice"], found["wrong"]) == (0, 0, 0)


async def test_a_kill_under_load_loses_only_the_end(tmp_path: Path) -> None:
    account, proxy = await _interrupted(tmp_path, signal.SIGKILL)
    found = {each.exchange.review["request"]["uid"] for each in proxy.readable()}  # type: ignore[index,call-overload]
    answered = [uid for uid, answer in account.answers.items() if answer is not None]
    lost = [uid for uid in answered if uid not in found]
    assert found
    assert len(lost) < PER_SECOND * 3
    assert set(lost) <= set(answered[-int(PER_SECOND * 3) :])


async def test_a_recorder_that_is_killed_costs_records_and_no_call(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    load = Load(exchanges=10**9, per_second=PER_SECOND)
    async with digesting_webhook(*stage.webhook, stage.credential):
        with running_proxy(
            stage.routes(),
            folder=tmp_path / "proxy",
            address=stage.listen,
            credential=stage.credential,
            options=ROTATING,
        ) as proxy:
            caller = stage.caller(load)
            running = asyncio.create_task(caller.run())
            for moment in KILLS:
                await asyncio.sleep(moment)
                os.kill(await _recorder_of(proxy), signal.SIGKILL)
            await _recorder_of(proxy)
            await asyncio.sleep(1)
            caller.stopped.set()
            await running
            assert await asyncio.to_thread(proxy.stop) == 0
    account = caller.account
    assert account.altered == []
    assert account.answered == len(account.answers)  # not one call failed
    damages = list[Damage]()
    recorded = [*iterate_recordings([proxy.recording], on_damage=damages.append)]
    found = compare(account, recorded)
    assert (found["twice"], found["wrong"]) == (0, 0)
    # What it held, and what waited while nobody took it, at the most.
    assert found["lost"] < PER_SECOND * 2 * len(KILLS)
    assert all("cut off" in damage.what for damage in damages)
    last = [each.exchange.review["request"]["uid"] for each in recorded]  # type: ignore[index,call-overload]
    assert [*account.answers][-1] in last


async def _recorder_of(proxy: RunningProxy) -> int:
    """The process that writes, as soon as there is one."""
    while True:
        for pid in family(proxy.process.pid):
            with contextlib.suppress(OSError):
                if "sink_programs" in _command_line(pid):
                    return pid
        await asyncio.sleep(0.02)


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def _interrupted(folder: Path, number: signal.Signals) -> tuple[Account, RunningProxy]:
    stage = Stage(folder)
    load = Load(exchanges=10**9, per_second=PER_SECOND)
    async with digesting_webhook(*stage.webhook, stage.credential):
        with running_proxy(
            stage.routes(),
            folder=folder / "proxy",
            address=stage.listen,
            credential=stage.credential,
            options=ROTATING,
        ) as proxy:
            caller = stage.caller(load)
            running = asyncio.create_task(caller.run())
            await asyncio.sleep(5)
            if number == signal.SIGKILL:
                proxy.kill_family()
            else:
                assert await asyncio.to_thread(proxy.stop) == 0
            caller.stopped.set()
            await running
    return caller.account, proxy
