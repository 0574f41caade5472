"""How do exchanges leave a worker without costing its reviews anything?

What is observed is encoded at once and written to the sink's process a moment later, many together.
Nothing waits: when the sink is slower than the traffic for long, or gone, what does not fit into
the bound is dropped and counted. The sink says how many it has taken, so that what was on its way
when it died is counted as well: every exchange is either sent or dropped in the end.
"""

import asyncio
import contextlib
import struct
from collections import deque
from pathlib import Path
from typing import Final, cast

from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.proxy.recorder.frames import MOST_FRAME_BYTES, encode_frame

_BATCH_SECONDS: Final = 0.002
_BATCH_BYTES: Final = 256 * 2**10
_RECONNECT_SECONDS: Final = 0.2
ACKNOWLEDGEMENT: Final = struct.Struct("<Q")
"""How many exchanges of this connection the sink has taken so far."""


class Feed:
    """Hands exchanges to one sink process; an Observer. To be opened with `open`.

    `sent` are those the sink has taken, `dropped` those it will never see; what is neither yet is
    in `queued_bytes`, in bytes of memory, or on its way.
    """

    def __init__(self, address: Path, most_bytes: int) -> None:
        self._address = address
        self._most_bytes = most_bytes
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[list[bytes], int]] = deque()
        self._link: _Link | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._closing = False
        self._settled = asyncio.Event()
        self.sent = 0
        self.dropped = 0
        self.queued_bytes = 0

    @classmethod
    async def open(cls, address: Path, *, most_bytes: int = 64 * 2**20) -> "Feed":
        """A feed to the sink process at `address`; if nobody is there it tries on by itself."""
        feed = cls(address, most_bytes)
        if not await feed._connect():
            feed._reconnect()
        return feed

    def observe(self, exchange: RawExchange) -> None:
        """Queue one exchange, or drop it where there is no room."""
        parts, size = encode_frame(exchange)
        if self._closing or self.queued_bytes + size > self._most_bytes or size > MOST_FRAME_BYTES:
            self.dropped += 1
            return
        self._queue.append((parts, size))
        self.queued_bytes += size
        if self._timer is None:
            self._timer = self._loop.call_later(_BATCH_SECONDS, self._flush)

    async def close(self, *, seconds: float) -> None:
        """Wait until the sink has taken everything, at most so long; the rest counts as dropped."""
        self._closing = True
        self._flush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._is_settled():
                    self._settled.clear()
                    await self._settled.wait()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        if self._link is not None:
            self._link.transport.close()
            self.lost(self._link)
        self.dropped += len(self._queue)
        self._queue.clear()
        self.queued_bytes = 0

    def taken(self, number: int) -> None:
        """The sink has taken so many more."""
        self.sent += number
        self._settle()

    def writable(self) -> None:
        """What was written has left this process."""
        self._flush()

    def lost(self, link: "_Link") -> None:
        """The connection has ended: what the sink did not take is gone."""
        if self._link is not link:
            return
        self._link = None
        self.dropped += link.written - link.taken
        self.queued_bytes -= link.held_bytes
        self._settle()
        if not self._closing or self._queue:
            self._reconnect()

    def _flush(self) -> None:
        self._timer = None
        link = self._link
        while link is not None and self._queue and not link.is_paused:
            self._write(link)

    def _write(self, link: "_Link") -> None:
        batch: list[bytes] = []
        size = 0
        while self._queue and size < _BATCH_BYTES:
            parts, length = self._queue.popleft()
            batch += parts
            size += length
            link.written += 1
        link.held_bytes = size
        link.transport.writelines(batch)
        if not link.is_paused:
            self.release(link)

    def release(self, link: "_Link") -> None:
        """Nothing of the last batch is held any more."""
        self.queued_bytes -= link.held_bytes
        link.held_bytes = 0

    def _is_settled(self) -> bool:
        return not self._queue and (self._link is None or self._link.written == self._link.taken)

    def _settle(self) -> None:
        if self._closing and self._is_settled():
            self._settled.set()

    def _reconnect(self) -> None:
        if self._connecting is None or self._connecting.done():
            self._connecting = self._loop.create_task(self._connect_until_there())

    async def _connect_until_there(self) -> None:
        while not await self._connect():  # noqa: ASYNC110 - whoever is awaited is another process
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _connect(self) -> bool:
        try:
            _, link = await self._loop.create_unix_connection(
                lambda: _Link(self), str(self._address)
            )
        except OSError:  # not there yet, or being started again
            return False
        self._link = link
        self._flush()
        return True


class _Link(asyncio.Protocol):
    """One connection to the sink process."""

    transport: asyncio.Transport

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._received = bytearray()
        self.is_paused = False
        self.written = 0
        self.taken = 0
        self.held_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asked with isinstance: the transports of uvloop are not asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        # Paused whenever anything is left in this process: then it is still queued, and bounded.
        self.transport.set_write_buffer_limits(high=0, low=0)

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self._feed.release(self)
        self._feed.writable()

    def data_received(self, data: bytes) -> None:
        self._received += data
        whole = len(self._received) // ACKNOWLEDGEMENT.size * ACKNOWLEDGEMENT.size
        if not whole:
            return
        (taken,) = ACKNOWLEDGEMENT.unpack_from(self._received, whole - ACKNOWLEDGEMENT.size)
        del self._received[:whole]
        newly, self.taken = taken - self.taken, taken
        self._feed.taken(newly)

    def connection_lost(self, exc: Exception | None) -> None:
        self._feed.lost(self)
