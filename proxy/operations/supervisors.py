"""In which order does a proxy start, run and stop?

Sockets first, as they fail most; then the sinks, since what is forwarded must be recorded; then the
workers; and only when all of them work the cluster is pointed at them. Stopping is the same the
other way round: readiness is taken back, the cluster is pointed elsewhere while calls are still
answered, workers finish what they have and hand over what was seen, and the sinks end last.
"""

import asyncio
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from webhook_fuzz.proxy.operations.admin import serve_admin
from webhook_fuzz.proxy.operations.listeners import Address, Listeners
from webhook_fuzz.proxy.operations.logs import LOGGER
from webhook_fuzz.proxy.operations.messages import Configuration, NewPair, NewRoutes
from webhook_fuzz.proxy.operations.plans import Hooks, ProxyPlan
from webhook_fuzz.proxy.operations.sink_pools import SinkPool
from webhook_fuzz.proxy.operations.snapshots import Snapshot
from webhook_fuzz.proxy.operations.worker_pools import WorkerPool

_REFRESH_SECONDS = 2.0
"""How often the files of certificates and routes are looked at."""


async def run_proxy(plan: ProxyPlan, hooks: Hooks | None = None) -> Snapshot:
    """Run a proxy until SIGTERM or SIGINT; the last numbers.

    Raises InputError or IncompleteRunError where it cannot begin, and what the hooks raise. A
    second SIGINT ends everything at once, and raises CancelledError.
    """
    hooks = hooks or Hooks()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="webhook-fuzz-proxy-"))
        proxy = _Supervisor(plan, Path(folder))
        with _signals(proxy):
            await proxy.run(hooks)
        return proxy.snapshot()


class _Supervisor:
    """A running proxy; see `Running`."""

    def __init__(self, plan: ProxyPlan, folder: Path) -> None:
        self._plan = plan
        self._listeners = Listeners.bind(plan.listen, workers=plan.workers)
        self._sinks = SinkPool(plan.sinks, folder, log_format=plan.log_format)
        self._workers = WorkerPool(self._listeners, self._configure)
        self._stopping = asyncio.Event()
        self._body: asyncio.Task[None] | None = None
        self._is_serving = False
        self._at_once = False
        self._admin: Address | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens."""
        return self._listeners.addresses

    @property
    def admin_address(self) -> Address | None:
        """Where health and metrics are, if anywhere."""
        return self._admin

    def snapshot(self) -> Snapshot:
        """How it is doing."""
        certificates, routes = self._plan.certificates, self._plan.routes
        return Snapshot(
            statistics=self._workers.statistics(),
            feeds=self._workers.feeds(),
            sinks=self._sinks.counts(),
            sink_restarts=self._sinks.restarts,
            workers=self._plan.workers,
            workers_listening=self._workers.listening,
            workers_answering=self._workers.answering,
            workers_killed=self._workers.killed,
            worker_restarts=self._workers.restarts,
            sinks_working=self._sinks.working,
            routes=len(routes.table.routes),
            routes_problem=routes.problem,
            certificate_not_after=certificates.pair.not_after,
            authority_not_after=certificates.ca_not_after,
            certificate_problem=certificates.problem,
            draining=self._stopping.is_set(),
        )

    def stop(self) -> None:
        """Begin to end: in order while calls are taken, otherwise by giving up what is begun."""
        if not self._stopping.is_set():
            LOGGER.info("stopping")
        self._stopping.set()
        if self._body is not None and not self._is_serving:
            self._body.cancel()

    def interrupt(self) -> None:
        """The first time as `stop`, the second time at once."""
        if not self._stopping.is_set():
            self.stop()
            return
        LOGGER.warning("interrupted again: ending at once")
        self._at_once = True
        if self._body is not None:
            self._body.cancel()

    async def run(self, hooks: Hooks) -> None:
        """Start, serve until told to stop, end."""
        self._body = asyncio.create_task(self._serve(hooks))
        try:
            await self._body
        except asyncio.CancelledError:
            if self._at_once or not self._stopping.is_set():
                raise

    async def _serve(self, hooks: Hooks) -> None:
        async with self._all_processes():
            hooks.started(self)
            async with self._refreshing(), hooks.around(self):
                self._is_serving = True
                await self._stopping.wait()

    @asynccontextmanager
    async def _all_processes(self) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(self._listeners.close)
            stack.push_async_callback(self._end_sinks)
            await self._sinks.start()
            stack.push_async_callback(self._end_workers)
            await self._workers.start(self._plan.workers)
            if self._plan.admin is not None:
                serving = serve_admin(self._plan.admin, self.snapshot, version=self._plan.version)
                self._admin = await stack.enter_async_context(serving)
            yield

    async def _end_workers(self) -> None:
        self._stopping.set()
        try:
            if not self._at_once:
                await self._workers.drain(self._plan.drain_seconds)
        finally:
            await self._workers.kill()

    async def _end_sinks(self) -> None:
        await self._sinks.stop(seconds=0.0 if self._at_once else self._plan.sink_seconds)

    def _configure(self) -> Configuration:
        return Configuration(
            routes=self._plan.routes.table,
            pair=self._plan.certificates.pair,
            clients=self._plan.clients,
            options=self._plan.options,
            feeds=self._sinks.addresses,
            log_format=self._plan.log_format,
            drain_seconds=self._plan.drain_seconds,
        )

    @asynccontextmanager
    async def _refreshing(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self._refresh_now_and_then())
        try:
            yield
        finally:
            task.cancel()

    async def _refresh_now_and_then(self) -> None:
        said: set[str] = set()
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            self._refresh()
            sources = (self._plan.certificates.problem, self._plan.routes.problem)
            problems = {problem for problem in sources if problem is not None}
            for problem in sorted(problems - said):
                LOGGER.error("%s: going on with what was there before", problem)
            said = problems

    def _refresh(self) -> None:
        certificates, routes = self._plan.certificates, self._plan.routes
        if certificates.refresh(time.time()):
            self._workers.broadcast(NewPair(pair=certificates.pair))
            LOGGER.info("serving another certificate, %x", certificates.pair.serial)
        if routes.refresh():
            self._workers.broadcast(NewRoutes(routes=routes.table))
            LOGGER.info("forwarding by other routes, %d of them", len(routes.table.routes))


@contextmanager
def _signals(proxy: _Supervisor) -> Generator[None]:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, proxy.stop)
    loop.add_signal_handler(signal.SIGINT, proxy.interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)
