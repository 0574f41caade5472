"""What does the result say of one webhook?"""

import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

from webhook_fuzz.corpora.fields.catalogue import Catalogue, Field
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.findings import load_codes
from webhook_fuzz.fuzzer.tallies import Tally
from webhook_fuzz.fuzzer.verdicts import (
    BREAKING_CODES,
    FIELD_CODES,
    Verdict,
    breaking_release,
    decide,
)
from webhook_fuzz.reports.results import Coverage, LostField, WebhookResult

LOSS_CODES = ("WF101", "WF102", "WF103")

# What people ask about first: the fields most public incidents are about, most frequent first.
_FAMOUS = (
    "initContainers[].restartPolicy",
    "securityContext.appArmorProfile",
    "volumes[].image",
    "spec.resources",
    ".grpc",
    "minDomains",
    "resourceClaims",
    "restartPolicyRules",
    "hostUsers",
    "schedulingGates",
    "fileKeyRef",
)

_SHOWN = 3
"""Fields named in the one sentence about a webhook; the rest is counted."""


class WebhookFold:
    """The members of a WebhookResult, worked out from a tally for one target."""

    def __init__(self, tally: Tally, catalogue: Catalogue, target: Minor) -> None:
        self._tally = tally
        self._catalogue = catalogue
        self._target = target
        known = catalogue.known
        self.moved = catalogue.topmost(known(tally.fields_with("WF104")))
        self.lost = catalogue.topmost(known(tally.fields_with(*LOSS_CODES)) - set(self.moved))
        self.future_lost = bool(tally.fields_with("WF108"))

    @property
    def broken(self) -> tuple[str, ...]:
        """The catalogue fields it loses, moves, denies or fails on."""
        fields = self._tally.fields_with(*FIELD_CODES)
        return self._catalogue.topmost(self._catalogue.known(fields))

    @property
    def verdict(self) -> Verdict:
        """The verdict for the target; a webhook that was not tried to the end is not compatible."""
        verdict = decide(
            [found.finding.key for found in self._tally.findings],
            catalogue=self._catalogue,
            target=self._target,
            reached=self._tally.reached,
            exercised=self._tally.exercised,
        )
        cut_short = verdict is Verdict.COMPATIBLE and not self._tally.complete
        return Verdict.UNREACHABLE if cut_short else verdict

    @property
    def breaks_in(self) -> Minor | None:
        """The release that will break it, for a webhook at risk."""
        if self.verdict is not Verdict.AT_RISK:
            return None
        return breaking_release(
            self.broken,
            catalogue=self._catalogue,
            target=self._target,
            future_lost=self.future_lost,
        )

    @property
    def kept(self) -> tuple[str, ...]:
        """The probed catalogue fields that came through every patch."""
        broken = frozenset({*self.broken, *self.lost, *self.moved})
        return tuple(
            sorted(
                path
                for path in self._tally.patched_paths
                if (field := self._catalogue.get(path)) is not None
                and field.root
                and not _is_within(field, broken, self._catalogue)
            )
        )

    def webhook(self) -> WebhookResult:
        """The webhook's entry."""
        tally, lost = self._tally, self.lost
        broken = [field for path in (*lost, *self.moved) if (field := self._catalogue.get(path))]
        kept = [field for path in self.kept if (field := self._catalogue.get(path))]
        breaks_in = self.breaks_in
        return {
            "name": tally.webhook.name,
            "configuration": tally.webhook.configuration,
            "url": tally.webhook.url,
            "verdict": self.verdict.value,
            "sentence": self.sentence(),
            "exercised": tally.exercised,
            "calls": tally.calls,
            "lost_fields": list(lost),
            "moved_fields": list(self.moved),
            "kept_fields": [field.path for field in kept],
            "future_fields": self._future_fields(),
            "fields": {field.path: self._describe(field) for field in (*broken, *kept)},
            "mechanism": tally.mechanism,
            "oldest_lost": _version(min(_newer(broken), default=None)),
            "newest_kept": _version(max(_newer(kept), default=None)),
            "breaks_in": _version(breaks_in),
            "rtt_ms": round(statistics.median(tally.seconds) * 1000, 2) if tally.answered else None,
        }

    def sentence(self) -> str:
        """The one sentence that matters."""
        tally = self._tally
        match self.verdict:
            case Verdict.UNREACHABLE:
                return _silence(tally)
            case Verdict.NOT_EXERCISED if tally.denied:
                return "It denied every pod it did not leave alone: nothing could be judged."
            case Verdict.NOT_EXERCISED:
                tried = sum(done.trigger != NO_TRIGGER.name for done in tally.triggers)
                triggers = "1 trigger" if tried == 1 else f"{tried} triggers"
                return (
                    f"It answered {tally.answered} pods and patched none of them ({triggers} "
                    "tried): nothing is known about it. Give it what makes it act with --trigger."
                )
            case Verdict.AT_RISK:
                return (
                    f"Nothing breaks on Kubernetes {self._target} yet; {self.breaks_in} will break "
                    f"pods: {self._what_breaks(self.lost, self.moved)}."
                )
            case Verdict.INCOMPATIBLE:
                broken = self._what_breaks(self._in_target(self.lost), self._in_target(self.moved))
                return f"On Kubernetes {self._target} it breaks pods: {broken}{self._gated()}."
            case Verdict.COMPATIBLE:
                future = ", fields of no release included" if tally.future_tried else ""
                return f"Every field tried came through {tally.patched} patched pods{future}."

    def coverage(self, name: str) -> Coverage:
        """What was tried on the webhook, which is called `name` in it."""
        tally = self._tally
        return {
            "webhook": name,
            "probes_planned": len(tally.planned_paths),
            "probes_sent": len(tally.placements),
            "probes_answered": len(tally.answered_paths),
            "confirmations": tally.confirmations,
            "triggers": [
                {
                    "trigger": done.trigger,
                    "effect": done.effect.value,
                    "cases_planned": done.planned,
                    "sent": done.sent,
                    "answered": done.answered,
                }
                for done in tally.triggers
            ],
            "not_probed": {
                field.path: field.not_creatable_because
                for field in self._catalogue.new_roots()
                if field.not_creatable_because is not None
            },
        }

    @property
    def _codes(self) -> frozenset[str]:
        return frozenset(found.finding.code for found in self._tally.findings)

    def _in_target(self, paths: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            path
            for path in paths
            if (field := self._catalogue.get(path)) and field.since <= self._target
        )

    def _gated(self) -> str:
        """What to add where nobody is hit who has not turned a feature gate on."""
        broken = [self._catalogue.get(path) for path in self._in_target(self.broken)]
        gates = [self._catalogue.gate(field) if field else None for field in broken]
        off = [gate is not None and not gate.enabled_by_default(self._target) for gate in gates]
        if not off or not all(off) or self._codes & BREAKING_CODES:
            return ""
        return "; all of it is behind feature gates that are off by default"

    def _what_breaks(self, lost: Sequence[str], moved: Sequence[str]) -> str:
        parts: list[str] = []
        if lost:
            parts.append(f"it loses {_named(lost)}")
        if moved:
            parts.append(f"it moves {_named(moved)} to other elements")
        if self.future_lost and not parts:
            parts.append("it loses every field that is newer than its types")
        refused = self._tally.fields_with("WF007", "WF008")
        if refused:
            parts.append(f"it refuses {_named(sorted(refused))}")
        breaking = sorted(self._codes & BREAKING_CODES)
        if breaking:
            parts.append(_told(self._tally, breaking[0]))
        return "; ".join(parts) or "see the findings"

    def _future_fields(self) -> Literal["kept", "lost", "not-tried"]:
        if self.future_lost:
            return "lost"
        return "kept" if self._tally.future_tried else "not-tried"

    def _describe(self, field: Field) -> LostField:
        gate = self._catalogue.gate(field)
        stage = gate.stage(max(self._target, field.since)) if gate else None
        return {
            "path": field.path,
            "since": str(field.since),
            "gate": field.gate,
            "stage": str(stage) if stage else None,
        }


