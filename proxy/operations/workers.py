"""What does one worker process do?

It forwards on sockets it inherited, feeds the sinks, and tells its supervisor once a second what it
did. Signals are its supervisor's: a terminal and a service manager send them to every process, and
a worker that ended by itself would end before the cluster's configurations are put back. When its
supervisor is gone, by whatever way, it drains and ends.

    python -m webhook_fuzz.proxy.operations.workers CONTROL_FD LISTENING_FD…
"""

import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from webhook_fuzz.corpora.errors import WebhookFuzzError
from webhook_fuzz.proxy.certificates.contexts import build_server_context
from webhook_fuzz.proxy.certificates.pairs import load_pair
from webhook_fuzz.proxy.forwarding.servers import ForwardingServer
from webhook_fuzz.proxy.operations.channels import Channel
from webhook_fuzz.proxy.operations.logs import LOGGER, describe_error, start_logging
from webhook_fuzz.proxy.operations.messages import (
    Configuration,
    Drain,
    Failed,
    FeedNumbers,
    FromWorker,
    Listening,
    NewPair,
    NewRoutes,
    Report,
    ToWorker,
)
from webhook_fuzz.proxy.recorder.feeds import Feed

REPORT_SECONDS = 1.0
HAND_OVER_SECONDS = 10.0
"""How long what still waits for a sink may take to get there at the end."""

_Channel = Channel[FromWorker, ToWorker]


def main(arguments: Sequence[str]) -> int:
    """Run one worker until it is told to drain, or nobody is left to tell it anything."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    control, *listening = (socket.socket(fileno=int(each)) for each in arguments)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run(control, listening))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop's loops where it is installed, None for asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - not there for every system
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(control: socket.socket, listening: Sequence[socket.socket]) -> int:
    asyncio.get_running_loop().set_exception_handler(_log_unforeseen)
    channel = await _Channel.open(control)
    configuration = await channel.receive()
    if not isinstance(configuration, Configuration):
        return 1  # the supervisor ended before it said anything
    start_logging(configuration.log_format)
    async with AsyncExitStack() as stack:
        stack.callback(channel.close)
        try:
            worker = await _Worker.start(configuration, listening, channel)
        except WebhookFuzzError as error:
            channel.send(Failed(message=error.message, hint=error.hint))
            await channel.flush()
            return 1
        await worker.serve()
    return 0


class _Worker:
    """A forwarding server, the feeds it has as observers, and the channel to the supervisor."""

    def __init__(
        self,
        server: ForwardingServer,
        tls: ssl.SSLContext,
        feeds: Mapping[str, Feed],
        channel: _Channel,
        drain_seconds: float,
    ) -> None:
        self._server, self._tls, self._feeds = server, tls, feeds
        self._channel, self._drain_seconds = channel, drain_seconds

    @classmethod
    async def start(
        cls,
        configuration: Configuration,
        listening: Sequence[socket.socket],
        channel: _Channel,
    ) -> "_Worker":
        """Connect the feeds, then take connections."""
        tls = build_server_context(configuration.pair, configuration.clients)
        feeds = {name: await Feed.open(at) for name, at in configuration.feeds.items()}
        server = ForwardingServer(
            routes=configuration.routes,
            observers=tuple(feeds.values()),
            options=configuration.options,
        )
        await server.start(listening, tls, admits=configuration.clients.admits)
        channel.send(Listening())
        return cls(server, tls, feeds, channel, configuration.drain_seconds)

    async def serve(self) -> None:
        """Until the end: report, do as told, drain."""
        reporting = asyncio.create_task(self._report_now_and_then())
        try:
            await self._server.drain(await self._obey())
            closing = (feed.close(seconds=HAND_OVER_SECONDS) for feed in self._feeds.values())
            await asyncio.gather(*closing)
        finally:
            reporting.cancel()
        self._channel.send(self._report(is_last=True))
        await self._channel.flush()

    async def _obey(self) -> float:
        """How many seconds are left when it is over."""
        while True:
            match await self._channel.receive():
                case NewRoutes(routes=routes):
                    self._server.set_routes(routes)
                case NewPair(pair=pair):
                    load_pair(self._tls, pair)
                case Drain(seconds=seconds):
                    return seconds
                case None:
                    LOGGER.warning("the supervisor is gone: draining")
                    return self._drain_seconds
                case Configuration():
                    raise AssertionError("a worker is configured once")

    async def _report_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._channel.send(self._report())

    def _report(self, *, is_last: bool = False) -> Report:
        feeds = {
            name: FeedNumbers(sent=feed.sent, dropped=feed.dropped, queued_bytes=feed.queued_bytes)
            for name, feed in self._feeds.items()
        }
        return Report(statistics=self._server.statistics(), feeds=feeds, is_last=is_last)


def _log_unforeseen(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio would write down with the arguments of the call that failed: bytes of pods."""
    error = context.get("exception")
    said = describe_error(error) if isinstance(error, BaseException) else "without an exception"
    LOGGER.error("something failed that nobody waited for: %s", said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
