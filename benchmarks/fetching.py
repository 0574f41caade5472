"""Fetches what `webhook-fuzz doctor` asks for, and drops it.

usage: python -m benchmarks.fetching URL NODES      (0: the webhook configurations only)

What a program costs that does nothing with the answers.
"""

import asyncio
import sys

import aiohttp

from benchmarks.large_clusters import CONFIGURATIONS

_AT_ONCE = 16


async def _fetch(url: str, nodes: int) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)

    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> bytes:
            async with slots, session.get(url + path) as response:
                return await response.read()

        async def drop(path: str) -> None:
            await get(path)

        if nodes:
            await drop("/metrics")
        for path in ("/api/v1/nodes", "/api/v1/pods") if nodes else (CONFIGURATIONS,):
            start = 0
            while b'"continue":""' not in await get(f"{path}?limit=500&continue={start}"):
                start += 500
        pages = (f"/api/v1/nodes/node-{number}/proxy/metrics" for number in range(nodes))
        await asyncio.gather(*(drop(page) for page in pages))


if __name__ == "__main__":
    asyncio.run(_fetch(sys.argv[1], int(sys.argv[2])))
