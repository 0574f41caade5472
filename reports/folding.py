"""How does what the engine found out become a `run.json`?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.fuzzer.findings import Severity
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.tallies import Tally
from webhook_fuzz.reports.finding_folds import fold_finding
from webhook_fuzz.reports.results import SCHEMA_VERSION, FindingResult, RunResult
from webhook_fuzz.reports.webhook_folds import WebhookFold


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a result says of the run as a whole. `seconds` is its length."""

    version: str
    target: Minor
    started: datetime
    seconds: float
    seed: int
    complete: bool


def fold_run(tallies: Sequence[Tally], facts: RunFacts, plan: Plan) -> RunResult:
    """The result of a run from the tallies of its webhooks, in their order, without secrets."""
    catalogue = plan.catalogue
    folds = [WebhookFold(tally, catalogue, facts.target) for tally in tallies]
    return {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "webhook-fuzz", "version": facts.version},
        "target": {"kubernetes": str(facts.target), "newest_known": str(catalogue.newest)},
        "started": facts.started.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": round(facts.seconds, 3),
        "seed": facts.seed,
        "complete": facts.complete and all(tally.complete for tally in tallies),
        "webhooks": [fold.webhook() for fold in folds],
        "findings": [
            _redacted(finding, plan.redactor)
            for tally in tallies
            for finding in _findings(tally, catalogue, _shown_name(tally, tallies))
        ],
        "coverage": [
            fold.coverage(_shown_name(tally, tallies))
            for fold, tally in zip(folds, tallies, strict=True)
        ],
    }


def _shown_name(tally: Tally, tallies: Sequence[Tally]) -> str:
    """The webhook's name, after its configuration's where two configurations have the same one."""
    name = tally.webhook.name
    if sum(other.webhook.name == name for other in tallies) == 1:
        return name
    return f"{tally.webhook.configuration}/{name}"


def _findings(tally: Tally, catalogue: Catalogue, name: str) -> list[FindingResult]:
    """Worst first, then by the version of the field, so that the oldest loss is read first."""
    folded = [fold_finding(found, tally, catalogue, name) for found in tally.findings]
    return sorted(folded, key=_order)


def _redacted(finding: FindingResult, redactor: Redactor) -> FindingResult:
    """Everything a finding quotes may hold a secret: the pod, the patch, the messages."""
    return cast("FindingResult", redactor.redact(cast("JsonValue", finding)))


def _order(finding: FindingResult) -> tuple[int, str, Minor, str]:
    since = parse_minor(finding["since"]) if finding["since"] else Minor(0, 0)
    rank = Severity(finding["severity"]).rank
    return rank, finding["code"], since, finding["field"] or ""
