"""Who listens, and sends each request to the webhook it is for?

One server in each worker process; workers share a listening socket, and the operating system gives
each connection to one of them. Bytes pass unchanged; observers are told of every POST when the API
server has its answer, and whatever they do, the review has passed.
"""

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.proxy.forwarding.calls import Call, Place
from webhook_fuzz.proxy.forwarding.client_connections import ClientConnection
from webhook_fuzz.proxy.forwarding.durations import timeout_of
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.forwarding.pools import UpstreamPool
from webhook_fuzz.proxy.forwarding.server_names import note_names
from webhook_fuzz.proxy.forwarding.statistics import Statistics, WebhookCounters
from webhook_fuzz.proxy.observers import Observer
from webhook_fuzz.proxy.routes import RouteTable, Upstream, rewrite

_LOG: Final = logging.getLogger(__name__)
_SWEEP_SECONDS: Final = 1.0
# How late a timeout may be; the API server has given up by then in any case.
_DEADLINE_SECONDS: Final = 0.02
# Handing a connection back must not wait for the other side's part of the TLS farewell for long.
_FAREWELL_SECONDS: Final = 2.0
# API servers use few targets; who asks for many paths is not one.
_MOST_PLACES: Final = 1024
# A connection on which nothing comes for this long while draining: nobody is just writing to it.
_QUIET_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.02
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ForwardingServer:
    """Forwards requests by `routes` and tells `observers`.

    To be made in a running event loop. `start`, then `set_routes` at any time, `drain` at the end.
    """

    def __init__(
        self,
        *,
        routes: RouteTable,
        observers: Sequence[Observer],
        options: ForwardingOptions | None = None,
    ) -> None:
        self.options = options or ForwardingOptions()
        self.draining = False
        self._observers = tuple(observers)
        self._routes = RouteTable()
        self._places = dict[tuple[str | None, bytes], Place]()
        self._pools = dict[Upstream, UpstreamPool]()
        self._counters = dict[WebhookIdentity, WebhookCounters]()
        self._calls = set[Call]()
        self._ticking: asyncio.TimerHandle | None = None
        self._connections = set[ClientConnection]()
        self._arriving = 0
        self._tasks = set[asyncio.Task[None]]()
        self._sweeping: asyncio.Task[None] | None = None
        self._listening: list[socket.socket] = []
        self._tls: ssl.SSLContext | None = None
        self._admits: Callable[[str], bool] = _nobody
        self._now = asyncio.get_running_loop().time
        self._rejected_peers = self._unrouted = self._refused = self._observer_failures = 0
        self.set_routes(routes)

    async def start(
        self,
        sockets: Sequence[socket.socket],
        tls: ssl.SSLContext,
        *,
        admits: Callable[[str], bool],
    ) -> None:
        """Accept connections on listening sockets, which this process may share with others.

        `admits` is asked with the peer's address; who is not admitted is not listened to. HTTP/1.1
        is the only protocol offered: API servers older than 1.30 prefer h2 at loopback URLs, and
        h2 is never needed. The sockets are closed when draining begins.
        """
        tls.set_alpn_protocols(["http/1.1"])
        note_names(tls)
        self._tls, self._admits = tls, admits
        self._listening = list(sockets)
        self._sweeping = asyncio.create_task(self._sweep())
        for listening in self._listening:
            listening.settimeout(0)
            self._watch(listening)

    def set_routes(self, routes: RouteTable) -> None:
        """Use other routes from the next request on; what is under way ends as it began.

        Connections to webhooks whose address, name, roots or credentials changed are given up.
        """
        wanted = {route.upstream for route in routes.routes}
        for upstream in [each for each in self._pools if each not in wanted]:
            self._pools.pop(upstream).close()
        for upstream in wanted - self._pools.keys():
            self._pools[upstream] = UpstreamPool(upstream, self.options)
            self._counters.setdefault(upstream.webhook, WebhookCounters(upstream.webhook))
        self._routes = routes
        self._places.clear()

    def statistics(self) -> Statistics:
        """What has passed so far."""
        total = Statistics(
            connections=len(self._connections),
            rejected_peers=self._rejected_peers,
            unrouted=self._unrouted,
            refused=self._refused,
            observer_failures=self._observer_failures,
        )
        for counters in self._counters.values():
            total += Statistics(webhooks=(counters.snapshot(),))
        return total

    async def drain(self, seconds: float) -> None:
        """Accept nothing more, finish what is under way, and end within `seconds`.

        Every answer says `Connection: close` from now on; an idle connection is closed after it
        has been quiet for a moment, because a request may be on its way on it. Observers have been
        told of everything when this returns.
        """
        self.draining = True
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening.fileno())
            while self._accept(listening):  # who is through to the operating system already
                pass
            listening.close()
        self._listening.clear()
        deadline = self._now() + seconds
        while (self._connections or self._tasks) and self._now() < deadline:
            quiet = min(_QUIET_SECONDS, seconds / 2)
            for connection in list(self._connections):
                connection.close_if_quiet(quiet)
            await asyncio.sleep(_POLL_SECONDS)
        await self._abort()

    async def _abort(self) -> None:
        ending = [*self._tasks, *([] if self._sweeping is None else [self._sweeping])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for connection in list(self._connections):
            connection.abort()
        for pool in self._pools.values():
            pool.abort()
        await asyncio.sleep(_POLL_SECONDS)  # for them to be told that they have ended

    def _watch(self, listening: socket.socket) -> None:
        """Accept one connection whenever there is one: the next may be another worker's."""
        if listening in self._listening:
            loop = asyncio.get_running_loop()
            loop.add_reader(listening.fileno(), self._accept, listening)

    def _accept(self, listening: socket.socket) -> bool:
        """Whether there was a connection to be accepted."""
        try:
            accepted, address = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False  # another worker was quicker, or the peer has left already
        except OSError as error:
            if error.errno not in _OUT_OF_RESOURCES:
                raise
            _LOG.warning("no connection can be accepted: %s", error.strerror)
            loop = asyncio.get_running_loop()
            loop.remove_reader(listening.fileno())
            loop.call_later(_SWEEP_SECONDS, self._watch, listening)
            return False
        self._receive(accepted, str(address[0]))
        return True

    def _receive(self, accepted: socket.socket, peer: str) -> None:
        if not self._admits(peer):
            self._rejected_peers += 1
            accepted.close()
            return
        if self._tls is None or self._is_full():
            self._refused += 1
            accepted.close()
            return
        accepted.settimeout(0)
        self._arriving += 1
        task = asyncio.create_task(self._shake_hands(accepted, self._tls))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_full(self) -> bool:
        return len(self._connections) + self._arriving >= self.options.most_connections

    async def _shake_hands(self, accepted: socket.socket, tls: ssl.SSLContext) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: ClientConnection(self, self._now),
                accepted,
                ssl=tls,
                ssl_handshake_timeout=self.options.handshake_seconds,
                ssl_shutdown_timeout=_FAREWELL_SECONDS,
            )
        except OSError:  # ssl.SSLError is one: no TLS, no certificate we trust, or too slow
            self._refused += 1
            self._arriving -= 1
            accepted.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for connection in list(self._connections):
                connection.expire()
            for pool in self._pools.values():
                pool.expire()

    def _look_at_deadlines(self) -> None:
        """One timer for all calls: one for each would cost more than everything else here."""
        now = time.perf_counter()
        for call in [call for call in self._calls if call.deadline <= now]:
            call.time_out()
        self._ticking = None
        if self._calls:
            self._tick()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(_DEADLINE_SECONDS, self._look_at_deadlines)

    # what connections and calls ask and tell

    def began(self, call: Call) -> None:
        """A call is under way."""
        self._calls.add(call)
        if self._ticking is None:
            self._tick()

    def ended(self, call: Call) -> None:
        """It is no more."""
        self._calls.discard(call)

    def find(self, server_name: str | None, target: bytes) -> Place | None:
        """Where a request goes, None where nobody knows such a webhook."""
        place = self._places.get((server_name, target))
        if place is not None:
            return place
        text = target.decode("latin-1")
        route = self._routes.find(server_name, text)
        if route is None:
            self._unrouted += 1
            return None
        upstream = route.upstream
        place = Place(
            pool=self._pools[upstream],
            counters=self._counters[upstream.webhook],
            target=rewrite(route, text).encode("latin-1"),
            authority=None if upstream.authority is None else upstream.authority.encode(),
            timeout_seconds=timeout_of(text) or upstream.timeout_seconds,
            prefix=route.prefix.encode("latin-1"),
        )
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        self._places[server_name, target] = place
        return place

    def joined(self, connection: ClientConnection) -> None:
        """A connection is there."""
        self._connections.add(connection)
        self._arriving -= 1

    def left(self, connection: ClientConnection) -> None:
        """A connection has ended."""
        self._connections.discard(connection)

    def refused(self) -> None:
        """Somebody sent no proper request."""
        self._refused += 1

    def concluded(self, place: Place, exchange: RawExchange) -> None:
        """A POST is over, and the API server has what there was for it."""
        place.counters.count(exchange)
        for observer in self._observers:
            try:
                observer.observe(exchange)
            except Exception:  # noqa: BLE001 - observers are anybody's
                # Whatever is wrong with it, the review has passed, and so shall the next.
                self._observer_failures += 1
                if self._observer_failures == 1:
                    _LOG.exception("an observer failed; further failures are only counted")


def _nobody(_: str) -> bool:
    return False
