"""Serves a fake cluster over HTTP, so that the command line can be run against it.

The kubeconfig names it under the context `test`.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from aiohttp import web

from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, ClusterRequest

CONTEXT = "test"


@asynccontextmanager
async def served(cluster: ClusterApi, folder: Path) -> AsyncGenerator[Path]:
    """Listen on loopback; yields the kubeconfig, written into `folder`."""

    async def answer(request: web.Request) -> web.Response:
        asked = ClusterRequest(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            body=await request.read(),
        )
        answered = await cluster.ask(asked)
        return web.Response(
            status=answered.status, body=answered.body, content_type="application/json"
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield _write_kubeconfig(folder / "kubeconfig", f"http://{host}:{port}")
    finally:
        await runner.cleanup()


def _write_kubeconfig(file: Path, url: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": {"server": url}}],
        "users": [{"name": CONTEXT, "user": {"token": "of-the-test"}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
    }
    file.write_text(yaml.safe_dump(config), "utf-8")
    return file
