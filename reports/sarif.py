"""How does a code scanning service show a run?

SARIF 2.1.0 (OASIS, 2020): one rule a code, one result a finding. A webhook has no source file here,
so results are located logically (configuration, webhook, field) and physically in run.json, which
services that list results by file ask for.
"""

import hashlib
import json
from typing import cast

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.reports.overviews import full_name, order_findings, order_webhooks
from webhook_fuzz.reports.results import FindingResult, RunResult, Severity, WebhookResult
from webhook_fuzz.reports.texts import visible

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT = "webhookFuzz/v1"
_LEVELS: dict[Severity, str] = {
    "critical": "error",
    "error": "error",
    "warning": "warning",
    "info": "note",
}
# What services that rank results by a number read; 9 and above is their "critical".
_SCORES: dict[Severity, str] = {"critical": "9.0", "error": "7.0", "warning": "4.0", "info": "1.0"}


def render_sarif(run: RunResult) -> str:
    """The run as a SARIF 2.1.0 log.

    Fingerprints are made of code, webhook and field: the same loss has the same one in the next
    run, whatever else changed.
    """
    findings = order_findings(run["findings"])
    codes = list(dict.fromkeys(finding["code"] for finding in findings))
    log: JsonObject = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(run, findings)},
                "invocations": [_invocation(run)],
                "columnKind": "unicodeCodePoints",
                "results": [_result(run, finding, codes) for finding in findings],
                "properties": {
                    "kubernetes": visible(run["target"]["kubernetes"]),
                    "verdicts": {full_name(w): w["verdict"] for w in order_webhooks(run)},
                },
            }
        ],
    }
    text = json.dumps(_printable(log), indent=2, ensure_ascii=False)
    return text + "\n"


def _invocation(run: RunResult) -> JsonObject:
    """Whether the run was carried out; webhooks nothing is known about are notifications."""
    untried: list[JsonValue] = [
        {"level": "warning", "message": {"text": f"{full_name(webhook)}: {webhook['sentence']}"}}
        for webhook in order_webhooks(run)
        if webhook["verdict"] in {"unreachable", "not-exercised"}
    ]
    return {
        "executionSuccessful": run["complete"],
        "startTimeUtc": run["started"],
        "toolExecutionNotifications": untried,
    }


def _printable(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return visible(value, lines=True)
        case list():
            return [_printable(item) for item in value]
        case dict():
            return {visible(key): _printable(member) for key, member in value.items()}
        case _:
            return value


def _driver(run: RunResult, findings: tuple[FindingResult, ...]) -> JsonObject:
    rules = {finding["code"]: _rule(finding) for finding in reversed(findings)}
    return {
        "name": run["tool"]["name"],
        "version": run["tool"]["version"],
        "rules": [rules[code] for code in dict.fromkeys(f["code"] for f in findings)],
    }


def _rule(finding: FindingResult) -> JsonObject:
    words = finding["name"].replace("-", " ")
    return {
        "id": finding["code"],
        "name": "".join(word.capitalize() for word in words.split()),
        "shortDescription": {"text": words.capitalize()},
        "help": {"text": f"webhook-fuzz explain {finding['code']}"},
        "defaultConfiguration": {"level": _LEVELS[finding["severity"]]},
        "properties": {"security-severity": _SCORES[finding["severity"]], "tags": ["kubernetes"]},
    }


def _result(run: RunResult, finding: FindingResult, codes: list[str]) -> JsonObject:
    webhook = next((w for w in run["webhooks"] if finding["webhook"] in _names(w)), None)
    owner = full_name(webhook) if webhook else finding["webhook"]
    place = "/".join(part for part in (owner, finding["path"]) if part)
    return {
        "ruleId": finding["code"],
        "ruleIndex": codes.index(finding["code"]),
        "level": _LEVELS[finding["severity"]],
        "message": {"text": _message(owner, finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "run.json"},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [
                    {"name": finding["path"] or owner, "fullyQualifiedName": place}
                ],
            }
        ],
        "partialFingerprints": {FINGERPRINT: _fingerprint(owner, finding)},
        "properties": {
            "severity": finding["severity"],
            "webhook": owner,
            "field": finding["field"],
            "since": finding["since"],
            "gate": finding["gate"],
        },
    }


def _names(webhook: WebhookResult) -> tuple[str, str]:
    return webhook["name"], full_name(webhook)


def _message(owner: str, finding: FindingResult) -> str:
    explanation = finding["evidence"]["explanation"]
    return f"{owner}: {finding['title']}. {explanation} Remedy: {finding['remedy']}"


def _fingerprint(owner: str, finding: FindingResult) -> str:
    facts = [finding["code"], owner, finding["field"] or finding["path"]]
    return hashlib.sha256(json.dumps(cast("JsonValue", facts)).encode()).hexdigest()
