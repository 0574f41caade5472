"""What does recorded traffic say of each webhook so far?

The same finding on a million exchanges is one, with the smallest exchange that shows it, and how
often and when it occurred. Everything that is kept is bounded, in number and in bytes: what has no
room is counted. Repeated calls and reinvocations are counted apart, because the API server makes
them for one and the same request.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.recorded.applicability import Extent
from webhook_fuzz.fuzzer.recorded.judging import Judged, Sight
from webhook_fuzz.fuzzer.recorded.witnesses import Witness, WitnessStore

MOST_FOUND: Final = 1_000
"""Distinct findings of one webhook; a hostile one could make as many as there are texts."""

MOST_PATHS: Final = 50
_MOST_RESOURCES: Final = 50
_OTHERS: Final = "others"
_STEPS: Final = 50  # a factor of e is that many: a median is right within 2 %

Examine = Callable[[RecordedExchange], tuple[Finding, ...]]


@dataclass(slots=True, kw_only=True)
class Occurrences:
    """How often and when something occurred, in seconds since the epoch.

    `count` counts exchanges; of these, `retries` are calls that were repeated by the API server,
    and `reinvocations` those of its second round.
    """

    count: int = 0
    retries: int = 0
    reinvocations: int = 0
    first_seen: float = math.inf
    last_seen: float = -math.inf

    def add(self, recorded: RecordedExchange) -> None:
        """It occurred in one more exchange."""
        self.count += 1
        if recorded.attempt > 1:
            self.retries += 1
        if recorded.invocation > 1:
            self.reinvocations += 1
        at = recorded.started_at
        self.first_seen = min(self.first_seen, at)
        self.last_seen = max(self.last_seen, at)


@dataclass(slots=True, kw_only=True)
class TrafficFound:
    """One distinct finding, as its smallest exchange shows it, and the first of its paths."""

    finding: Finding
    witness: Witness
    paths: dict[str, None] = field(default_factory=dict[str, None])
    occurrences: Occurrences = field(default_factory=Occurrences)

    def add_path(self, path: str | None) -> None:
        """One more place it was seen at."""
        if path is not None and len(self.paths) < MOST_PATHS:
            self.paths[path] = None


@dataclass(slots=True, kw_only=True)
class FieldCount:
    """In how many exchanges a new field was on the pod, and how many of these were patched."""

    occurred: int = 0
    patched: int = 0


@dataclass(slots=True, kw_only=True)
class TrafficTally:
    """Everything known of one webhook. `beyond` counts sightings of findings that had no room."""

    webhook: WebhookIdentity
    store: WitnessStore
    judged: Occurrences = field(default_factory=Occurrences)
    dry_runs: int = 0
    reached: int = 0
    answered: int = 0
    denied: int = 0
    patched: int = 0
    patched_pods: int = 0
    patched_with_new_fields: int = 0
    unclaimed: int = 0
    beyond: int = 0
    extents: Counter[Extent] = field(default_factory=Counter[Extent])
    resources: Counter[str] = field(default_factory=Counter[str])
    fields: dict[str, FieldCount] = field(default_factory=dict[str, FieldCount])
    mechanisms: set[str] = field(default_factory=set[str])
    found: dict[tuple[str, str | None], TrafficFound] = field(
        default_factory=dict[tuple[str, str | None], TrafficFound]
    )
    _latencies: Counter[int] = field(default_factory=Counter[int])

    def add(self, judged: Judged, examine: Examine) -> None:
        """Fold one exchange in; `examine` finds its findings again where only their sights are."""
        recorded, judgement = judged.recorded, judged.judgement
        self.judged.add(recorded)
        self.extents[judgement.extent] += 1
        request = object_at(recorded.exchange.review, "request")
        self.dry_runs += request.get("dryRun") is True
        if judgement.extent is not Extent.POD:
            self._count_resource(request)
        self.reached += judgement.reached
        self.denied += judgement.denied
        self.patched += judgement.patched
        self.unclaimed += judgement.unclaimed
        if judgement.answered:
            self.answered += 1
            self._latencies[_step(recorded.exchange.seconds)] += 1
        if judgement.mechanism is not None:
            self.mechanisms.add(judgement.mechanism)
            self.patched_pods += 1
            self.patched_with_new_fields += bool(judgement.fields)
        for path in judgement.fields:
            self._count_field(path, patched=judgement.mechanism is not None)
        if judgement.sights:
            self._add_sights(judged, examine)

    @property
    def median_seconds(self) -> float | None:
        """The median time of the calls that were answered, None without any."""
        middle = (self.answered + 1) // 2
        for step in sorted(self._latencies):
            middle -= self._latencies[step]
            if middle <= 0:
                return math.exp(step / _STEPS)
        return None

    def _add_sights(self, judged: Judged, examine: Examine) -> None:
        by_key: dict[tuple[str, str | None], list[Sight]] = {}
        for sight in judged.judgement.sights:
            by_key.setdefault(sight.key, []).append(sight)
        findings = judged.findings
        for key, sights in by_key.items():
            known = self.found.get(key)
            if known is None or judged.size < known.witness.size:
                if findings is None:
                    findings = examine(judged.recorded)
                known = self._take_witness(key, judged, findings)
            if known is None:
                self.beyond += 1
                continue
            known.occurrences.add(judged.recorded)
            for sight in sights:
                known.add_path(sight.path)

    def _take_witness(
        self, key: tuple[str, str | None], judged: Judged, findings: tuple[Finding, ...]
    ) -> TrafficFound | None:
        """The finding with this exchange as its witness; None where there is no room."""
        known = self.found.get(key)
        finding = next((each for each in findings if each.key == key), None)
        if finding is None or (known is None and len(self.found) >= MOST_FOUND):
            return known
        witness = self.store.keep(
            judged.recorded, judged.size, instead_of=known.witness if known else None
        )
        if witness is None:
            return known
        if known is None:
            known = self.found[key] = TrafficFound(finding=finding, witness=witness)
        else:
            known.finding, known.witness = finding, witness
        return known

    def _count_field(self, path: str, *, patched: bool) -> None:
        count = self.fields.get(path)
        if count is None:
            count = self.fields[path] = FieldCount()
        count.occurred += 1
        count.patched += patched

    def _count_resource(self, request: JsonObject) -> None:
        resource = object_at(request, "resource")
        name = ".".join(
            part for part in (text_at(resource, "resource"), text_at(resource, "group")) if part
        )
        below = text_at(request, "subResource")
        shown = f"{name or 'unnamed'}{'/' + below if below else ''} {text_at(request, 'operation')}"
        is_new = shown not in self.resources
        crowded = is_new and len(self.resources) >= _MOST_RESOURCES
        self.resources[_OTHERS if crowded else shown[:200]] += 1


def _step(seconds: float) -> int:
    """The step of a logarithmic scale a duration is on, from a microsecond to a day."""
    return round(math.log(min(max(seconds, 1e-6), 86_400.0)) * _STEPS)
