"""`webhook-fuzz check`."""

import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.reading import Damage, iterate_recordings
from webhook_fuzz.corpora.versions import parse_minor
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.outputs import (
    FORMAT_NAMES,
    prepare_folder,
    show_summary,
    write_outputs,
)
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.findings import Severity
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.recorded.judging import TrafficJudge
from webhook_fuzz.fuzzer.recorded.traffic import Traffic
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.traffic_folds import TrafficFacts, fold_traffic

_FILE = click.Path(path_type=Path, allow_dash=True)
_QUIET_SECONDS = 2.0
_STEP = 500
_MOST_NAMED = 5


@click.command("check")
@click.argument("recordings", nargs=-1, required=True, type=_FILE, metavar="RECORDING…")
@click.option(
    "--webhook",
    "webhooks",
    multiple=True,
    metavar="CONFIG/NAME",
    help="Whose traffic is judged. Repeatable.  [default: all in the recording]",
)
@click.option(
    "--target",
    metavar="MINOR",
    help="Judge for this Kubernetes version.  [default: the newest known]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("webhook-fuzz-out"),
    show_default=True,
    metavar="DIR",
    help="Where the results go.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMAT_NAMES),
    help="More formats beside run.json and report.html. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice([*map(str, Severity), "never"]),
    default="error",
    show_default=True,
    help="Exit 1 from this severity on.",
)
@click.option(
    "--require-exercised",
    is_flag=True,
    help="Exit 3 if a webhook patched no recorded pod that has a new field.",
)
def command(  # noqa: PLR0913 - one argument an option is how click passes them
    *,
    recordings: tuple[Path, ...],
    webhooks: tuple[str, ...],
    target: str | None,
    output: Path,
    formats: tuple[str, ...],
    fail_on: str,
    require_exercised: bool,
) -> int:
    """Judge recorded traffic; nothing is sent.

    Every recorded answer is judged as the API server would apply it, by all checks that need no
    probe: pods in full, other kinds by whether the answer is valid and its patch applies. What
    cannot be judged is counted with the reason.

    What did not occur in the traffic was not tried: `webhook-fuzz replay --enrich` sends the
    recorded pods with the fields Kubernetes gained since.
    """
    plan = build_plan(parse_minor(target) if target else None)
    prepare_folder(output)
    started, clock = datetime.now(UTC), time.monotonic()
    traffic = Traffic(judge=TrafficJudge(plan.catalogue, plan.target))
    damages = _judge_all(recordings, webhooks, traffic)
    facts = TrafficFacts(
        version=tool_version(),
        target=plan.target,
        started=started,
        seconds=time.monotonic() - clock,
        recordings=list(map(str, recordings)),
        damaged=damages.count,
    )
    run = fold_traffic(traffic, facts, plan)
    show_summary(run, write_outputs(run, output, formats))
    return exit_code(run, fail_on=fail_on, require_exercised=require_exercised)


def exit_code(run: RunResult, *, fail_on: str, require_exercised: bool) -> Exit:
    """What it comes to. A call that reached nobody is a finding here: it is what happened."""
    bad = fail_on != "never" and any(
        Severity(finding["severity"]).at_least(Severity(fail_on)) for finding in run["findings"]
    )
    if bad:
        return Exit.FINDINGS
    verdicts = [webhook["verdict"] for webhook in run["webhooks"]]
    if not verdicts or (require_exercised and "not-exercised" in verdicts):
        return Exit.INCOMPLETE
    return Exit.CLEAN


@dataclass(slots=True)
class _Damages:
    """How many places could not be read, and the first of them."""

    count: int = 0
    first: Damage | None = None

    def add(self, damage: Damage) -> None:
        self.count += 1
        self.first = self.first or damage

    def tell(self) -> None:
        if self.first is not None:
            more = f" (and {self.count - 1:,} more places)" if self.count > 1 else ""
            click.echo(f"warning: {self.first}{more}; read on behind it", err=True)


def _judge_all(recordings: Sequence[Path], wanted: Sequence[str], traffic: Traffic) -> _Damages:
    """Read and judge. Raises InputError for recordings that hold nothing of these webhooks."""
    damages, others, read = _Damages(), set[str](), 0
    with _progress() as show:
        for recorded in iterate_recordings(recordings, on_damage=damages.add):
            read += 1
            if read % _STEP == 0:
                show(read)
            if not wanted or _is_wanted(recorded.exchange.webhook, wanted):
                traffic.add(recorded)
            elif len(others) < _MOST_NAMED:
                others.add(_name(recorded.exchange.webhook))
    damages.tell()
    if not traffic.seen.count:
        of = f" of {', '.join(wanted)}" if wanted else ""
        there = f" It holds traffic of {', '.join(sorted(others))}." if others else ""
        raise InputError(
            f"the recording holds no exchange{of} ({read:,} read)",
            hint=f"`webhook-fuzz recording info` shows what is in it.{there}",
        )
    return damages


class _Show(Protocol):
    def __call__(self, read: int) -> None: ...


@contextmanager
def _progress() -> Generator[_Show]:
    """A line that moves on a terminal, else a line whenever it takes a while."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the recording", total=None)

        def show(read: int) -> None:
            bar.update(task, description=f"{read:,} recorded exchanges judged")

        yield show


class _Lines:
    """Says how far it is at least every two seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, read: int) -> None:
        if time.monotonic() - self._last > _QUIET_SECONDS:
            self._last = time.monotonic()
            click.echo(f"{read:,} recorded exchanges judged so far", err=True)


def _is_wanted(webhook: WebhookIdentity, wanted: Sequence[str]) -> bool:
    return any(name in {_name(webhook), webhook.name, webhook.configuration} for name in wanted)


def _name(webhook: WebhookIdentity) -> str:
    return f"{webhook.configuration}/{webhook.name}" if webhook.configuration else webhook.name
