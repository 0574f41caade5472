"""`webhook-fuzz recording`: what is in a recording, and copies of it.

Everything is streamed: a recording of any size takes the memory of one frame, a merge that of what
is sorted at a time.
"""

import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Answered, CallFailure
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.recordings.copying import by_time, write_copy
from webhook_fuzz.corpora.recordings.reading import find_segments, iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.redacting import TrafficRedactor
from webhook_fuzz.corpora.recordings.schemas import render_exchange
from webhook_fuzz.corpora.recordings.segments import Damage
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.quantities import MOMENT
from webhook_fuzz.fuzzer.cli.reading_progress import reading_progress, shown
from webhook_fuzz.fuzzer.cli.recorded_traffic import Damages, Selection, webhook_name
from webhook_fuzz.fuzzer.cli.recording_views import detail_lines, summary_line, time_text
from webhook_fuzz.fuzzer.cli.version import tool_version

_PATHS = click.argument(
    "paths", nargs=-1, required=True, metavar="RECORDING…", type=click.Path(path_type=Path)
)
_OUTPUT = click.option(
    *("-o", "--output"),
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder to write; it must not be there yet.",
)
_STEP = 500


class _ShownDamages(Damages):
    """Says of each where it is, on standard error, as soon as it is met."""

    def add(self, damage: Damage) -> None:
        super().add(damage)
        click.echo(f"damaged: {damage}", err=True)


@click.group("recording")
def command() -> None:
    """Look into recordings, check that they are whole, and copy them.

    A recording is the folder that `webhook-fuzz proxy --recording` writes; single segments of it
    do as well, and `-` for what `recording cat` writes.
    """


@command.command("info")
@_PATHS
def info(paths: tuple[Path, ...]) -> Exit:
    """Show time span, webhooks, failures and sizes."""
    damages, webhooks, failures = _ShownDamages(), Counter[str](), Counter[str]()
    first, last, raw = float("inf"), float("-inf"), 0
    with _reading(paths, damages, "read") as exchanges:
        for each in exchanges:
            webhooks[webhook_name(each.exchange.webhook)] += 1
            first, last = min(first, each.started_at), max(last, each.started_at)
            raw += each.raw
            if isinstance(outcome := each.exchange.outcome, CallFailure):
                failures[f"{outcome.kind}{f' {outcome.status}' if outcome.status else ''}"] += 1
    segments = [segment for path in paths for segment in find_segments(path)]
    size = sum(segment.stat().st_size for segment in segments if segment.is_file())
    number = webhooks.total()
    click.echo(f"{number:,} exchanges in {len(segments)} segments, {size:,} bytes")
    if number:
        click.echo(f"from {time_text(first)} to {time_text(last)}")
        click.echo(f"{raw:,} of them raw, with their secrets" if raw else "redacted")
    for title, counts in (("webhook", webhooks), ("failure", failures)):
        for name, count in counts.most_common():
            click.echo(f"  {title:8} {count:>9,}  {name}")
    click.echo(f"{damages.count} damaged places" if damages.count else "no damage")
    return Exit.CLEAN


@command.command("ls")
@_PATHS
@click.option("--webhook", metavar="CONFIG/NAME", help="Only calls of this webhook.")
@click.option("--namespace", metavar="NS", help="Only objects of this namespace.")
@click.option("--failed", is_flag=True, help="Only calls that failed.")
@click.option(
    "--since", type=MOMENT, metavar="TIME", help="Only from then on: 2026-01-31T12:00Z, 15m."
)
@click.option("--until", type=MOMENT, metavar="TIME", help="Only up to then.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many lines.")
def list_exchanges(  # noqa: PLR0913 - one argument an option is how click passes them
    paths: tuple[Path, ...],
    *,
    webhook: str | None,
    namespace: str | None,
    failed: bool,
    since: float | None,
    until: float | None,
    limit: int | None,
) -> Exit:
    """List exchanges, one line each: id, time, duration, webhook, object, outcome."""
    selection = Selection(wanted=[webhook] if webhook else ())
    first = float("-inf") if since is None else since
    last = float("inf") if until is None else until
    left = sys.maxsize if limit is None else limit
    for each in iterate_recordings(paths, on_damage=_ShownDamages().add):
        if (
            not selection.takes(each.exchange.webhook)
            or not first <= each.started_at <= last
            or (namespace is not None and _namespace(each) != namespace)
            or (failed and isinstance(each.exchange.outcome, Answered))
        ):
            continue
        click.echo(summary_line(each))
        left -= 1
        if not left:
            break
    return Exit.CLEAN


