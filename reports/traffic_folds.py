"""How does judged traffic become a `run.json`?

As a run does, with its verdicts, findings and reports; but what did not occur in the traffic was
not tried. A webhook counts as exercised only where it patched pods that have a new field, and the
sentence about it says on how much that rests. What a recording holds of secrets stays in it.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.pods import ABSENT
from webhook_fuzz.corpora.recordings.redacting import TrafficRedactor
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.cases import Case, Purpose
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.recorded.applicability import Extent
from webhook_fuzz.fuzzer.recorded.judging import TrafficJudge
from webhook_fuzz.fuzzer.recorded.requests import PlainObservation
from webhook_fuzz.fuzzer.recorded.traffic import Traffic
from webhook_fuzz.fuzzer.recorded.traffic_tallies import Occurrences, TrafficFound, TrafficTally
from webhook_fuzz.fuzzer.recorded.witnesses import Witness
from webhook_fuzz.fuzzer.tallies import Found, Tally
from webhook_fuzz.reports.finding_folds import identify
from webhook_fuzz.reports.folding import RunFacts, fold_run
from webhook_fuzz.reports.results import Coverage, FindingResult, RunResult, WebhookResult
from webhook_fuzz.reports.texts import counted
from webhook_fuzz.reports.traffic_results import (
    FieldOutcome,
    FindingOccurrences,
    TrafficField,
    TrafficResult,
    TrafficWebhook,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficFacts:
    """What a result says of the run as a whole, and of what was read for it."""

    version: str
    target: Minor
    started: datetime
    seconds: float
    recordings: Sequence[str]
    damaged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quoted:
    """A witness as it may be shown: `observation` holds no secret, None where that cannot be.

    `findings` are what that one shows, by their keys, where it is not the one that was judged.
    """

    judged: Observation
    observation: Observation | None
    findings: Mapping[tuple[str, str | None], Finding] | None = None

    def finding(self, found: Finding) -> Finding:
        """The finding with the values that may be shown."""
        if self.findings is None:
            return found
        return self.findings.get(found.key) or replace(found, before=ABSENT, after=ABSENT)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What stands behind the entries of a result: by the id of a finding, what showed it."""

    found: dict[str, TrafficFound] = field(default_factory=dict[str, TrafficFound])
    quoted: dict[int, _Quoted] = field(default_factory=dict[int, _Quoted])

    def quote(self, witness: Witness, judge: TrafficJudge) -> _Quoted:
        """The witness as it may be shown, worked out once."""
        if id(witness) not in self.quoted:
            self.quoted[id(witness)] = _quote(witness, judge)
        return self.quoted[id(witness)]


def fold_traffic(traffic: Traffic, facts: TrafficFacts, plan: Plan) -> RunResult:
    """The result, webhooks in the order they were met. `plan.redactor` learns what is quoted."""
    kept, tallies = _Kept(), list(traffic.tallies.values())
    folded = [_tally(tally, traffic.judge, kept) for tally in tallies]
    plan.redactor.learn(pod for each in kept.quoted.values() for pod in _pods(each.judged))
    run = fold_run(
        folded,
        RunFacts(
            version=facts.version,
            target=facts.target,
            started=facts.started,
            seconds=facts.seconds,
            seed=0,
            complete=True,
        ),
        plan,
    )
    run["findings"] = [_as_recorded(each, kept) for each in run["findings"]]
    run["traffic"] = _result(traffic, facts, run, plan.catalogue)
    for webhook, shown in zip(run["webhooks"], run["traffic"]["webhooks"], strict=True):
        _describe(webhook, shown)
    return run


