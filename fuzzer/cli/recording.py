"""`webhook-fuzz recording`: what is in a recording, and copies of it.

Everything is streamed: a recording of any size takes the memory of one frame, a merge that of one
exchange a segment.
"""

import heapq
import json
import secrets
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Answered, CallFailure
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.recordings.answer_parts import read_patch
from webhook_fuzz.corpora.recordings.appending import Rotation, SegmentWriter
from webhook_fuzz.corpora.recordings.reading import find_segments, iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.redacting import TrafficRedactor
from webhook_fuzz.corpora.recordings.schemas import render_exchange
from webhook_fuzz.corpora.recordings.segments import Damage
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.recorded_traffic import Damages, webhook_name
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
_FOREVER: Final = 10.0**9
_SEGMENT_BYTES: Final = 64 * 2**20


class _ShownDamages(Damages):
    """Says of each where it is, on standard error, as soon as it is met."""

    def add(self, damage: Damage) -> None:
        super().add(damage)
        click.echo(f"damaged: {damage}", err=True)


@click.group("recording")
def command() -> None:
    """Look into recordings, check that they are whole, and copy them.

    A recording is the folder that `webhook-fuzz proxy --recording` writes; single segments of it
    do as well.
    """


@command.command("info")
@_PATHS
def info(paths: tuple[Path, ...]) -> Exit:
    """Show time span, webhooks, failures and sizes."""
    damages, webhooks, failures = _ShownDamages(), Counter[str](), Counter[str]()
    times: list[float] = []
    for each in iterate_recordings(paths, on_damage=damages.add):
        webhooks[_webhook(each)] += 1
        times = [min([*times[:1], each.started_at]), max([*times[1:], each.started_at])]
        if isinstance(outcome := each.exchange.outcome, CallFailure):
            failures[f"{outcome.kind}{f' {outcome.status}' if outcome.status else ''}"] += 1
    segments = [segment for path in paths for segment in find_segments(path)]
    size = sum(segment.stat().st_size for segment in segments if segment.is_file())
    click.echo(f"{sum(webhooks.values()):,} exchanges in {len(segments)} segments, {size:,} bytes")
    if times:
        click.echo(f"from {_time(times[0])} to {_time(times[1])}")
    for title, counts in (("webhooks", webhooks), ("failures", failures)):
        for name, number in counts.most_common():
            click.echo(f"  {title[:-1]:8} {number:>9,}  {name}")
    click.echo(f"{damages.count} damaged places" if damages.count else "no damage")
    return Exit.CLEAN


@command.command("ls")
@_PATHS
@click.option("--webhook", metavar="CONFIG/NAME", help="Only calls of this webhook.")
@click.option("--namespace", metavar="NS", help="Only objects of this namespace.")
@click.option("--failed", is_flag=True, help="Only calls that failed.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many lines.")
def list_exchanges(
    paths: tuple[Path, ...],
    *,
    webhook: str | None,
    namespace: str | None,
    failed: bool,
    limit: int | None,
) -> Exit:
    """List exchanges, one line each."""
    left = sys.maxsize if limit is None else limit
    for each in iterate_recordings(paths, on_damage=_ShownDamages().add):
        request = object_at(each.exchange.review, "request")
        if (
            (webhook is not None and _webhook(each) != webhook)
            or (namespace is not None and text_at(request, "namespace") != namespace)
            or (failed and isinstance(each.exchange.outcome, Answered))
        ):
            continue
        if not left:
            break
        left -= 1
        again = f" attempt {each.attempt}" if each.attempt > 1 else ""
        click.echo(
            f"{each.id}  {_time(each.started_at)}  {each.exchange.seconds * 1000:8.1f} ms  "
            f"{_webhook(each)}  {_object(each)}  {_outcome(each)}{again}"
        )
    return Exit.CLEAN


@command.command("show")
@_PATHS
@click.option("--id", "id_", required=True, metavar="ID", help="As `recording ls` shows it.")
def show(paths: tuple[Path, ...], *, id_: str) -> Exit:
    """Show one exchange: review, answer, patch, headers and timing."""
    found = next(
        (
            each
            for each in iterate_recordings(paths, on_damage=_ShownDamages().add)
            if each.id == id_
        ),
        None,
    )
    if found is None:
        raise InputError(f"there is no exchange {id_}", hint="`recording ls` lists them.")
    click.echo(f"{_time(found.started_at)}  {_webhook(found)}  {_object(found)}  {_outcome(found)}")
    click.echo(
        f"{found.exchange.seconds * 1000:.1f} ms, of which {found.upstream_seconds * 1000:.1f} ms "
        f"the webhook; attempt {found.attempt}, invocation {found.invocation}"
    )
    click.echo(f"POST {found.target}")
    for name, value in (*found.request_headers, ("", ""), *found.answer_headers):
        click.echo(f"  {name}: {value}" if name else "answered with")
    click.echo(json.dumps(found.exchange.review, indent=2, ensure_ascii=False))
    outcome = found.exchange.outcome
    if isinstance(outcome, Answered):
        click.echo(outcome.body.decode("utf-8", "replace"))
        if (patch := read_patch(outcome)) is not None:
            click.echo(json.dumps(patch, indent=2, ensure_ascii=False))
    else:
        click.echo(f"{outcome.kind}: {outcome.detail}")
    return Exit.CLEAN


