"""How do several workers keep forwarding, whatever happens to one of them?

A worker that ends is started again: at once if it had been running well, and later and later if it
has not. Meanwhile its connections wait in its socket for the next one; where the next one is not
started at once, the socket is closed, so that callers go to other workers, or fail quickly, which
is better for a cluster than a call that hangs until its timeout.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.errors import WebhookFuzzError
from webhook_fuzz.proxy.forwarding.statistics import Statistics
from webhook_fuzz.proxy.operations.listeners import Listeners
from webhook_fuzz.proxy.operations.logs import LOGGER
from webhook_fuzz.proxy.operations.messages import (
    Configuration,
    Drain,
    FeedNumbers,
    Report,
    ToWorker,
)
from webhook_fuzz.proxy.operations.worker_processes import WorkerProcess
from webhook_fuzz.proxy.operations.workers import HAND_OVER_SECONDS

_SILENT_SECONDS = 5.0
"""A worker reports once a second; one that was not heard for so long does not answer."""
_HANGING_SECONDS = 30.0
"""After so long it is ended: its connections are worth more in the next one."""
_WELL_SECONDS = 10.0
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 15.0
_END_SECONDS = 5.0
"""How long a worker that has drained may take to end."""


@dataclass(slots=True)
class _Slot:
    """One worker's place; `quick_ends` is how often in a row it did not run for long."""

    number: int
    worker: WorkerProcess
    quick_ends: int = 0
    keeping: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Retired:
    """What workers did that are no more."""

    statistics: Statistics
    feeds: dict[str, FeedNumbers] = field(default_factory=dict[str, FeedNumbers])

    def add(self, report: Report | None) -> None:
        """Keep the counts of one; what it had open, or under way, is gone."""
        if report is None:
            return
        webhooks = tuple(replace(each, in_flight=0) for each in report.statistics.webhooks)
        self.statistics += replace(report.statistics, webhooks=webhooks, connections=0)
        for name, numbers in report.feeds.items():
            gone = replace(numbers, queued_bytes=0)
            self.feeds[name] = self.feeds.get(name, FeedNumbers()) + gone


class WorkerPool:
    """So many workers on `listeners`; `configure` says with what each is started."""

    def __init__(self, listeners: Listeners, configure: Callable[[], Configuration]) -> None:
        self._listeners, self._configure = listeners, configure
        self._slots: list[_Slot] = []
        self._retired = _Retired(Statistics())
        self._is_ending = False
        self.restarts = 0
        self.killed = 0

    async def start(self, workers: int) -> None:
        """Start them all, and wait until they listen. Raises what keeps one from it."""
        for number in range(workers):
            self._slots.append(_Slot(number, await self._spawn(number)))
        await asyncio.gather(*(slot.worker.wait_until_listening() for slot in self._slots))
        for slot in self._slots:
            slot.keeping = asyncio.create_task(self._keep(slot))

    def broadcast(self, message: ToWorker) -> None:
        """Tell all of them."""
        for slot in self._slots:
            slot.worker.send(message)

    def statistics(self) -> Statistics:
        """What all did, also those that are no more."""
        total = self._retired.statistics
        for slot in self._slots:
            if slot.worker.report is not None:
                total += slot.worker.report.statistics
        return total

    def feeds(self) -> Mapping[str, FeedNumbers]:
        """What all handed over, by sink."""
        total = dict(self._retired.feeds)
        reports = (slot.worker.report for slot in self._slots)
        for report in reports:
            if report is not None:
                for name, numbers in report.feeds.items():
                    total[name] = total.get(name, FeedNumbers()) + numbers
        return total

    @property
    def listening(self) -> int:
        """How many take connections now."""
        return sum(slot.worker.is_listening for slot in self._slots)

    @property
    def answering(self) -> bool:
        """Whether all were heard lately."""
        oldest = time.monotonic() - _SILENT_SECONDS
        return all(slot.worker.heard_at > oldest for slot in self._slots)

    async def drain(self, seconds: float) -> None:
        """Finish what is under way, then end; whoever does not is ended, and counted as killed."""
        self._is_ending = True
        self.broadcast(Drain(seconds=seconds))
        self._listeners.close()
        await self._end_within(seconds + HAND_OVER_SECONDS + _END_SECONDS)

    async def kill(self) -> None:
        """End at once whoever is still there."""
        self._is_ending = True
        self._listeners.close()
        for slot in self._slots:
            slot.worker.kill()
        await self._end_within(_END_SECONDS)

    async def _end_within(self, seconds: float) -> None:
        for slot in self._slots:
            if slot.keeping is not None:
                slot.keeping.cancel()
        ends = {asyncio.create_task(slot.worker.wait()): slot for slot in self._slots}
        if not ends:
            return
        _, late = await asyncio.wait(ends, timeout=seconds)
        for end in late:
            self.killed += 1
            ends[end].worker.kill()
        await asyncio.gather(*ends)

    async def _spawn(self, number: int) -> WorkerProcess:
        return await WorkerProcess.spawn(self._configure(), self._listeners.of(number))

    async def _keep(self, slot: _Slot) -> None:
        """Start the worker again whenever it has ended, until all are to end."""
        while not self._is_ending:
            status = await self._wait_or_kill(slot.worker)
            self._retire(slot, status)
            delay = self._delay(slot)
            if delay:
                self._listeners.release(slot.number)
                await asyncio.sleep(delay)
            with suppress(WebhookFuzzError):  # said by the next round, which finds the old one
                self._listeners.acquire(slot.number)
                slot.worker = await self._spawn(slot.number)

    async def _wait_or_kill(self, worker: WorkerProcess) -> int:
        """Its exit status; one that says nothing any more is ended first."""
        ending = asyncio.create_task(worker.wait())
        try:
            while not ending.done():
                await asyncio.wait({ending}, timeout=1.0)
                if time.monotonic() - worker.heard_at > _HANGING_SECONDS:
                    worker.kill()
            return ending.result()
        finally:
            ending.cancel()

    def _retire(self, slot: _Slot, status: int) -> None:
        lived = time.monotonic() - slot.worker.started_at
        slot.quick_ends = 0 if lived > _WELL_SECONDS else slot.quick_ends + 1
        self._retired.add(slot.worker.report)
        slot.worker.report = None
        self.restarts += 1
        LOGGER.error(
            "worker %d ended with status %d after %.0f s: starting another",
            slot.worker.pid,
            status,
            lived,
            extra={"fields": {"worker": slot.worker.pid, "status": status}},
        )

    def _delay(self, slot: _Slot) -> float:
        if slot.quick_ends <= 1:
            return 0.0
        return float(min(_FIRST_DELAY * 2 ** (slot.quick_ends - 2), _LONGEST_DELAY))