@command.command("show")
@_PATHS
@click.argument("id_", metavar="ID")
def show(paths: tuple[Path, ...], *, id_: str) -> Exit:
    """Show one exchange: timing, headers, review, answer and patch.

    ID is as `webhook-fuzz recording ls` and reports show it.
    """
    with _reading(paths, _ShownDamages(), "looked through") as exchanges:
        found = next((each for each in exchanges if each.id == id_), None)
    if found is None:
        raise InputError(
            f"there is no exchange {id_}", hint="`webhook-fuzz recording ls` lists them."
        )
    for line in detail_lines(found):
        click.echo(line)
    return Exit.CLEAN


@command.command("cat")
@_PATHS
@click.option(
    "--format", "form", type=click.Choice(["exchange", "review"]), default="exchange",
    show_default=True, help="Whole records, or the AdmissionReviews only.",
)  # fmt: skip
def cat(paths: tuple[Path, ...], *, form: str) -> Exit:
    """Write JSON lines, for jq."""
    import orjson  # noqa: PLC0415 - for this command only

    for each in iterate_recordings(paths, on_damage=_ShownDamages().add):
        review: JsonValue = each.exchange.review
        line = orjson.dumps(review) if form == "review" else render_exchange(each).rstrip(b"\n")
        click.echo(line)
    return Exit.CLEAN


@command.command("verify")
@_PATHS
def verify(paths: tuple[Path, ...]) -> Exit:
    """Check that everything can be read; exit code 1 says that something cannot."""
    damages = _ShownDamages()
    with _reading(paths, damages, "read") as exchanges:
        number = sum(1 for _ in exchanges)
    said = f"{damages.count} damaged places" if damages.count else "whole"
    click.echo(f"{number:,} exchanges, {said}")
    return Exit.FINDINGS if damages.count else Exit.CLEAN


@command.command("merge")
@_PATHS
@_OUTPUT
def merge(paths: tuple[Path, ...], *, output: Path) -> Exit:
    """Make one recording of several, by time, each exchange once.

    Exit code 3 says that something could not be read: the copy has everything else.
    """
    damages = _ShownDamages()
    with _reading(paths, damages, "read") as exchanges, closing(by_time(exchanges)) as ordered:
        return _copy(ordered, output, damages)


@command.command("redact")
@_PATHS
@_OUTPUT
def redact(paths: tuple[Path, ...], *, output: Path) -> Exit:
    """Copy a raw recording without its secrets.

    Exit code 3 says that something could not be read: the copy has everything else.
    """
    damages, redactor = _ShownDamages(), TrafficRedactor()
    with _reading(paths, damages, "redacted") as exchanges:
        redacted = (redactor.redact(each) if each.raw else each for each in exchanges)
        return _copy(redacted, output, damages)


def _copy(exchanges: Iterable[RecordedExchange], output: Path, damages: Damages) -> Exit:
    started = time.monotonic()
    copied = write_copy(exchanges, output, tool=tool_version())
    raw = " (not redacted)" if copied.raw else ""
    took = f", {time.monotonic() - started:.1f} s"
    click.echo(f"{copied.number:,} exchanges in {output}{raw}{took}")
    if damages.count:
        click.echo(f"{damages.count} damaged places are not in it", err=True)
    return Exit.INCOMPLETE if damages.count else Exit.CLEAN


@contextmanager
def _reading(
    paths: tuple[Path, ...], damages: Damages, done: str
) -> Generator[Iterator[RecordedExchange]]:
    with reading_progress(done) as show_progress:
        exchanges = iterate_recordings(paths, on_damage=damages.add)
        yield shown(exchanges, show_progress, every=_STEP)


def _namespace(recorded: RecordedExchange) -> str:
    return text_at(object_at(recorded.exchange.review, "request"), "namespace")
