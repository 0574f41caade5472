"""How do the sinks keep working, whatever happens to one of them?

A sink whose process ends is started again, later and later if it does not last; meanwhile what is
meant for it waits in the workers' feeds, and is dropped and counted where they are full. Reviews
pass in any case. The counts of a process that is gone are added to those of the next one.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from webhook_fuzz.corpora.errors import WebhookFuzzError
from webhook_fuzz.corpora.recordings.sinks import Count
from webhook_fuzz.proxy.operations.logs import LOGGER, LogFormat, LoggedSinkFactory
from webhook_fuzz.proxy.operations.plans import SinkPlan
from webhook_fuzz.proxy.recorder.sink_processes import SinkProcess

_WELL_SECONDS = 10.0
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
_POLL_SECONDS = 0.5


@dataclass(slots=True)
class _Slot:
    """One sink's place.

    `is_working` says that its process is there; `retired` are the counts of those before it.
    """

    plan: SinkPlan
    process: SinkProcess
    is_working: bool = False
    restarts: int = 0
    retired: list[Count] = field(default_factory=list[Count])
    last: Sequence[Count] | None = None
    keeping: asyncio.Task[None] | None = None


class SinkPool:
    """The sinks of a plan, with their sockets in `folder`."""

    def __init__(self, plans: Sequence[SinkPlan], folder: Path, *, log_format: LogFormat) -> None:
        self._folder, self._log_format = folder, log_format
        self._slots = [_Slot(plan, self._build(plan)) for plan in plans]

    @property
    def addresses(self) -> Mapping[str, Path]:
        """Where feeds connect to, by the name of the sink."""
        return {slot.plan.name: slot.process.address for slot in self._slots}

    @property
    def working(self) -> bool:
        """Whether all sinks are there."""
        return all(slot.is_working for slot in self._slots)

    @property
    def restarts(self) -> Mapping[str, int]:
        """How often each was started again."""
        return {slot.plan.name: slot.restarts for slot in self._slots}

    def counts(self) -> Mapping[str, Sequence[Count]]:
        """What all of them counted since the proxy began."""
        return {slot.plan.name: _sum(slot) for slot in self._slots}

    async def start(self) -> None:
        """Start them all. Raises InputError where one cannot be opened."""
        starting = [self._start(slot) for slot in self._slots]
        # All have started or failed before anything is raised: `stop` then finds whoever is there.
        for ended in await asyncio.gather(*starting, return_exceptions=True):
            if ended is not None:
                raise ended
        for slot in self._slots:
            slot.keeping = asyncio.create_task(self._keep(slot))

    async def stop(self, *, seconds: float) -> None:
        """Let each work off what it has been handed, within `seconds`, and end."""
        for slot in self._slots:
            if slot.keeping is not None:
                slot.keeping.cancel()
        await asyncio.gather(*(self._stop(slot, seconds) for slot in self._slots))

    async def _stop(self, slot: _Slot, seconds: float) -> None:
        if slot.is_working:
            slot.last = await slot.process.stop(seconds=seconds)
            slot.is_working = False

    def _build(self, plan: SinkPlan) -> SinkProcess:
        factory = LoggedSinkFactory(factory=plan.factory, form=self._log_format)
        return SinkProcess(plan.name, factory, folder=self._folder)

    async def _start(self, slot: _Slot) -> None:
        await slot.process.start()
        slot.is_working = True

    async def _keep(self, slot: _Slot) -> None:
        delay = 0.0
        while True:
            started_at = time.monotonic()
            while slot.process.is_running:  # noqa: ASYNC110 - its end is the kernel's to tell
                await asyncio.sleep(_POLL_SECONDS)
            slot.is_working = False
            slot.restarts += 1
            slot.retired = [*_sum(slot)]
            LOGGER.error("the sink %s ended: starting it again", slot.plan.name)
            lived = time.monotonic() - started_at
            delay = (
                0.0 if lived > _WELL_SECONDS else min(max(_FIRST_DELAY, delay * 2), _LONGEST_DELAY)
            )
            await asyncio.sleep(delay)
            slot.process = self._build(slot.plan)
            try:
                await self._start(slot)
            except WebhookFuzzError as error:
                LOGGER.error("the sink %s cannot be started: %s", slot.plan.name, error.message)


def _sum(slot: _Slot) -> Sequence[Count]:
    """The newest counts, and those of processes that are gone; gauges are only the newest."""
    newest = slot.process.counts() if slot.last is None else slot.last
    gone = {_key(count): count.value for count in slot.retired if not count.is_gauge}
    found = [replace(each, value=each.value + gone.pop(_key(each), 0)) for each in newest]
    left = (count for count in slot.retired if _key(count) in gone)
    return [*found, *left]


def _key(count: Count) -> tuple[str, tuple[tuple[str, str], ...]]:
    return count.name, tuple(sorted(count.labels.items()))