def _tally(tally: TrafficTally, judge: TrafficJudge, kept: _Kept) -> Tally:
    """The tally of a sweep that had found the same."""
    seconds = tally.median_seconds
    folded = Tally(
        webhook=tally.webhook,
        calls=tally.judged.count,
        answered=tally.answered,
        reached=tally.reached > 0,
        patched=tally.patched_pods if tally.patched_with_new_fields else 0,
        denied=tally.denied,
        complete=True,
        seconds=[] if seconds is None else [seconds],
        answered_fields={frozenset(tally.fields)},
        patched_fields={frozenset(path for path, seen in tally.fields.items() if seen.patched)},
        mechanisms=tally.mechanisms,
    )
    for key, found in tally.found.items():
        kept.found[identify(tally.webhook, found.finding)] = found
        folded.found[key] = _found(found, judge, kept)
    return folded


def _found(found: TrafficFound, judge: TrafficJudge, kept: _Kept) -> Found:
    witness = found.witness
    quoted = kept.quote(witness, judge)
    observation = quoted.observation or quoted.judged
    return Found(
        finding=quoted.finding(found.finding),
        witness=observation,
        case=_case(witness, observation),
        size=witness.size,
        paths=found.paths,
    )


def _quote(witness: Witness, judge: TrafficJudge) -> _Quoted:
    """A raw exchange is redacted as if it were recorded now, and judged again as that."""
    judged = judge.observe(witness.exchange)
    if isinstance(judged, PlainObservation):
        return _Quoted(judged=judged, observation=None)  # a Secret, say
    if not witness.raw:
        return _Quoted(judged=judged, observation=judged)
    try:
        redacted = TrafficRedactor().redact(witness.recorded)
    except (TypeError, ValueError, RecursionError):  # of no shape that can be walked through
        return _Quoted(judged=judged, observation=None, findings={})
    return _Quoted(
        judged=judged,
        observation=judge.observe(redacted.exchange),
        findings={finding.key: finding for finding in reversed(judge.examine(redacted))},
    )


def _case(witness: Witness, observation: Observation) -> Case:
    request = object_at(observation.exchange.review, "request")
    return Case(
        name=f"recorded-{witness.id}",
        purpose=Purpose.SWEEP,
        seed=f"recorded-{witness.id}",
        trigger=NO_TRIGGER,
        namespace=text_at(request, "namespace"),
        pod=observation.sent,
        placements=(),
        fields=frozenset(),
    )


def _pods(observation: Observation) -> Iterator[dict[str, JsonValue]]:
    """The pods that are quoted: as it was sent, and with what the webhook put into it."""
    if not isinstance(observation, PlainObservation):
        yield observation.sent
        if isinstance(observation.patched, dict):
            yield observation.patched


def _as_recorded(finding: FindingResult, kept: _Kept) -> FindingResult:
    """The finding with how often it occurred, and without what is nobody's to read."""
    found = kept.found.get(finding["id"])
    if found is None:
        return finding
    witness, reproducer = found.witness, finding["reproducer"]
    if kept.quoted[id(witness)].observation is None:
        # Where it is recorded is all there is to say of it.
        finding["reproducer"] = None
    elif reproducer is not None:
        reproducer["confirmed"] = "as-recorded"
        if witness.raw:
            # It can hold a patch that cannot be read, and a secret in that.
            reproducer.pop("patch_text", None)
    finding["occurrences"] = _occurrences(found.occurrences, witness.id)
    return finding


def _occurrences(seen: Occurrences, exchange: str) -> FindingOccurrences:
    return {
        "exchange": exchange,
        "count": seen.count,
        "retries": seen.retries,
        "reinvocations": seen.reinvocations,
        "first_seen": _time(seen.first_seen),
        "last_seen": _time(seen.last_seen),
    }


def _result(
    traffic: Traffic, facts: TrafficFacts, run: RunResult, catalogue: Catalogue
) -> TrafficResult:
    return {
        "recordings": list(facts.recordings),
        "exchanges": traffic.seen.count,
        "judged": traffic.judged,
        "not_judged": {str(reason): count for reason, count in traffic.not_judged.most_common()},
        "damaged": facts.damaged,
        "first_seen": _time(traffic.seen.first_seen),
        "last_seen": _time(traffic.seen.last_seen),
        "webhooks": [
            _webhook(tally, webhook, coverage, traffic.judge, catalogue)
            for tally, webhook, coverage in zip(
                traffic.tallies.values(), run["webhooks"], run["coverage"], strict=True
            )
        ],
    }


