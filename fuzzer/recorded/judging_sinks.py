"""Is anything wrong with what passes the proxy right now?

Judges every call as `webhook-fuzz check` judges recorded ones, in a process of its own: what passes
is kept in memory for as long as it is judged, and what is counted and written holds nothing of it.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.fields.catalogue import Catalogue, load_catalogue
from webhook_fuzz.corpora.recordings.answers import read_outcome
from webhook_fuzz.corpora.recordings.grouping import Grouper
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.sinks import Count, Sink
from webhook_fuzz.corpora.recordings.writing import parse_review
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.fuzzer.recorded.judging import TrafficJudge
from webhook_fuzz.fuzzer.recorded.judging_results import build_document
from webhook_fuzz.fuzzer.recorded.result_files import save_document
from webhook_fuzz.fuzzer.recorded.traffic import Traffic

_LOG = logging.getLogger(__name__)
_WRITE_SECONDS: Final = 60.0
_MOST_LABELLED: Final = 100
_OTHER: Final = "other"
"""The label of webhooks beyond the first hundred: every value of a label is kept for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingSinkFactory:
    """Opens the sink in its process.

    `target` is the minor judged for ("1.37"), the newest known unless given. `results` is the file
    the findings are written to, once a minute and at the end. Raises InputError for a target or a
    file that cannot be used.
    """

    target: str | None = None
    results: Path | None = None

    def __call__(self) -> Sink:
        """The sink."""
        return JudgingSink(self)


class JudgingSink:
    """Judges what it is given; a Sink."""

    def __init__(self, options: JudgingSinkFactory) -> None:
        catalogue = load_catalogue()
        self._traffic = Traffic(judge=TrafficJudge(catalogue, _minor(options.target, catalogue)))
        self._results = options.results
        if self._results is not None:
            _prepare_folder(self._results.parent)
        self._grouper = Grouper()
        self._failed, self._unwritten = 0, 0
        self._written_at, self._written = 0.0, -1

    def take(self, exchange: RawExchange) -> None:
        """Judge one call; what fails is counted."""
        try:
            self._traffic.add(self._build(exchange))
        # Whatever is in an exchange may come from anybody, and the next one is to be judged.
        except Exception as error:  # noqa: BLE001
            self._failed += 1
            # What the error says could be of the exchange, so that only its kind is told.
            _LOG.warning("an exchange could not be judged: %s", type(error).__name__)

    def tick(self, now: float) -> None:
        """Write the results once a minute, where there is something new."""
        if now - self._written_at >= _WRITE_SECONDS:
            self._write(now)

    def counts(self) -> Sequence[Count]:
        """What was judged, and what was found."""
        traffic = self._traffic
        findings: Counter[tuple[str, str]] = Counter()
        for number, tally in enumerate(traffic.tallies.values()):
            name = tally.webhook.name if number < _MOST_LABELLED else _OTHER
            for (code, _), found in tally.found.items():
                findings[code, name] += found.occurrences.count
        return [
            Count(name="exchanges_judged", value=traffic.judged),
            Count(name="exchanges_judged_alike", value=traffic.judge.taken_over),
            *(
                Count(name="exchanges_not_judged", value=count, labels={"reason": reason.name})
                for reason, count in sorted(traffic.not_judged.items())
            ),
            Count(name="judging_failed", value=self._failed),
            Count(name="judging_results_failed", value=self._unwritten),
            *(
                Count(name="findings", value=count, labels={"code": code, "webhook": name})
                for (code, name), count in sorted(findings.items())
            ),
        ]

    def close(self) -> None:
        """Write the results."""
        self._write(time.time())

    def _build(self, exchange: RawExchange) -> RecordedExchange:
        """As a recording keeps it, but as it passed, and without what no check looks at."""
        review = parse_review(exchange.request_body)
        id_ = f"live-{self._traffic.seen.count + 1:08d}"
        place = self._grouper.place(
            exchange.webhook, review, id_=id_, started_at=exchange.started_at
        )
        return RecordedExchange(
            id=id_,
            exchange=Exchange(
                webhook=exchange.webhook,
                review=review,
                outcome=read_outcome(exchange.answer),
                seconds=exchange.seconds,
            ),
            started_at=exchange.started_at,
            upstream_seconds=exchange.upstream_seconds,
            target="",
            request=place.request,
            attempt=place.attempt,
            invocation=place.invocation,
            hung_up=exchange.hung_up,
            raw=True,
        )

    def _write(self, now: float) -> None:
        self._written_at = now
        if self._results is None or self._written == self._traffic.seen.count:
            return
        try:
            save_document(build_document(self._traffic, now), self._results)
            self._written = self._traffic.seen.count
        except OSError as error:
            self._unwritten += 1
            _LOG.warning("the findings could not be written: %s", error.strerror)


def _minor(text: str | None, catalogue: Catalogue) -> Minor:
    minor = parse_minor(text) if text else catalogue.newest
    oldest = min(catalogue.sources).shifted(1)
    if not oldest <= minor <= catalogue.newest:
        raise InputError(
            f"the field catalogue knows nothing of Kubernetes {minor}",
            hint=f"It covers {oldest} to {catalogue.newest}; a newer webhook-fuzz may know more.",
        )
    return minor


def _prepare_folder(folder: Path) -> None:
    """Make the folder of the results, for its owner only; another sink may be making it too."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"results cannot be written to {folder}: {error.strerror or error}",
            hint="Choose another folder for the findings.",
        ) from error
