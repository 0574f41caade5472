"""How does a replay go: read the recordings, send, judge or compare, write, say what it came to?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.outputs import show_summary, write_outputs
from webhook_fuzz.fuzzer.cli.progress import SweepProgress
from webhook_fuzz.fuzzer.cli.reading_progress import ReadingLines, shown
from webhook_fuzz.fuzzer.cli.recorded_traffic import Damages, Selection, webhook_name
from webhook_fuzz.fuzzer.cli.run import exit_code
from webhook_fuzz.fuzzer.cli.severities import any_reaches
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.recorded.comparing import Compared
from webhook_fuzz.fuzzer.recorded.differential import Differential, Party
from webhook_fuzz.fuzzer.recorded.replaying import Replay, ReplayOptions
from webhook_fuzz.fuzzer.recorded.sending import PacedTransport
from webhook_fuzz.fuzzer.recorded.shapes import Sample, Samples
from webhook_fuzz.fuzzer.transports import Transport
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport
from webhook_fuzz.reports.comparison_pages import render_comparison_html
from webhook_fuzz.reports.comparison_texts import render_comparison
from webhook_fuzz.reports.comparisons import (
    FILE_NAME,
    PAGE_NAME,
    SEVERITIES,
    ComparisonFacts,
    ComparisonFold,
    ComparisonResult,
    PartyResult,
    render_comparison_json,
)
from webhook_fuzz.reports.files import save_text
from webhook_fuzz.reports.folding import RunFacts, fold_run
from webhook_fuzz.reports.replay_folds import (
    REPLAY_FILE_NAME,
    ReplayResult,
    describe_replay,
    fold_replay,
    render_replay_json,
)

_STEP = 1000
_SHAPES = "different reviews beyond the limit"
_SHAPES_BEYOND = "different reviews beyond what is kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user wants. `webhooks` are CONFIG/NAME, `rate` is calls a second, None unlimited."""

    limit: int
    webhooks: Sequence[str]
    rate: float | None
    output: Path
    formats: Sequence[str]
    fail_on: str
    require_exercised: bool
    options: ReplayOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The reviews to be sent, and what was read for them; `webhooks` are whose they were."""

    samples: tuple[Sample, ...]
    read: int
    damaged: int
    left_out: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def webhooks(self) -> tuple[WebhookIdentity, ...]:
        """Whose traffic it was."""
        return tuple(dict.fromkeys(sample.webhook for sample in self.samples))


def read_samples(recordings: Sequence[Path], asked: Asked) -> Chosen:
    """One review of every shape, of the webhooks asked for.

    Raises InputError for recordings that cannot be read, that hold nothing of these webhooks, or
    the traffic of several where none was chosen.
    """
    samples, damages = Samples(), Damages()
    selection = Selection(wanted=asked.webhooks)
    exchanges = iterate_recordings(recordings, on_damage=damages.add)
    for recorded in shown(exchanges, ReadingLines("read"), every=_STEP):
        if selection.takes(recorded.exchange.webhook):
            samples.add(recorded)
    damages.tell(lambda damage: f"{damage.path}: {damage.what}")
    chosen = _choose(samples, asked.limit, damages.count)
    _check(chosen, samples, selection)
    return chosen


async def replay_to_webhook(chosen: Chosen, options: DirectOptions, asked: Asked) -> Exit:
    """Send the reviews to one webhook, judge the answers, write and show what was found."""
    options = _named(options, chosen)
    started, clock = datetime.now(UTC), time.monotonic()
    with SweepProgress() as progress:
        async with DirectTransport(options) as transport:
            replay = Replay(
                samples=chosen.samples,
                webhook=options.identity(),
                transport=_paced(transport, asked.rate),
                options=asked.options,
            )
            async for event in replay.events():
                progress.show(event)
    run = fold_run(
        [replay.tally],
        RunFacts(
            version=tool_version(),
            target=replay.plan.target,
            started=started,
            seconds=time.monotonic() - clock,
            seed=asked.options.random_seed,
            complete=True,
        ),
        replay.plan,
    )
    result = fold_replay(
        replay.facts, read=chosen.read, damaged=chosen.damaged, left_out=chosen.left_out
    )
    describe_replay(run, result)
    written = write_outputs(run, asked.output, asked.formats)
    written.append(save_text(render_replay_json(result), asked.output / REPLAY_FILE_NAME))
    show_summary(run, written)
    _show_replay(result)
    return exit_code(run, fail_on=asked.fail_on, require_exercised=asked.require_exercised)


async def compare_webhooks(
    chosen: Chosen, both: tuple[DirectOptions, DirectOptions], asked: Asked
) -> Exit:
    """Send the reviews to two webhooks, compare the answers, write and show what differs."""
    started, clock = datetime.now(UTC), time.monotonic()
    first, second = both
    with SweepProgress() as progress:
        async with DirectTransport(first) as one, DirectTransport(second) as other:
            differential = Differential(
                samples=chosen.samples,
                first=Party(webhook=first.identity(), transport=_paced(one, asked.rate)),
                second=Party(webhook=second.identity(), transport=_paced(other, asked.rate)),
                options=asked.options,
            )
            fold = ComparisonFold(catalogue=differential.plan.catalogue)
            async for compared in differential.events():
                fold.add(compared)
                progress.show(_as_event(compared))
    facts = ComparisonFacts(
        version=tool_version(),
        target=differential.plan.target,
        started=started,
        seconds=time.monotonic() - clock,
        seed=asked.options.random_seed,
        complete=differential.complete,
        exchanges=chosen.read,
        first=_party(first),
        second=_party(second),
        left_out={**chosen.left_out, **differential.not_enriched},
    )
    result = fold.result(facts)
    save_text(render_comparison_json(result), asked.output / FILE_NAME)
    page = save_text(render_comparison_html(result), asked.output / PAGE_NAME)
    click.echo(render_comparison(result, report=str(page)), nl=False)
    return comparison_exit(result, asked.fail_on)


def comparison_exit(result: ComparisonResult, fail_on: str) -> Exit:
    """What a comparison comes to: differences first, then what could not be done."""
    if not result["complete"]:
        return Exit.INCOMPLETE
    counts = result["relations"]
    met = (severity for name, severity in SEVERITIES.items() if counts.get(name))
    return Exit.FINDINGS if any_reaches(met, fail_on) else Exit.CLEAN


def _choose(samples: Samples, limit: int, damaged: int) -> Chosen:
    left_out = dict(samples.left_out)
    chosen = samples.chosen(limit)
    if len(samples) > limit:
        left_out[_SHAPES] = len(samples) - limit
    if samples.beyond:
        left_out[_SHAPES_BEYOND] = samples.shapes_beyond
    return Chosen(samples=chosen, read=samples.read, damaged=damaged, left_out=left_out)


def _check(chosen: Chosen, samples: Samples, selection: Selection) -> None:
    if not chosen.samples:
        raise selection.nothing(
            "review", f" that could be sent again ({samples.read:,} exchanges read)"
        )
    names = sorted({webhook_name(webhook) for webhook in chosen.webhooks})
    if len(names) > 1 and not selection.wanted:
        raise InputError(
            f"the recording holds the traffic of {len(names)} webhooks: {', '.join(names)}",
            hint="Choose whose is to be sent with --webhook CONFIG/NAME; repeat it for several.",
        )


def _named(options: DirectOptions, chosen: Chosen) -> DirectOptions:
    """Called what it was called when it was recorded, where that was one webhook."""
    if len(chosen.webhooks) != 1:
        return options
    (webhook,) = chosen.webhooks
    return replace(options, configuration=webhook.configuration, name=webhook.name)


def _paced(transport: Transport, rate: float | None) -> Transport:
    return transport if rate is None else PacedTransport(transport, rate)


def _party(options: DirectOptions) -> PartyResult:
    webhook = options.identity()
    return {
        "configuration": webhook.configuration,
        "name": webhook.name,
        "url": webhook.url,
    }


def _as_event(compared: Compared) -> CaseJudged:
    return CaseJudged(case=compared.case, observation=compared.first, findings=())


def _show_replay(result: ReplayResult) -> None:
    """What was sent of what was recorded, and what was not."""
    sent, pods = result["sent_as_recorded"], result["enriched"]
    with_fields = f", {pods:,} of them also with new fields" if pods else ""
    click.echo(f"Replayed {sent:,} different reviews of {result['read']:,} recorded{with_fields}")
    for reason, count in result["left_out"].items():
        click.echo(f"Left out {count:,}: {reason}")
