"""How does a code scanning service show a run?

SARIF 2.1.0 (OASIS, 2020): one rule a code, one result a finding. A webhook has no source file here,
so results are located logically (configuration, webhook, field) and physically in run.json, which
services that list results by file ask for.
"""

import hashlib
import json
from collections.abc import Sequence

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.reports.cluster_results import ClusterFindingResult
from webhook_fuzz.reports.overviews import (
    full_name,
    order_cluster_findings,
    order_findings,
    order_webhooks,
)
from webhook_fuzz.reports.results import FindingResult, RunResult, Severity, ToolInfo, WebhookResult
from webhook_fuzz.reports.texts import visible

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT = "webhookFuzz/v1"
_IN_RUN_JSON: JsonObject = {
    "artifactLocation": {"uri": "run.json"},
    "region": {"startLine": 1},
}
LEVELS: dict[Severity, str] = {
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
    cluster = run.get("cluster")
    around = order_cluster_findings(cluster) if cluster else ()
    driver = build_driver(run["tool"], [*findings, *around])
    codes = list(dict.fromkeys(finding["code"] for finding in (*findings, *around)))
    return render_log(
        {
            "tool": {"driver": driver},
            "invocations": [_invocation(run)],
            "columnKind": "unicodeCodePoints",
            "results": [
                *(_result(run, finding, codes) for finding in findings),
                *(_cluster_result(finding, codes) for finding in around),
            ],
            "properties": {
                "kubernetes": visible(run["target"]["kubernetes"]),
                "verdicts": {full_name(w): w["verdict"] for w in order_webhooks(run)},
            },
        }
    )


def _cluster_result(finding: ClusterFindingResult, codes: list[str]) -> JsonObject:
    subject, path = finding["subject"], finding["path"]
    said = [f"{subject}: {finding['explanation']}", finding["evidence"], finding["remedy"]]
    return {
        "ruleId": finding["code"],
        "ruleIndex": codes.index(finding["code"]),
        "level": LEVELS[finding["severity"]],
        "message": {"text": " ".join(part for part in said if part)},
        "locations": [
            {
                "physicalLocation": _IN_RUN_JSON,
                "logicalLocations": [
                    {
                        "name": path or subject,
                        "fullyQualifiedName": f"{subject}/{path}" if path else subject,
                    }
                ],
            }
        ],
        "partialFingerprints": {FINGERPRINT: fingerprint(finding["code"], subject, path)},
        "properties": {"severity": finding["severity"], "webhook": subject},
    }


def render_log(run: JsonObject) -> str:
    """A log of one run as text, with nothing in it that is not printed."""
    log: JsonObject = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(_printable(log), indent=2, ensure_ascii=False) + "\n"


def build_driver(
    tool: ToolInfo, findings: Sequence[FindingResult | ClusterFindingResult]
) -> JsonObject:
    """The program, and a rule for each code in the order of the findings."""
    rules = {finding["code"]: _rule(finding) for finding in reversed(findings)}
    return {
        "name": tool["name"],
        "version": tool["version"],
        "rules": [rules[code] for code in dict.fromkeys(f["code"] for f in findings)],
    }


def fingerprint(*facts: str | None) -> str:
    """What stays the same for the same finding in the next run."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


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


def _rule(finding: FindingResult | ClusterFindingResult) -> JsonObject:
    words = finding["name"].replace("-", " ")
    return {
        "id": finding["code"],
        "name": "".join(word.capitalize() for word in words.split()),
        "shortDescription": {"text": words.capitalize()},
        "help": {"text": f"webhook-fuzz explain {finding['code']}"},
        "defaultConfiguration": {"level": LEVELS[finding["severity"]]},
        "properties": {"security-severity": _SCORES[finding["severity"]], "tags": ["kubernetes"]},
    }


def _result(run: RunResult, finding: FindingResult, codes: list[str]) -> JsonObject:
    webhook = next((w for w in run["webhooks"] if finding["webhook"] in _names(w)), None)
    owner = full_name(webhook) if webhook else finding["webhook"]
    place = "/".join(part for part in (owner, finding["path"]) if part)
    return {
        "ruleId": finding["code"],
        "ruleIndex": codes.index(finding["code"]),
        "level": LEVELS[finding["severity"]],
        "message": {"text": _message(owner, finding)},
        "locations": [
            {
                "physicalLocation": _IN_RUN_JSON,
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
    return fingerprint(finding["code"], owner, finding["field"] or finding["path"])
