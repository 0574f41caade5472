"""What has judging live traffic shown so far, and how is it kept?

One entry for every webhook, code and field: how often, since when, where. It holds no value of a
pod; what quotes one in words is redacted. The file is complete or it is not there, and is readable
by its owner only.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, TypedDict, cast

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.maskings import Masker
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.fuzzer.findings import Severity, load_codes
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.recorded.traffic import Traffic
from webhook_fuzz.fuzzer.recorded.traffic_tallies import Occurrences, TrafficFound, TrafficTally

SCHEMA_VERSION: Final = "webhook-fuzz/judging/v1"

_LONGEST: Final = 2_000


class JudgedFinding(TypedDict):
    """What one webhook does wrong; `paths` are the first keyed paths it was seen at.

    `count` counts calls; of these, `retries` were repeated by the API server, `reinvocations` are
    of its second round. Times are RFC 3339 in UTC.
    """

    configuration: str
    webhook: str
    code: str
    severity: str
    title: str
    field: str | None
    paths: list[str]
    explanation: str
    count: int
    retries: int
    reinvocations: int
    first_seen: str | None
    last_seen: str | None


class JudgedWebhook(TypedDict):
    """How many calls of one webhook were judged, and what it answered.

    One of which no patched pod has a new field was not exercised: that nothing was found says
    nothing then.
    """

    configuration: str
    webhook: str
    judged: int
    retries: int
    reinvocations: int
    answered: int
    denied: int
    patched: int
    patched_pods_with_new_fields: int


class JudgingDocument(TypedDict):
    """The file: all calls seen, those not judged by the reason, the webhooks and findings."""

    schema: str
    written: str | None
    target: str
    seen: int
    not_judged: dict[str, int]
    webhooks: list[JudgedWebhook]
    findings: list[JudgedFinding]


def build_document(traffic: Traffic, now: float) -> JudgingDocument:
    """Everything known, the worst first; `now` is in seconds since the epoch."""
    tallies = traffic.tallies.values()
    findings = [
        _finding(found, tally, traffic.judge.observe(found.witness.exchange))
        for tally in tallies
        for found in tally.found.values()
    ]
    findings.sort(
        key=lambda each: (
            Severity(each["severity"]).rank,
            each["code"],
            each["configuration"],
            each["webhook"],
            each["field"] or "",
        )
    )
    return {
        "schema": SCHEMA_VERSION,
        "written": _time(now),
        "target": str(traffic.judge.target),
        "seen": traffic.seen.count,
        "not_judged": {str(reason): count for reason, count in traffic.not_judged.most_common()},
        "webhooks": [_webhook(tally) for tally in tallies],
        "findings": findings,
    }


def _webhook(tally: TrafficTally) -> JudgedWebhook:
    return {
        "configuration": tally.webhook.configuration,
        "webhook": tally.webhook.name,
        "judged": tally.judged.count,
        "retries": tally.judged.retries,
        "reinvocations": tally.judged.reinvocations,
        "answered": tally.answered,
        "denied": tally.denied,
        "patched": tally.patched,
        "patched_pods_with_new_fields": tally.patched_with_new_fields,
    }


def _finding(found: TrafficFound, tally: TrafficTally, witness: Observation) -> JudgedFinding:
    code, seen = load_codes()[found.finding.code], found.occurrences
    redactor = Redactor()
    redactor.learn(_objects(witness))
    entry: JudgedFinding = {
        "configuration": tally.webhook.configuration,
        "webhook": tally.webhook.name,
        "code": code.code,
        "severity": code.severity.value,
        "title": code.title,
        "field": found.finding.field,
        "paths": list(found.paths),
        "explanation": found.finding.explanation[:_LONGEST],
        **_when(seen),
    }
    masked = Masker().mask(redactor.redact(cast("JsonValue", entry)))
    return cast("JudgedFinding", masked)


class _When(TypedDict):
    count: int
    retries: int
    reinvocations: int
    first_seen: str | None
    last_seen: str | None


def _when(seen: Occurrences) -> _When:
    return {
        "count": seen.count,
        "retries": seen.retries,
        "reinvocations": seen.reinvocations,
        "first_seen": _time(seen.first_seen),
        "last_seen": _time(seen.last_seen),
    }


def _objects(witness: Observation) -> Iterator[JsonObject]:
    """What secrets may be in: the object as it was sent, and as the webhook made it."""
    yield witness.sent
    if isinstance(witness.patched, dict):
        yield witness.patched


def _time(seconds: float) -> str | None:
    """RFC 3339; None for what no calendar has."""
    if not math.isfinite(seconds):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return None
