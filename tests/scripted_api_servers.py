"""An API server as far as HTTP and TLS go: it answers what a test's function says.

async with scripted_api_server(answer, folder=tmp_path) as server:
    server.write_kubeconfig(tmp_path / "config")
"""

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml
from aiohttp import web

from authorities import LOOPBACK, Authority
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

Answer: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedApiServer:
    """A server under `url`; `requests` are those that came, in order."""

    url: str
    authority: Authority
    requests: list[web.BaseRequest] = field(default_factory=list[web.BaseRequest])

    def write_kubeconfig(
        self,
        path: Path,
        *,
        user: JsonObject | None = None,
        name: str = "staging",
        **cluster: JsonValue,
    ) -> Path:
        """A kubeconfig whose only context, cluster and user have the name `name`.

        `cluster` are members of the cluster, with `_` for `-`; the server and its CA are filled in,
        None leaves one out.
        """
        entry: JsonObject = {
            "server": self.url,
            "certificate-authority": str(self.authority.ca_file),
            **{key.replace("_", "-"): value for key, value in cluster.items()},
        }
        config: JsonObject = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [{"name": name, "cluster": _without_none(entry)}],
            "users": [{"name": name, "user": user or {"token": "t-1"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def header(self, name: str) -> list[str]:
        """What each request had in a header."""
        return [request.headers.get(name, "") for request in self.requests]


@asynccontextmanager
async def scripted_api_server(
    answer: Answer,
    *,
    folder: Path,
    names: tuple[str, ...] = LOOPBACK,
    demand_certificate: bool = False,
    cancel_handlers: bool = False,
) -> AsyncGenerator[ScriptedApiServer]:
    """Serve until the block ends; `names` are those its certificate is for.

    With `cancel_handlers` an answer in the making is cancelled when the client hangs up.
    """
    authority = Authority(folder / "authority")
    context = authority.issue(*names).server_context(
        client_ca=authority.ca_file if demand_certificate else None
    )
    requests: list[web.BaseRequest] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        requests.append(request)
        return await answer(request)

    runner = web.ServerRunner(
        web.Server(handle, access_log=None, handler_cancellation=cancel_handlers),
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        port = await _listen(runner, context)
        yield ScriptedApiServer(
            url=f"https://127.0.0.1:{port}", authority=authority, requests=requests
        )
    finally:
        await runner.cleanup()


async def _listen(runner: web.ServerRunner, context: ssl.SSLContext) -> int:
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


def answering(*answers: object, status: int = 200) -> Answer:
    """One JSON body after the other, the last one for ever; a Response is given as it is."""
    left = list(answers)

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        body = left.pop(0) if len(left) > 1 else left[0]
        if callable(body):
            body = body()
        if isinstance(body, web.StreamResponse):
            return body
        return web.json_response(body, status=status)

    return answer


def _without_none(members: JsonObject) -> JsonObject:
    return {name: value for name, value in members.items() if value is not None}
