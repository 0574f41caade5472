"""What have shadow copies shown so far, and how is it kept?

One entry for every webhook, code and field, with an example: bounded, however long it goes on. The
file is complete or it is not there, is readable by its owner only, and holds no secret of the pods
it quotes.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypedDict, cast

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.pods import Absent
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.fuzzer.findings import Finding, load_codes
from webhook_fuzz.fuzzer.observations import Observation

SCHEMA_VERSION: Final = "webhook-fuzz/shadow/v1"

_MOST_ENTRIES = 5_000
_LONGEST = 2_000


class ShadowFinding(TypedDict):
    """What one webhook does wrong, as its copies show it; `path` is an example.

    `before` and `after` are JSON texts, cut short, None where there was nothing.
    """

    webhook: str
    configuration: str
    code: str
    severity: str
    title: str
    field: str | None
    path: str | None
    before: str | None
    after: str | None
    explanation: str
    count: int
    first_seen: str
    last_seen: str


class ShadowDocument(TypedDict):
    """The file. `webhooks` says of each how many copies it was sent and patched, and the rounds.

    One that patched none was not exercised: that nothing was found says nothing then.
    """

    schema: str
    written: str
    target: str
    webhooks: dict[str, dict[str, int]]
    findings: list[ShadowFinding]


@dataclass(slots=True, kw_only=True)
class ShadowResults:
    """The findings of all webhooks."""

    _entries: dict[tuple[WebhookIdentity, str, str | None], ShadowFinding] = field(
        default_factory=dict[tuple[WebhookIdentity, str, str | None], ShadowFinding]
    )

    def add(
        self, webhook: WebhookIdentity, observation: Observation, findings: Sequence[Finding]
    ) -> None:
        """Count what was found on one copy."""
        now = _time()
        for finding in findings:
            key = (webhook, *finding.key)
            known = self._entries.get(key)
            if known is not None:
                known["count"] += 1
                known["last_seen"] = now
            elif len(self._entries) < _MOST_ENTRIES:
                self._entries[key] = _entry(webhook, observation, finding, now)

    def by_code(self) -> Iterator[tuple[str, str, int]]:
        """Webhook, code and how many different fields, for counts that are shown."""
        counted: dict[tuple[str, str], int] = {}
        for webhook, code, _ in self._entries:
            counted[webhook.name, code] = counted.get((webhook.name, code), 0) + 1
        for (name, code), count in counted.items():
            yield name, code, count

    def document(self, target: str, webhooks: dict[str, dict[str, int]]) -> ShadowDocument:
        """Everything, worst first."""
        severities = ("critical", "error", "warning", "info")
        return {
            "schema": SCHEMA_VERSION,
            "written": _time(),
            "target": target,
            "webhooks": webhooks,
            "findings": sorted(
                self._entries.values(),
                key=lambda each: (
                    severities.index(each["severity"]),
                    each["code"],
                    each["webhook"],
                    each["field"] or "",
                ),
            ),
        }


def _entry(
    webhook: WebhookIdentity, observation: Observation, finding: Finding, now: str
) -> ShadowFinding:
    code = load_codes()[finding.code]
    redactor = Redactor()
    redactor.learn([observation.sent])
    entry: ShadowFinding = {
        "webhook": webhook.name,
        "configuration": webhook.configuration,
        "code": finding.code,
        "severity": code.severity.value,
        "title": code.title,
        "field": finding.field,
        "path": finding.path,
        "before": _text(finding.before),
        "after": _text(finding.after),
        "explanation": finding.explanation[:_LONGEST],
        "count": 1,
        "first_seen": now,
        "last_seen": now,
    }
    return cast("ShadowFinding", redactor.redact(cast("JsonValue", entry)))


def _text(value: JsonValue | Absent) -> str | None:
    if isinstance(value, Absent):
        return None
    try:
        return json.dumps(value, ensure_ascii=True)[:_LONGEST]
    except (ValueError, RecursionError):  # nested too deep to be written down
        return "…"


def _time() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
