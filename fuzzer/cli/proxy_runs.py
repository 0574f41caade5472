"""How does `webhook-fuzz proxy` run what was planned?

Alone, or around it an interception: the cluster is pointed at the proxy when that takes calls, and
away from it again before it stops taking them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.proxy_interception import open_interception, render_dry_run
from webhook_fuzz.fuzzer.cli.proxy_plans import Asked, Planned, plan_proxy
from webhook_fuzz.fuzzer.cli.proxy_screens import (
    log_end,
    log_start,
    render_end,
    show_start,
    status_line,
    tell_people,
    warn_raw,
)
from webhook_fuzz.proxy.interception.interceptions import Prepared
from webhook_fuzz.proxy.operations.logs import LOGGER, LogFormat, start_logging
from webhook_fuzz.proxy.operations.plans import Hooks, Running
from webhook_fuzz.proxy.operations.snapshots import Snapshot
from webhook_fuzz.proxy.operations.supervisors import run_proxy


def run(asked: Asked) -> Exit:
    """Run it until it is stopped. Raises what it cannot be begun with; Abort when interrupted."""
    planned = None if asked.interception.is_asked else plan_proxy(asked)
    start_logging(LogFormat(asked.running.log_format))
    started_at = time.monotonic()
    try:
        last = asyncio.run(_intercept(asked) if planned is None else _serve(asked, planned))
    except asyncio.CancelledError as error:  # interrupted twice
        raise click.Abort from error
    if last is None:
        return Exit.CLEAN
    if asked.speaks_to_people:
        click.echo(render_end(last, started_at), nl=False)
    else:
        log_end(last)
    return Exit.INCOMPLETE if last.workers_killed else Exit.CLEAN


async def _intercept(asked: Asked) -> Snapshot | None:
    """The last numbers, None where the cluster was only shown what would be changed."""
    tell = tell_people if asked.speaks_to_people else LOGGER.info
    async with open_interception(asked.interception, tell=tell) as prepared:
        planned = plan_proxy(asked, prepared)
        if asked.interception.dry_run:
            click.echo(await render_dry_run(prepared, _ca_pem(planned)), nl=False)
            return None
        return await _serve(asked, planned, prepared)


async def _serve(asked: Asked, planned: Planned, prepared: Prepared | None = None) -> Snapshot:
    if asked.keeping.record_raw and asked.keeping.recording is not None:
        warn_raw(asked.keeping.recording)

    def started(running: Running) -> None:
        if asked.speaks_to_people:
            show_start(running, planned.standing)
        else:
            log_start(running, planned.standing)

    @asynccontextmanager
    async def around(running: Running) -> AsyncGenerator[None]:
        if prepared is None:
            async with status_line(running):
                yield
            return
        ca_pem = _ca_pem(planned)
        async with prepared.active(ca_pem, seen=lambda: _seen(running)), status_line(running):
            yield

    return await run_proxy(planned.plan, Hooks(started=started, around=around))


def _ca_pem(planned: Planned) -> bytes:
    ca_pem = planned.plan.certificates.ca_pem
    if ca_pem is None:
        raise InputError(
            "the authority of --tls-cert is not known, and caBundles need it",
            hint="Give it with --tls-ca, or leave --tls-cert out.",
        )
    return ca_pem


def _seen(running: Running) -> Mapping[str, int]:
    """How many calls there were so far, by `CONFIG/NAME`."""
    seen = Counter[str]()
    for each in running.snapshot().statistics.webhooks:
        seen[f"{each.webhook.configuration}/{each.webhook.name}"] += each.exchanges
    return seen
