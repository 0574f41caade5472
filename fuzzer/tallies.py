"""What has a run found out about one webhook so far?

Folds the engine's events: the same finding on many pods becomes one, with the smallest pod that
shows it; what was sent and answered is counted; fields are kept or broken.
"""

from dataclasses import dataclass, field

from webhook_fuzz.corpora.exchanges import Answered, WebhookIdentity, was_reached
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.fuzzer.checks.shapes import mechanism
from webhook_fuzz.fuzzer.events import (
    CaseJudged,
    Event,
    TriggerFinished,
    WebhookFinished,
    WebhookStarted,
)
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.cases import Case, Placement, Purpose
from webhook_fuzz.fuzzer.observations import Observation

_MECHANISMS = (
    "full-object-replacement",
    "list-replacement",
    "element-recreation",
    "index-comparison",
    "typed-round-trip",
    "surgical",
)
"""Worst first: a webhook is what its worst patch shows."""

_SIDES_OF_A_MOVE = frozenset({"WF102", "WF103", "WF107", "WF108"})
# A call that fails, or an answer that cannot be used, as a whole.
_FAILED_CALLS = frozenset({"WF001", "WF002", "WF003", "WF004"})


@dataclass(slots=True, kw_only=True)
class Found:
    """One distinct finding: as first seen, all its keyed paths, and its smallest witness.

    `common_fields` are the probed fields that every pod showing it carried; `size` is the length of
    the witness's pod.
    """

    finding: Finding
    witness: Observation
    case: Case
    size: int
    paths: dict[str, None] = field(default_factory=dict[str, None])
    alone: bool = False
    common_fields: frozenset[str] | None = None

    def add(self, finding: Finding, seen: "_Seen") -> None:
        """Another pod shows it: one without a trigger, and a smaller one, becomes the witness."""
        if finding.path is not None:
            self.paths[finding.path] = None
        known = seen.fields if self.common_fields is None else self.common_fields
        self.common_fields = seen.fields & known
        if seen.rank < (not self.alone, self.case.trigger != NO_TRIGGER, self.size):
            self.finding, self.case, self.witness = finding, seen.case, seen.observation
            self.alone, self.size = seen.alone, seen.size


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One judged case, with what all of its findings need to know worked out once."""

    case: Case
    observation: Observation
    fields: frozenset[str]
    alone: bool
    size: int

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """What makes a good witness: a probe alone, then no trigger, then few bytes."""
        return (not self.alone, self.case.trigger != NO_TRIGGER, self.size)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Everything known about one webhook; feed it the engine's events in order."""

    webhook: WebhookIdentity
    calls: int = 0
    answered: int = 0
    reached: bool = False
    patched: int = 0
    denied: int = 0
    confirmations: int = 0
    complete: bool = False
    seconds: list[float] = field(default_factory=list[float])
    found: dict[tuple[str, str | None], Found] = field(
        default_factory=dict[tuple[str, str | None], Found]
    )
    placements: dict[str, Placement] = field(default_factory=dict[str, Placement])
    planned_paths: frozenset[str] = frozenset()
    answered_fields: set[frozenset[str]] = field(default_factory=set[frozenset[str]])
    patched_fields: set[frozenset[str]] = field(default_factory=set[frozenset[str]])
    triggers: list[TriggerFinished] = field(default_factory=list[TriggerFinished])
    mechanisms: set[str] = field(default_factory=set[str])
    future_tried: bool = False

    def add(self, event: Event) -> None:
        """Fold one event in."""
        match event:
            case CaseJudged():
                self._add_case(event)
            case WebhookStarted():
                self.planned_paths = event.fields
            case TriggerFinished():
                self.triggers.append(event)
            case WebhookFinished():
                self.complete = event.complete
            case _:
                pass

    @property
    def exercised(self) -> bool:
        """Whether the webhook answered any pod with a patch that applies."""
        return self.patched > 0

    @property
    def answered_paths(self) -> frozenset[str]:
        """The probed fields of all pods that were answered."""
        return frozenset[str]().union(*self.answered_fields)

    @property
    def patched_paths(self) -> frozenset[str]:
        """The probed fields of all pods that were answered with a patch."""
        return frozenset[str]().union(*self.patched_fields)

    @property
    def mechanism(self) -> str:
        """How it makes its patches, by the worst one seen; `none` without any."""
        return next((name for name in _MECHANISMS if name in self.mechanisms), "none")

    @property
    def findings(self) -> tuple[Found, ...]:
        """What is reported: nothing that another finding explains."""
        blamed = self.fields_with("WF007", "WF008")
        moved = self.fields_with("WF104")
        return tuple(
            found
            for found in self.found.values()
            if not _is_told_by_field(found, blamed) and not _is_told_by_move(found, moved)
        )

    def fields_with(self, *codes: str) -> frozenset[str]:
        """The catalogue paths of all findings with one of these codes."""
        return frozenset(field for code, field in self.found if code in codes and field is not None)

    def _add_case(self, event: CaseJudged) -> None:
        case, observation = event.case, event.observation
        self.calls += 1
        self.confirmations += case.purpose is Purpose.ALONE
        self.seconds.append(observation.exchange.seconds)
        if case.fields not in self.answered_fields:
            for placement in case.placements:
                for path in placement.paths:
                    self.placements.setdefault(path, placement)
        outcome = observation.exchange.outcome
        self.reached |= was_reached(outcome)
        if isinstance(outcome, Answered):
            self.answered += 1
            self.answered_fields.add(case.fields)
        self.denied += observation.denied
        if event.patched:
            self._add_patch(event)
        if event.findings:
            seen = _seen(case, observation)
            for finding in event.findings:
                self._add_finding(finding, seen)

    def _add_patch(self, event: CaseJudged) -> None:
        self.patched += 1
        self.patched_fields.add(event.case.fields)
        self.future_tried |= event.case.purpose is Purpose.FUTURE
        self.mechanisms.add(mechanism(event.findings))

    def _add_finding(self, finding: Finding, seen: _Seen) -> None:
        known = self.found.get(finding.key)
        if known is None:
            known = self.found[finding.key] = Found(
                finding=finding,
                witness=seen.observation,
                case=seen.case,
                size=seen.size,
                alone=seen.alone,
            )
        known.add(finding, seen)


def _seen(case: Case, observation: Observation) -> _Seen:
    return _Seen(
        case=case,
        observation=observation,
        fields=case.fields,
        alone=case.purpose in {Purpose.ALONE, Purpose.CONTROL},
        size=len(repr(case.pod)),
    )


def _is_told_by_field(found: Found, blamed: frozenset[str]) -> bool:
    """A failed call on pods that all carried a field the webhook fails on without anything else."""
    common = found.common_fields or frozenset()
    return found.finding.code in _FAILED_CALLS and bool(common & blamed)


def _is_told_by_move(found: Found, moved: frozenset[str]) -> bool:
    """What goes missing at the end of a shifted list, or arrives changed, is the same shift."""
    field = found.finding.field or ""
    return found.finding.code in _SIDES_OF_A_MOVE and any(
        field == path or field.startswith((f"{path}.", f"{path}[")) for path in moved
    )
