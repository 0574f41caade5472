"""How does a code scanning service show a lint?

SARIF 2.1.0, as for a run (`sarif.py`), but with the file and line of each finding, so that it
stands in the diff of a pull request. What Helm rendered is located in its template, as a whole: the
lines of the rendered text are not those of the template.
"""

from pathlib import PurePath
from typing import Final
from urllib.parse import quote

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.reports.lint_results import LintFindingResult, LintResult, order_lint_findings
from webhook_fuzz.reports.sarif import FINGERPRINT, LEVELS, build_driver, fingerprint, render_log

_COLLECTION: Final = "mutatingwebhookconfigurations"


def render_lint_sarif(lint: LintResult) -> str:
    """The lint as a SARIF 2.1.0 log.

    Fingerprints are made of code, subject and path: moving a line does not make a new finding.
    """
    findings = order_lint_findings(lint["findings"])
    codes = list(dict.fromkeys(finding["code"] for finding in findings))
    gaps: list[JsonValue] = [
        {"level": "warning", "message": {"text": f"not seen: {unseen['what']}: {unseen['why']}"}}
        for unseen in lint["not_seen"]
    ]
    return render_log(
        {
            "tool": {"driver": build_driver(lint["tool"], findings)},
            "invocations": [
                {"executionSuccessful": lint["complete"], "toolExecutionNotifications": gaps}
            ],
            "columnKind": "unicodeCodePoints",
            "results": [_result(finding, codes) for finding in findings],
        }
    )


def _result(finding: LintFindingResult, codes: list[str]) -> JsonObject:
    subject, path = finding["subject"], finding["path"]
    location: JsonObject = {
        "physicalLocation": _physical_location(finding),
        "logicalLocations": [
            {
                "name": path or subject,
                "fullyQualifiedName": f"{subject}/{path}" if path else subject,
            }
        ],
    }
    said = [f"{subject}: {finding['explanation']}", finding["evidence"], finding["remedy"]]
    return {
        "ruleId": finding["code"],
        "ruleIndex": codes.index(finding["code"]),
        "level": LEVELS[finding["severity"]],
        "message": {"text": " ".join(part for part in said if part)},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: fingerprint(finding["code"], subject, path)},
        "properties": {
            "severity": finding["severity"],
            "webhook": subject,
            "file": finding["file"],
            "line": finding["line"],
        },
    }


def _physical_location(finding: LintFindingResult) -> JsonObject:
    if finding["chart_file"]:
        return {"artifactLocation": {"uri": quote(finding["chart_file"])}}
    # Services that list results by file ask for one; on a cluster the configuration stands for it.
    path = finding["file"] or f"{_COLLECTION}/{finding['subject'].partition('/')[0]}"
    uri = quote(PurePath(path).as_posix())
    return {"artifactLocation": {"uri": uri}, "region": {"startLine": finding["line"] or 1}}
