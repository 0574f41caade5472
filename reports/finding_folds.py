"""What does the result say of one finding?"""

import hashlib

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.pods import Absent
from webhook_fuzz.fuzzer.apiserver.answers import Answer
from webhook_fuzz.fuzzer.apiserver.rfc6902 import disagreement
from webhook_fuzz.fuzzer.confirmations import placement_of
from webhook_fuzz.fuzzer.findings import Finding, load_codes
from webhook_fuzz.fuzzer.tallies import Found, Tally
from webhook_fuzz.reports.results import Evidence, FindingResult, Reproducer

_MOST_PATCH_BYTES = 2048

_MOST_PATHS = 50
"""Keyed paths listed for one finding: more say nothing more."""


def fold_finding(found: Found, tally: Tally, catalogue: Catalogue, name: str) -> FindingResult:
    """One entry of `findings`; `name` is what the webhook is called in it."""
    finding = found.finding
    code = load_codes()[finding.code]
    field = catalogue.get(finding.field) if finding.field else None
    return {
        "id": identify(tally.webhook, finding),
        "code": code.code,
        "name": code.name,
        "severity": code.severity.value,
        "webhook": name,
        "title": code.title,
        "path": finding.path,
        "field": finding.field,
        "since": str(field.since) if field else None,
        "gate": field.gate if field else None,
        "mechanism": tally.mechanism,
        "evidence": _evidence(found),
        "reproducer": _reproducer(found, tally),
        "remedy": code.remedy,
    }


def identify(webhook: WebhookIdentity, finding: Finding) -> str:
    """The same finding has the same id in every run: configuration, webhook, code and field."""
    parts = (webhook.configuration, webhook.name, finding.code, finding.field or "")
    return f"{finding.code}-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:10]}"


def _evidence(found: Found) -> Evidence:
    finding = found.finding
    evidence: Evidence = {
        "explanation": finding.explanation,
        "before": _value(finding.before),
        "before_present": not isinstance(finding.before, Absent),
        "after": _value(finding.after),
        "after_present": not isinstance(finding.after, Absent),
        "paths": list(found.paths)[:_MOST_PATHS],
    }
    if finding.moved_to is not None:
        evidence["moved_to"] = finding.moved_to
    if found.witness.patch is not None:
        second_opinion = disagreement(found.witness.sent, found.witness.patch)
        if second_opinion is not None:
            evidence["rfc6902"] = str(second_opinion)
    return evidence


def _reproducer(found: Found, tally: Tally) -> Reproducer:
    needed = placement_of(found, tally) is not None
    operations = found.witness.operations
    reproducer: Reproducer = {
        "pod": found.witness.sent,
        "patch": list(operations) if operations else None,
        "trigger": found.case.trigger.name,
        "confirmed": "alone" if found.alone else "in-combination" if needed else "not-needed",
    }
    text = _unreadable_patch(found)
    if text is not None:
        reproducer["patch_text"] = text
    return reproducer


def _unreadable_patch(found: Found) -> str | None:
    """What was answered where it cannot be read as a review with a patch, cut short."""
    outcome = found.witness.exchange.outcome
    if isinstance(found.witness.answer, Answer):
        return None
    return outcome.body[:_MOST_PATCH_BYTES].decode("utf-8", "replace") or None


def _value(value: JsonValue | Absent) -> JsonValue:
    return None if isinstance(value, Absent) else value
