"""How does a replay go: read the recordings, send, judge or compare, write, say what it came to?"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.reading import Damage, iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.outputs import show_summary, write_outputs
from webhook_fuzz.fuzzer.cli.progress import SweepProgress
from webhook_fuzz.fuzzer.cli.run import exit_code
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.findings import Severity
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

_QUIET_SECONDS = 2.0
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
    samples, others = Samples(), set[str]()
    damages = _Damages()
    for recorded in _shown(iterate_recordings(recordings, on_damage=damages.add)):
        name = _name(recorded.exchange.webhook)
        if asked.webhooks and not _is_wanted(recorded.exchange.webhook, asked.webhooks):
            others.add(name)
            continue
        samples.add(recorded)
    damages.tell()
    chosen = _choose(samples, asked.limit, damages.count)
    _check(chosen, samples, asked, others)
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
    differs = fail_on != "never" and any(
        count and Severity(SEVERITIES[name]).at_least(Severity(fail_on))
        for name, count in result["relations"].items()
        if name in SEVERITIES
    )
    if not result["complete"]:
        return Exit.INCOMPLETE
    return Exit.FINDINGS if differs else Exit.CLEAN


@dataclass(slots=True)
class _Damages:
    """How many places of recordings could not be read, and the first of them."""

    count: int = 0
    first: Damage | None = None

    def add(self, damage: Damage) -> None:
        self.count += 1
        self.first = self.first or damage

    def tell(self) -> None:
        if self.first is not None:
            more = f" (and {self.count - 1:,} more places)" if self.count > 1 else ""
            click.echo(
                f"warning: {self.first.path}: {self.first.what}{more}; read on behind it", err=True
            )


def _shown(recorded: Iterator[RecordedExchange]) -> Iterator[RecordedExchange]:
    """The same, with a line whenever reading takes a while."""
    last = time.monotonic()
    for number, each in enumerate(recorded, 1):
        if number % 1000 == 0 and time.monotonic() - last > _QUIET_SECONDS:
            last = time.monotonic()
            click.echo(f"{number:,} recorded exchanges read so far", err=True)
        yield each


def _choose(samples: Samples, limit: int, damaged: int) -> Chosen:
    left_out = dict(samples.left_out)
    chosen = samples.chosen(limit)
    if len(samples) > limit:
        left_out[_SHAPES] = len(samples) - limit
    if samples.beyond:
        left_out[_SHAPES_BEYOND] = samples.shapes_beyond
    return Chosen(samples=chosen, read=samples.read, damaged=damaged, left_out=left_out)


def _check(chosen: Chosen, samples: Samples, asked: Asked, others: set[str]) -> None:
    if not chosen.samples:
        there = f" It holds traffic of {', '.join(sorted(others))}." if others else ""
        wanted = f" of {', '.join(asked.webhooks)}" if asked.webhooks else ""
        raise InputError(
            f"the recording holds no review{wanted} that could be sent again "
            f"({samples.read:,} exchanges read)",
            hint=f"`webhook-fuzz recording info` shows what is in it.{there}",
        )
    names = sorted({_name(webhook) for webhook in chosen.webhooks})
    if len(names) > 1 and not asked.webhooks:
        raise InputError(
            f"the recording holds the traffic of {len(names)} webhooks: {', '.join(names)}",
            hint="Choose whose is to be sent with --webhook CONFIG/NAME; repeat it for several.",
        )


def _is_wanted(webhook: WebhookIdentity, wanted: Sequence[str]) -> bool:
    return any(name in {_name(webhook), webhook.name, webhook.configuration} for name in wanted)


def _name(webhook: WebhookIdentity) -> str:
    return f"{webhook.configuration}/{webhook.name}" if webhook.configuration else webhook.name


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