def _silence(tally: Tally) -> str:
    said = _first_explanation(tally, "WF001")
    if not tally.reached:
        return said or "No call was answered."
    after = f"It stopped answering after {tally.answered} pods"
    return f"{after}: {said}" if said else f"{after}; the rest was not tried."


def _first_explanation(tally: Tally, code: str) -> str:
    for found in tally.findings:
        if found.finding.code == code:
            return found.finding.explanation
    return ""


def _told(tally: Tally, code: str) -> str:
    """A finding in a few words: its title and path, or what was said where it has none."""
    found = next(found for found in tally.findings if found.finding.code == code)
    if found.finding.path is None:
        return found.finding.explanation.rstrip(".")
    title = load_codes()[code].title
    return f"{title[0].lower()}{title[1:]} ({found.finding.path})"


def _is_within(field: Field, broken: frozenset[str], catalogue: Catalogue) -> bool:
    """Whether the field or one it is part of is broken."""
    path = field.path
    while path:
        if path in broken:
            return True
        above = catalogue.get(path)
        path = above.parent if above else ""
    return False


def _newer(fields: Iterable[Field]) -> Iterable[Minor]:
    """The minors of fields that are newer than the oldest release read."""
    return (field.since for field in fields if field.root)


def _version(minor: Minor | None) -> str | None:
    return None if minor is None else str(minor)


def _fame(path: str) -> int:
    return next((rank for rank, end in enumerate(_FAMOUS) if path.endswith(end)), len(_FAMOUS))


def _named(paths: Sequence[str]) -> str:
    """`initContainers[].restartPolicy, volumes[].image and 41 more`."""
    first = sorted(paths, key=lambda path: (_fame(path), paths.index(path)))
    shown = ", ".join(path.removeprefix("spec.") for path in first[:_SHOWN])
    more = len(paths) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
