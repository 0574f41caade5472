"""What can be asked of a running proxy?

Health, readiness and metrics, over plain HTTP as kubelet and Prometheus ask for them. Nothing
secret is answered, and nothing can be changed.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.proxy.operations.listeners import Address
from webhook_fuzz.proxy.operations.metrics import render_metrics
from webhook_fuzz.proxy.operations.snapshots import Snapshot

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serve_admin(
    wanted: Address, snapshot: Callable[[], Snapshot], *, version: str
) -> AsyncGenerator[Address]:
    """Answer until the end of the block, at the address it yields.

    Raises IncompleteRunError where it cannot listen.
    """

    async def answer_health(_request: web.Request) -> web.Response:
        return _verdict(snapshot().alive, "a worker does not answer")

    async def answer_readiness(_request: web.Request) -> web.Response:
        now = snapshot()
        return _verdict(now.ready, _why_not_ready(now))

    async def answer_metrics(_request: web.Request) -> web.Response:
        body = render_metrics(snapshot, version=version)
        return web.Response(body=body, headers={"Content-Type": _METRICS_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", answer_health)
    app.router.add_get("/readyz", answer_readiness)
    app.router.add_get("/metrics", answer_metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, wanted.host or None, wanted.port)
        try:
            await site.start()
        except OSError as error:
            raise IncompleteRunError(
                f"--metrics {wanted}: cannot listen there: {error.strerror}",
                hint="Choose another address, or stop what listens there.",
            ) from error
        host, port = runner.addresses[0][:2]
        yield Address(host=host, port=port)
    finally:
        await runner.cleanup()


def _verdict(is_well: bool, trouble: str) -> web.Response:  # noqa: FBT001 - it is what is answered
    return web.Response(text="ok\n") if is_well else web.Response(status=503, text=f"{trouble}\n")


def _why_not_ready(now: Snapshot) -> str:
    if now.draining:
        return "draining"
    if not now.sinks_working:
        return "a sink is not there"
    return f"{now.workers_listening} of {now.workers} workers listen"
