"""How does a copy get to its webhook while the next exchanges are looked at?

In a thread with an event loop of its own: whoever hands over a copy does not wait for it. What came
back lies in a queue until it is asked for, so that all judging is done by one thread.
"""

import asyncio
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from webhook_fuzz.corpora.errors import WebhookFuzzError
from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.recorded.shadow_targets import ShadowTarget, ShadowTransport

MOST_PATHS: Final = 8
"""Connections kept to one webhook: it has one path, or a few."""

_FRESH_SECONDS = 600.0
"""A connection is made anew after this: certificates are renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A review to be sent, and what it tries."""

    target: ShadowTarget
    path: str
    headers: dict[str, str] = field(repr=False)
    case: Case
    review: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How the call ended; `error` says why none was made."""

    copy: Copy
    exchange: Exchange | None
    error: str = ""


@dataclass(slots=True)
class _Open:
    transport: ShadowTransport
    since: float


class ShadowSender:
    """Sends copies in the background."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._open: dict[tuple[ShadowTarget, str], _Open] = {}
        self._ended: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        self._under_way: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="shadow-sender", daemon=True)
        self._thread.start()

    def send(self, one: Copy) -> None:
        """Send it; returns at once."""
        self._loop.call_soon_threadsafe(self._begin, one)

    def ended(self) -> list[Sent]:
        """The calls that have ended since this was asked the last time."""
        found: list[Sent] = []
        while not self._ended.empty():
            found.append(self._ended.get_nowait())
        return found

    def close(self, seconds: float) -> None:
        """Wait so long for what is under way, then give it up."""
        if self._thread.is_alive():
            stopping = asyncio.run_coroutine_threadsafe(self._stop(seconds), self._loop)
            stopping.result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _begin(self, one: Copy) -> None:
        task = self._loop.create_task(self._send(one))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, one: Copy) -> None:
        try:
            transport = await self._transport(one)
            transport.headers = one.headers
            self._ended.put(Sent(copy=one, exchange=await transport.send(one.review)))
        except WebhookFuzzError as error:  # certificates that cannot be read any more
            self._ended.put(Sent(copy=one, exchange=None, error=error.message))
        except asyncio.CancelledError:
            self._ended.put(Sent(copy=one, exchange=None, error="given up at the end"))
            raise

    async def _transport(self, one: Copy) -> ShadowTransport:
        key = (one.target, one.path)
        known = self._open.get(key)
        if known is not None and time.monotonic() - known.since < _FRESH_SECONDS:
            return known.transport
        if known is not None:
            del self._open[key]
            await known.transport.__aexit__(None, None, None)
        of_target = [each for each in self._open if each[0] == one.target]
        if len(of_target) >= MOST_PATHS:
            oldest = self._open.pop(of_target[0])
            await oldest.transport.__aexit__(None, None, None)
        transport = ShadowTransport(one.target.options(one.path))
        await transport.__aenter__()
        self._open[key] = _Open(transport, time.monotonic())
        return transport

    async def _stop(self, seconds: float) -> None:
        under_way = set(self._under_way)
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for each in self._open.values():
            await each.transport.__aexit__(None, None, None)
        self._open.clear()
