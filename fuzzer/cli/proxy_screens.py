"""What does the user of `webhook-fuzz proxy` see?

What there is to know when it starts, one line that moves while it runs on a terminal, and the
numbers at the end. Where log lines are JSON, everything else would be in a machine's way.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from webhook_fuzz.proxy.operations.logs import LOGGER
from webhook_fuzz.proxy.operations.plans import Running
from webhook_fuzz.proxy.operations.snapshots import Snapshot

_TICK_SECONDS: Final = 1.0
_ERASE: Final = "\r\x1b[2K"
_RAW_WARNING = (
    "--record-raw: everything is written down as it passes, to {folder}. That is every secret in "
    "pods, Secrets, ConfigMaps and tokens that the webhooks see. Delete it as soon as you can; "
    "`webhook-fuzz recording redact` makes a copy without secrets."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known when the proxy starts, besides its addresses."""

    upstreams: Sequence[str]
    workers: int
    ca_file: Path | None
    ca_is_new: bool
    certificate_not_after: float
    recording: Path | None
    judging: Sequence[str]


def warn_raw(folder: Path) -> None:
    """Say what a recording without redaction is, before there is one."""
    click.echo(_RAW_WARNING.format(folder=folder), err=True)


def tell_people(line: str) -> None:
    """Say something while the proxy runs, above the line that moves."""
    erase = _ERASE if sys.stderr.isatty() else ""
    click.echo(f"{erase}{line}", err=True)


def show_start(running: Running, standing: Standing) -> None:
    """Where everything is, for people."""
    click.echo(render_start(running, standing), nl=False)


def log_start(running: Running, standing: Standing) -> None:
    """The same for machines."""
    addresses = [str(address) for address in running.addresses]
    known = {
        "addresses": addresses,
        "metrics": str(running.admin_address) if running.admin_address else None,
        "authority": str(standing.ca_file) if standing.ca_file else None,
        "recording": str(standing.recording) if standing.recording else None,
        "workers": standing.workers,
    }
    LOGGER.info("listening on %s", ", ".join(addresses), extra={"fields": known})


def log_end(last: Snapshot) -> None:
    """The numbers at the end, for machines."""
    known = {
        "exchanges": last.exchanges,
        "failures": last.failures,
        "dropped": last.dropped,
        "workers_killed": last.workers_killed,
    }
    LOGGER.info("stopped after %d calls", last.exchanges, extra={"fields": known})


def render_start(running: Running, standing: Standing) -> str:
    """One line a subject."""
    listening = ", ".join(f"https://{address}" for address in running.addresses)
    processes = "1 worker" if standing.workers == 1 else f"{standing.workers} workers"
    lines = [("Listening", f"{listening} ({processes})")]
    lines += [("Forwarding", f"to {upstream}") for upstream in standing.upstreams]
    if standing.ca_file is not None:
        new = ", made just now" if standing.ca_is_new else ""
        lines.append(("Authority", f"{standing.ca_file}{new}"))
        lines.append(("caBundle", f"base64 < {standing.ca_file} | tr -d '\\n'"))
    until = datetime.fromtimestamp(standing.certificate_not_after, UTC)
    lines.append(("Certificate", f"valid until {until:%Y-%m-%d %H:%M} UTC, then renewed"))
    if standing.recording is not None:
        lines.append(("Recording", str(standing.recording)))
    lines += [("Judging", what) for what in standing.judging]
    if running.admin_address is not None:
        where = running.admin_address
        lines.append(("Metrics", f"http://{where}/metrics, and /healthz, /readyz"))
    lines.append(("Stop", "Ctrl-C or SIGTERM; calls under way are finished"))
    return "".join(f"{name:<12} {text}\n" for name, text in lines)


@asynccontextmanager
async def status_line(running: Running) -> AsyncGenerator[None]:
    """On a terminal, one line that moves until the end of the block."""
    if not sys.stderr.isatty():
        yield
        return
    task = asyncio.create_task(_move(running))
    try:
        yield
    finally:
        task.cancel()
        click.echo(_ERASE, nl=False, err=True)


async def _move(running: Running) -> None:
    before = running.snapshot().exchanges
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        now = running.snapshot()
        rate = (now.exchanges - before) / _TICK_SECONDS
        before = now.exchanges
        click.echo(f"{_ERASE}{render_status(now, rate)}", nl=False, err=True)


def render_status(now: Snapshot, rate: float) -> str:
    """The line: how many calls, per second, and what went wrong."""
    parts = [
        f"{now.exchanges:,} calls",
        f"{rate:,.0f}/s",
        f"{now.failures:,} failed",
        f"{now.dropped:,} dropped",
    ]
    if _judges(now):
        parts.append(f"{now.total('findings'):,.0f} findings")
    return "  ".join(parts)


def render_end(last: Snapshot, started_at: float) -> str:
    """The numbers at the end; `started_at` is monotonic."""
    seconds = time.monotonic() - started_at
    hang_ups = sum(each.hang_ups for each in last.statistics.webhooks)
    said = [
        f"{last.exchanges:,} calls in {seconds:,.0f} s",
        f"{last.failures:,} failed",
        f"{hang_ups:,} not waited for",
    ]
    if any(count.name == "records_written" for counts in last.sinks.values() for count in counts):
        said.append(f"{last.total('records_written'):,.0f} recorded")
    said.append(f"{last.dropped:,} dropped")
    if _judges(last):
        said.append(f"{last.total('findings'):,.0f} findings")
    text = f"Stopped      {', '.join(said)}\n"
    if last.workers_killed:
        text += (
            f"             {last.workers_killed} of {last.workers} workers did not finish in time "
            "and were ended: give them longer with --drain\n"
        )
    return text


def _judges(now: Snapshot) -> bool:
    return any(count.name == "findings" for counts in now.sinks.values() for count in counts)
