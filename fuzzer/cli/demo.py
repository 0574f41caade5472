"""`webhook-fuzz demo`."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.outputs import prepare_folder, write_outputs
from webhook_fuzz.fuzzer.cli.result_options import OUTPUT
from webhook_fuzz.fuzzer.cli.sweeps import sweep_webhooks
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.specimens.programs import Specimen
from webhook_fuzz.fuzzer.specimens.serving import RunningSpecimen, serve_many
from webhook_fuzz.fuzzer.transports.direct import DirectOptions
from webhook_fuzz.reports.results import RunResult

_TIMEOUT_SECONDS = 10.0
_SHORT_TIMEOUT_SECONDS = 1.0
"""For the specimen that never answers, so that it does not hold everybody up."""


@click.command("demo")
@OUTPUT
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["junit", "sarif", "markdown"]),
    help="More formats beside run.json and report.html.",
)
def command(*, output: Path, formats: tuple[str, ...]) -> int:
    """Sweep webhooks with one known fault each, over real TLS, like any others.

    Exits 0 only if what was found is what was planted: nothing missing, nothing made up.
    """
    prepare_folder(output)
    run = asyncio.run(_sweep(SPECIMENS.values()))
    written = write_outputs(run, output, formats)
    rows = [compare(specimen, run) for specimen in SPECIMENS.values()]
    _show_table(rows)
    click.echo(f"Written: {', '.join(map(str, written))}")
    return Exit.CLEAN if all(row.agrees for row in rows) else Exit.FINDINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One specimen: what was planted in it, what was found, and whether the two agree."""

    specimen: str
    verdict: str
    planted: frozenset[str]
    missing: frozenset[str]
    made_up: frozenset[str]

    @property
    def agrees(self) -> bool:
        """Whether everything planted was found, and nothing else."""
        return not self.missing and not self.made_up


def compare(specimen: Specimen, run: RunResult) -> Row:
    """The specimen's row of the table."""
    webhook = next(entry for entry in run["webhooks"] if entry["name"] == specimen.name)
    found = {entry["code"] for entry in run["findings"] if entry["webhook"] == specimen.name}
    return Row(
        specimen=specimen.name,
        verdict=webhook["verdict"],
        planted=specimen.expected_codes,
        missing=specimen.expected_codes - found,
        made_up=frozenset(found - specimen.expected_codes - specimen.possible_codes),
    )


async def _sweep(specimens: Iterable[Specimen]) -> RunResult:
    """All specimens with the triggers they need, as a user would give them with --trigger."""
    chosen = tuple(specimens)
    triggers = [
        Trigger(name=f"{specimen.name}-annotation", annotations=specimen.trigger_annotations)
        for specimen in chosen
        if specimen.trigger_annotations
    ]
    async with serve_many(chosen) as running:
        targets = [_options(specimen) for specimen in running.values()]
        return await sweep_webhooks(build_plan(triggers=triggers), targets)


def _options(running: RunningSpecimen) -> DirectOptions:
    never_answers = "WF001" in running.specimen.expected_codes
    return DirectOptions(
        url=running.url,
        configuration="specimens",
        name=running.specimen.name,
        ca_file=running.ca_file,
        timeout_seconds=_SHORT_TIMEOUT_SECONDS if never_answers else _TIMEOUT_SECONDS,
    )


def _show_table(rows: Sequence[Row]) -> None:
    width = max(len(row.specimen) for row in rows)
    click.echo(f"\n{'specimen':<{width}}  {'verdict':<13}  planted and found")
    for row in rows:
        said = " ".join(sorted(row.planted)) or "nothing"
        if row.missing:
            said += f"  NOT FOUND: {' '.join(sorted(row.missing))}"
        if row.made_up:
            said += f"  MADE UP: {' '.join(sorted(row.made_up))}"
        click.echo(f"{row.specimen:<{width}}  {row.verdict:<13}  {said}")
    agreeing = sum(row.agrees for row in rows)
    click.echo(f"\n{agreeing} of {len(rows)} specimens: found is what was planted")
