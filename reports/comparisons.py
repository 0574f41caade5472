"""What does `comparison.json` hold?

How two webhooks answered the same recorded traffic, by what their answers come to in the API
server. A document of its own: it compares two programs and judges neither.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypedDict, cast

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.pods import Absent
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.recorded.comparing import DIFFERENT, Compared, Difference, Relation, Side
from webhook_fuzz.reports.documents import without_depths
from webhook_fuzz.reports.results import Severity, TargetInfo, ToolInfo

SCHEMA_VERSION: Final = "webhook-fuzz/comparison/v1"
FILE_NAME: Final = "comparison.json"
PAGE_NAME: Final = "comparison.html"

_MOST_CASES = 500
_MOST_PATHS = 200

RelationName = Literal[
    "failure", "verdict", "object", "warnings", "unsteady", "other-patch", "equal"
]
SideName = Literal[
    "first-loses",
    "second-loses",
    "first-adds",
    "second-adds",
    "first-changes",
    "second-changes",
    "different",
]
SEVERITIES: Mapping[RelationName, Severity] = {
    "failure": "error",
    "verdict": "error",
    "object": "error",
    "warnings": "warning",
    "unsteady": "warning",
    "other-patch": "info",
}
"""How bad it is, for `--fail-on`; equal answers have no severity."""


class PartyResult(TypedDict):
    """One of the two webhooks."""

    configuration: str
    name: str
    url: str


class DifferenceResult(TypedDict):
    """One keyed path at which the two objects differ, with the values there.

    `side` says which of the two did what to the object that was sent. A value is None where it is
    absent: `sent_present` and its like tell null from that.
    """

    path: str
    field: str
    side: SideName
    sent: JsonValue
    sent_present: bool
    first: JsonValue
    first_present: bool
    second: JsonValue
    second_present: bool


class CaseResult(TypedDict):
    """A request that was not answered alike.

    `recorded` is the id of the recorded exchange and `stands_for` how many it stands for; `probes`
    are the new fields laid on its pod, none where it was sent as recorded. `random` are paths left
    out because one webhook alone does not repeat itself there.
    """

    case: str
    recorded: str
    stands_for: int
    probes: list[str]
    relation: RelationName
    explanation: str
    differences: list[DifferenceResult]
    random: list[str]


class FieldResult(TypedDict):
    """A catalogue field at which objects differ, over all cases; `path` is an example."""

    field: str
    side: SideName
    since: str | None
    cases: int
    path: str


class ComparisonResult(TypedDict):
    """`comparison.json`. `complete` is False when a webhook was not there.

    `relations` counts the requests by how they were answered, `exchanges` the recorded exchanges
    they stand for; `cases` are those not answered alike (the first 500), `left_out` counts reviews
    by the reason why they were not sent, or not with new fields.
    """

    schema: str
    tool: ToolInfo
    target: TargetInfo
    started: str
    seconds: float
    seed: int
    complete: bool
    first: PartyResult
    second: PartyResult
    sent: int
    exchanges: int
    relations: dict[RelationName, int]
    fields: list[FieldResult]
    cases: list[CaseResult]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonFacts:
    """What a comparison says of the whole. `exchanges` were read from the recordings."""

    version: str
    target: Minor
    started: datetime
    seconds: float
    seed: int
    complete: bool
    exchanges: int
    first: PartyResult
    second: PartyResult
    left_out: Mapping[str, int]


_RELATIONS: Mapping[Relation, RelationName] = {
    Relation.FAILURE: "failure",
    Relation.VERDICT: "verdict",
    Relation.OBJECT: "object",
    Relation.WARNINGS: "warnings",
    Relation.UNSTEADY: "unsteady",
    Relation.OTHER_PATCH: "other-patch",
    Relation.EQUAL: "equal",
}
_SIDES: Mapping[Side, SideName] = {
    Side.FIRST_LOSES: "first-loses",
    Side.SECOND_LOSES: "second-loses",
    Side.FIRST_ADDS: "first-adds",
    Side.SECOND_ADDS: "second-adds",
    Side.FIRST_CHANGES: "first-changes",
    Side.SECOND_CHANGES: "second-changes",
    Side.DIFFERENT: "different",
}
SIDE_WORDS: Mapping[SideName, str] = {name: str(side) for side, name in _SIDES.items()}
RELATION_WORDS: Mapping[RelationName, str] = {
    name: str(relation) for relation, name in _RELATIONS.items()
}


@dataclass(slots=True, kw_only=True)
class ComparisonFold:
    """Folds what was compared, request by request; bounded, however many differ."""

    catalogue: Catalogue
    redactor: Redactor = field(default_factory=Redactor)
    sent: int = 0
    relations: Counter[RelationName] = field(default_factory=Counter[RelationName])
    _cases: list[CaseResult] = field(default_factory=list[CaseResult])
    _fields: dict[tuple[str, SideName], FieldResult] = field(
        default_factory=dict[tuple[str, SideName], FieldResult]
    )

    def add(self, compared: Compared) -> None:
        """Fold one request in."""
        verdict = compared.verdict
        self.sent += 1
        self.relations[_RELATIONS[verdict.relation]] += 1
        if verdict.relation in DIFFERENT or verdict.relation is Relation.UNSTEADY:
            self._add_fields(verdict.differences)
            if len(self._cases) < _MOST_CASES:
                self.redactor.learn([compared.first.sent])
                self._cases.append(_case(compared))

    def result(self, facts: ComparisonFacts) -> ComparisonResult:
        """The document, without secrets."""
        folded: ComparisonResult = {
            "schema": SCHEMA_VERSION,
            "tool": {"name": "webhook-fuzz", "version": facts.version},
            "target": {
                "kubernetes": str(facts.target),
                "newest_known": str(self.catalogue.newest),
            },
            "started": facts.started.astimezone(UTC).isoformat(timespec="seconds"),
            "seconds": round(facts.seconds, 3),
            "seed": facts.seed,
            "complete": facts.complete,
            "first": facts.first,
            "second": facts.second,
            "sent": self.sent,
            "exchanges": facts.exchanges,
            "relations": {name: self.relations[name] for name in RELATION_WORDS},
            "fields": sorted(self._fields.values(), key=_order),
            "cases": [_redacted(case, self.redactor) for case in self._cases],
            "left_out": dict(facts.left_out),
        }
        return folded

    def _add_fields(self, differences: tuple[Difference, ...]) -> None:
        paths: dict[tuple[str, SideName], str] = {}
        for each in differences:
            paths.setdefault((each.field, _SIDES[each.side]), each.path)
        for (name, side), path in paths.items():
            known = self._fields.get((name, side))
            if known is not None:
                known["cases"] += 1
                continue
            found = self.catalogue.get(name)
            self._fields[name, side] = {
                "field": name,
                "side": side,
                "since": str(found.since) if found is not None and found.root else None,
                "cases": 1,
                "path": path,
            }


def worst_relation(result: ComparisonResult) -> RelationName:
    """The worst way in which answers were not alike; `equal` where there was none."""
    for name in _RELATIONS.values():
        if result["relations"].get(name):
            return name
    return "equal"


def render_comparison_json(result: ComparisonResult) -> str:
    """`comparison.json` as text, valid UTF-8 whatever a webhook answered."""
    text = json.dumps(
        without_depths(cast("JsonValue", result)), indent=2, ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def _case(compared: Compared) -> CaseResult:
    verdict = compared.verdict
    return {
        "case": compared.case.name,
        "recorded": compared.id,
        "stands_for": compared.stands_for,
        "probes": sorted({placement.probe.name for placement in compared.case.placements}),
        "relation": _RELATIONS[verdict.relation],
        "explanation": verdict.explanation,
        "differences": [_difference(each) for each in verdict.differences[:_MOST_PATHS]],
        "random": list(verdict.random[:_MOST_PATHS]),
    }


def _difference(difference: Difference) -> DifferenceResult:
    return {
        "path": difference.path,
        "field": difference.field,
        "side": _SIDES[difference.side],
        "sent": _value(difference.sent),
        "sent_present": not isinstance(difference.sent, Absent),
        "first": _value(difference.first),
        "first_present": not isinstance(difference.first, Absent),
        "second": _value(difference.second),
        "second_present": not isinstance(difference.second, Absent),
    }


def _value(value: JsonValue | Absent) -> JsonValue:
    return None if isinstance(value, Absent) else value


def _redacted(case: CaseResult, redactor: Redactor) -> CaseResult:
    return cast("CaseResult", redactor.redact(cast("JsonValue", case)))


def _order(found: FieldResult) -> tuple[int, int, str]:
    """Losses first, the frequent ones before the others."""
    return list(SIDE_WORDS).index(found["side"]), -found["cases"], found["field"]
