"""How does a specimen become a webhook one can call?

The only module here that knows HTTP: each specimen listens with TLS on a free port of 127.0.0.1,
many of them in one event loop. aiohttp's low-level server is enough: there is one path, `/mutate`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from aiohttp import web

from webhook_fuzz.fuzzer.specimens.authorities import Authority, throw_away_authority
from webhook_fuzz.fuzzer.specimens.programs import Answer, Specimen

_HOST = "127.0.0.1"
_PATH = "/mutate"
_BLANKS = b" " * 65536
# What is under way is dropped: `slow` would keep its connections for a minute. Not 0, which means
# no limit to aiohttp.
_SHUTDOWN_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSpecimen:
    """Where a specimen is served. `ca_file` is valid as long as it runs."""

    specimen: Specimen
    url: str
    ca_file: Path


@asynccontextmanager
async def serve(specimen: Specimen, *names: str) -> AsyncGenerator[RunningSpecimen]:
    """Serve one specimen; its certificate is valid for localhost and for DNS `names`."""
    with throw_away_authority() as authority:
        async with _serve_with(authority, specimen, *names) as running:
            yield running


@asynccontextmanager
async def serve_many(
    specimens: Iterable[Specimen],
) -> AsyncGenerator[Mapping[str, RunningSpecimen]]:
    """Serve several specimens under one authority, by name."""
    async with AsyncExitStack() as stack:
        authority = stack.enter_context(throw_away_authority())
        yield {
            specimen.name: await stack.enter_async_context(_serve_with(authority, specimen))
            for specimen in specimens
        }


@asynccontextmanager
async def _serve_with(
    authority: Authority, specimen: Specimen, *names: str
) -> AsyncGenerator[RunningSpecimen]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await _handle(request, specimen)

    # A handler ends with its caller, or `slow` would go on for a minute after every timeout.
    server = web.Server(handle, access_log=None, handler_cancellation=True)
    listening = await asyncio.get_running_loop().create_server(
        server, _HOST, 0, ssl=authority.build_server_context(*names)
    )
    try:
        port: int = listening.sockets[0].getsockname()[1]
        yield RunningSpecimen(
            specimen=specimen,
            url=f"https://{_HOST}:{port}{_PATH}",
            ca_file=authority.ca_file,
        )
    finally:
        listening.close()
        await server.shutdown(_SHUTDOWN_SECONDS)


async def _handle(request: web.BaseRequest, specimen: Specimen) -> web.StreamResponse:
    if request.path != _PATH or request.method != "POST":
        return web.Response(status=404, text="not found\n")
    # Not request.read(): that stops at 1 MiB, and the API server sends reviews of up to 6 MiB.
    raw = await request.content.read()
    try:
        answer = specimen.answer(orjson.loads(raw))
    except (orjson.JSONDecodeError, AttributeError):
        return web.Response(status=400, text="not an AdmissionReview\n")
    if answer.delay_seconds:
        await asyncio.sleep(answer.delay_seconds)
    if answer.padding_bytes:
        return await _send_padded(request, answer)
    return web.Response(
        body=answer.body, status=answer.status, headers={"Content-Type": answer.content_type}
    )


async def _send_padded(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(
        status=answer.status, headers={"Content-Type": answer.content_type}
    )
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):  # the caller has had enough
        await response.write(answer.body)
        for _ in range(answer.padding_bytes // len(_BLANKS)):
            if request.transport is None or request.transport.is_closing():
                return response
            await response.write(_BLANKS)
        await response.write_eof()
    return response
