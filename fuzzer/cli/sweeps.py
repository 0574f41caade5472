"""How are several webhooks swept one after the other, and the results written?"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from webhook_fuzz.fuzzer.cli.progress import SweepProgress
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.engine import WebhookSweep
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.tallies import Tally
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport
from webhook_fuzz.reports.folding import RunFacts, fold_run
from webhook_fuzz.reports.results import RunResult


async def sweep_webhook(plan: Plan, options: DirectOptions, progress: SweepProgress) -> Tally:
    """Sweep one webhook and return everything found out about it."""
    async with DirectTransport(options) as transport:
        sweep = WebhookSweep(plan=plan, webhook=options.identity(), transport=transport)
        async for event in sweep.events():
            progress.show(event)
        return sweep.tally


async def sweep_webhooks(plan: Plan, targets: Sequence[DirectOptions]) -> RunResult:
    """Sweep webhooks one after the other: two at once would be each other's latency."""
    started, clock = datetime.now(UTC), time.monotonic()
    with SweepProgress() as progress:
        tallies = [await sweep_webhook(plan, options, progress) for options in targets]
    facts = RunFacts(
        version=tool_version(),
        target=plan.target,
        started=started,
        seconds=time.monotonic() - clock,
        seed=plan.random_seed,
        complete=True,
    )
    return fold_run(tallies, facts, plan)
