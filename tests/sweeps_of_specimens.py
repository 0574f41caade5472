"""What a sweep of all shipped seeds finds on a specimen, to compare other ways with."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from fakes import IDENTITY, specimen_transport
from webhook_fuzz.fuzzer.engine import WebhookSweep
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS


@cache
def swept_keys(name: str) -> frozenset[tuple[str, str | None]]:
    """Code and field of everything found."""
    sweep = WebhookSweep(
        plan=build_plan(),
        webhook=IDENTITY,
        transport=specimen_transport(SPECIMENS[name].answer),
    )

    async def run() -> None:
        async for _ in sweep.events():
            pass

    # In a thread: whoever asks may be in an event loop.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(run())).result()
    return frozenset(found.finding.key for found in sweep.tally.findings)