@command.command("cat")
@_PATHS
@click.option(
    "--format", "form", type=click.Choice(["exchange", "review"]), default="exchange",
    show_default=True, help="Whole records, or the AdmissionReviews only.",
)  # fmt: skip
def cat(paths: tuple[Path, ...], *, form: str) -> Exit:
    """Write JSON lines, for jq."""
    for each in iterate_recordings(paths, on_damage=_ShownDamages().add):
        line = (
            json.dumps(each.exchange.review, ensure_ascii=False)
            if form == "review"
            else render_exchange(each).decode().rstrip("\n")
        )
        click.echo(line)
    return Exit.CLEAN


@command.command("verify")
@_PATHS
def verify(paths: tuple[Path, ...]) -> Exit:
    """Check that everything can be read; exit code 1 says that something cannot."""
    damages = _ShownDamages()
    number = sum(1 for _ in iterate_recordings(paths, on_damage=damages.add))
    said = f"{damages.count} damaged places" if damages.count else "whole"
    click.echo(f"{number:,} exchanges, {said}")
    return Exit.FINDINGS if damages.count else Exit.CLEAN


@command.command("merge")
@_PATHS
@_OUTPUT
def merge(paths: tuple[Path, ...], *, output: Path) -> Exit:
    """Make one recording of several, by time, each exchange once."""
    damages = _ShownDamages()
    segments = [segment for path in paths for segment in find_segments(path)]
    sources = [_by_time(segment, damages.add) for segment in segments]
    merged = heapq.merge(*sources, key=lambda each: each.started_at)
    number, raw = _write(_once(merged), output)
    click.echo(f"{number:,} exchanges in {output}{' (not redacted)' if raw else ''}")
    return Exit.CLEAN


@command.command("redact")
@_PATHS
@_OUTPUT
def redact(paths: tuple[Path, ...], *, output: Path) -> Exit:
    """Copy a raw recording without its secrets."""
    redactor = TrafficRedactor()
    redacted = (
        redactor.redact(each) for each in iterate_recordings(paths, on_damage=_ShownDamages().add)
    )
    number, _ = _write(redacted, output, raw=False)
    click.echo(f"{number:,} exchanges in {output}")
    return Exit.CLEAN


def _by_time(segment: Path, on_damage: Callable[[Damage], None]) -> list[RecordedExchange]:
    """A segment holds exchanges as they ended, which is nearly, but not quite, as they began."""
    read = iterate_recordings([segment], on_damage=on_damage)
    return sorted(read, key=lambda each: each.started_at)


def _once(exchanges: Iterable[RecordedExchange]) -> Iterator[RecordedExchange]:
    seen: set[str] = set()
    for each in exchanges:
        if each.id not in seen:
            seen.add(each.id)
            yield each


def _write(
    exchanges: Iterable[RecordedExchange], output: Path, *, raw: bool | None = None
) -> tuple[int, bool]:
    """Write a recording that appears whole or not at all; how many, and whether it is raw."""
    if output.exists():
        raise InputError(f"{output} is there already", hint="Give the name of a new folder.")
    temporary = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    writer: SegmentWriter | None = None
    is_raw, number = bool(raw), 0
    try:
        temporary.mkdir(mode=0o700, parents=True)
        for each in exchanges:
            if writer is None:
                is_raw = each.raw if raw is None else raw
                writer = SegmentWriter(
                    temporary,
                    Rotation(bytes=_SEGMENT_BYTES, seconds=_FOREVER),
                    writer=secrets.token_hex(6),
                    tool=tool_version(),
                    raw=is_raw,
                )
            if raw is None and each.raw != is_raw:
                raise InputError(
                    "some of these recordings are raw and some are redacted",
                    hint="Redact the raw ones first: `webhook-fuzz recording redact`.",
                )
            writer.append(render_exchange(each))
            number += 1
        if writer is not None:
            writer.close()
            if writer.failed:
                raise InputError(f"{output} cannot be written", hint="Is there room on the disk?")
        temporary.rename(output)
    except OSError as error:
        raise InputError(
            f"{output} cannot be written: {error.strerror}", hint="Choose another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return number, is_raw


def _webhook(recorded: RecordedExchange) -> str:
    return webhook_name(recorded.exchange.webhook)


def _object(recorded: RecordedExchange) -> str:
    request = object_at(recorded.exchange.review, "request")
    kind = text_at(object_at(request, "kind"), "kind")
    metadata = object_at(object_at(request, "object"), "metadata")
    name = text_at(request, "name") or text_at(metadata, "generateName") or "?"
    namespace = text_at(request, "namespace")
    return f"{text_at(request, 'operation')} {kind} {namespace}/{name}"


def _outcome(recorded: RecordedExchange) -> str:
    outcome = recorded.exchange.outcome
    if isinstance(outcome, Answered):
        patched = read_patch(outcome) is not None
        return f"{outcome.status} {'patched' if patched else 'no patch'}"
    return f"failed: {outcome.kind}{f' {outcome.status}' if outcome.status else ''}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
