"""`webhook-fuzz check`."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.corpora.versions import parse_minor
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.outputs import prepare_folder, show_summary, write_outputs
from webhook_fuzz.fuzzer.cli.reading_progress import reading_progress, shown
from webhook_fuzz.fuzzer.cli.recorded_traffic import Damages, Selection
from webhook_fuzz.fuzzer.cli.result_options import OUTPUT, TARGET, formats_option
from webhook_fuzz.fuzzer.cli.severities import any_reaches, fail_on_option
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.recorded.judging import TrafficJudge
from webhook_fuzz.fuzzer.recorded.traffic import Traffic
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.traffic_folds import TrafficFacts, fold_traffic

_FILE = click.Path(path_type=Path, allow_dash=True)
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
@TARGET
@OUTPUT
@formats_option("run.json and report.html")
@fail_on_option("Exit 1 from this severity on.")
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
    if any_reaches((finding["severity"] for finding in run["findings"]), fail_on):
        return Exit.FINDINGS
    verdicts = [webhook["verdict"] for webhook in run["webhooks"]]
    if not verdicts or (require_exercised and "not-exercised" in verdicts):
        return Exit.INCOMPLETE
    return Exit.CLEAN


def _judge_all(recordings: Sequence[Path], wanted: Sequence[str], traffic: Traffic) -> Damages:
    """Read and judge. Raises InputError for recordings that hold nothing of these webhooks."""
    damages, read = Damages(), 0
    selection = Selection(wanted=wanted, most_others=_MOST_NAMED)
    with reading_progress("judged") as show:
        exchanges = iterate_recordings(recordings, on_damage=damages.add)
        for recorded in shown(exchanges, show, every=_STEP):
            read += 1
            if selection.takes(recorded.exchange.webhook):
                traffic.add(recorded)
    damages.tell()
    if not traffic.seen.count:
        raise selection.nothing("exchange", f" ({read:,} read)")
    return damages