def _webhook(
    tally: TrafficTally,
    webhook: WebhookResult,
    coverage: Coverage,
    judge: TrafficJudge,
    catalogue: Catalogue,
) -> TrafficWebhook:
    return {
        "webhook": coverage["webhook"],
        "exchanges": tally.judged.count,
        "retries": tally.judged.retries,
        "reinvocations": tally.judged.reinvocations,
        "dry_runs": tally.dry_runs,
        "answered": tally.answered,
        "denied": tally.denied,
        "patched": tally.patched,
        "pods": tally.extents[Extent.POD],
        "patched_pods": tally.patched_pods,
        "patched_new": tally.patched_with_new_fields,
        "in_part": dict(tally.resources.most_common()),
        "first_seen": _time(tally.judged.first_seen),
        "last_seen": _time(tally.judged.last_seen),
        "fields": list(_fields(tally, webhook, catalogue)),
        "fields_not_seen": len(judge.new_fields) - len(tally.fields),
        "unclaimed": tally.unclaimed,
        "findings_beyond": tally.beyond,
    }


def _fields(
    tally: TrafficTally, webhook: WebhookResult, catalogue: Catalogue
) -> Iterator[TrafficField]:
    """The new fields that occurred, the oldest first."""
    known = {path: found for path in tally.fields if (found := catalogue.get(path)) is not None}
    for path in sorted(known, key=lambda path: (known[path].since, path)):
        seen = tally.fields[path]
        yield {
            "path": path,
            "since": str(known[path].since),
            "occurred": seen.occurred,
            "patched": seen.patched,
            "outcome": _outcome(path, webhook, was_patched=seen.patched > 0),
        }


def _outcome(path: str, webhook: WebhookResult, *, was_patched: bool) -> FieldOutcome:
    if _is_within(path, webhook["moved_fields"]):
        return "moved"
    if _is_within(path, webhook["lost_fields"]):
        return "lost"
    return "kept" if was_patched else "not-patched"


def _is_within(path: str, others: Iterable[str]) -> bool:
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in others)


def _describe(webhook: WebhookResult, shown: TrafficWebhook) -> None:
    """Replace the sentences that would tell of a sweep."""
    if webhook["verdict"] == "compatible":
        webhook["sentence"] = (
            f"All {counted(len(shown['fields']), 'new field')} that occurred came through "
            f"{counted(shown['patched_new'], 'patched pod')}; {_unknown(shown)}"
        )
    elif webhook["verdict"] == "not-exercised":
        webhook["sentence"] = _not_exercised(shown)


def _not_exercised(shown: TrafficWebhook) -> str:
    judged = counted(shown["exchanges"], "recorded request")
    if shown["patched_pods"]:
        return (
            f"It patched {counted(shown['patched_pods'], 'recorded pod')}, none of which has a "
            f"field Kubernetes gained since; {_unknown(shown)}"
        )
    if shown["patched"]:
        return (
            f"It patched {counted(shown['patched'], 'recorded object')} of other kinds and no pod: "
            "what it does with new fields of pods is not known."
        )
    return (
        f"It patched none of {judged}: nothing is known about it. Record traffic on which it acts."
    )


def _unknown(shown: TrafficWebhook) -> str:
    return (
        f"of the {counted(shown['fields_not_seen'], 'other')} nothing is known. `webhook-fuzz "
        "replay --enrich` tries them on the recorded pods."
    )


def _time(seconds: float) -> str | None:
    """RFC 3339; None for what no calendar has."""
    if not math.isfinite(seconds):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None
