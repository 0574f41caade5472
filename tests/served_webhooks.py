"""Programs served as webhooks at an address of the test's choosing, with a certificate for it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

from authorities import Authority
from webhook_fuzz.fuzzer.specimens.programs import Program


@asynccontextmanager
async def serve_at(
    host: str, port: int, program: Program, *, authority: Authority, names: tuple[str, ...]
) -> AsyncGenerator[int]:
    """The port `program` answers at, until the end of the block; 0 is any free one."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        if not body:
            return web.Response(status=400)  # somebody looks whether anybody is there
        answer = program(orjson.loads(body))
        await asyncio.sleep(answer.delay_seconds)
        return web.Response(body=answer.body, status=answer.status)

    server = web.Server(handle, access_log=None, handler_cancellation=True)
    context = authority.issue(*names).server_context()
    listening = await asyncio.get_running_loop().create_server(server, host, port, ssl=context)
    try:
        found: int = listening.sockets[0].getsockname()[1]
        yield found
    finally:
        listening.close()
        await server.shutdown(0.05)
