"""What does `webhook-fuzz lint --format json` say?

A document of its own: no pod was sent, so there is no verdict. Its findings have the shape they
have in `run.json`. What could not be seen is listed, never left out.
"""

import json
from collections.abc import Iterable
from typing import TypedDict

from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.reports.cluster_finding_folds import fold_cluster_finding
from webhook_fuzz.reports.cluster_results import ClusterFindingResult, UnseenResult
from webhook_fuzz.reports.overviews import SEVERITIES
from webhook_fuzz.reports.results import ToolInfo

SCHEMA_VERSION = "webhook-fuzz/lint/v1"


class LintFindingResult(ClusterFindingResult):
    """A finding; `chart_file` is the template that Helm rendered `file` and `line` from."""

    chart_file: str | None


class IgnoredResult(TypedDict):
    """A finding the user does not want to hear of, and the option that says so."""

    code: str
    subject: str
    because: str


class LintResult(TypedDict):
    """`complete` is False where something was not seen; `notes` are sentences for people.

    `source` is what was read: `context staging`, or the names of files.
    """

    schema: str
    tool: ToolInfo
    source: str
    complete: bool
    configurations: int
    webhooks: int
    findings: list[LintFindingResult]
    ignored: list[IgnoredResult]
    not_seen: list[UnseenResult]
    notes: list[str]


def fold_lint_finding(finding: ClusterFinding, chart_file: str | None) -> LintFindingResult:
    """The finding with the words of its code, and the template it comes from."""
    return {**fold_cluster_finding(finding), "chart_file": chart_file}


def order_lint_findings(findings: Iterable[LintFindingResult]) -> list[LintFindingResult]:
    """Worst first, then by code, place and subject."""
    return sorted(
        findings,
        key=lambda found: (
            SEVERITIES.index(found["severity"]),
            found["code"],
            found["file"] or "",
            found["line"] or 0,
            found["subject"],
            found["path"] or "",
        ),
    )


def render_lint_json(lint: LintResult) -> str:
    """The document as text, valid UTF-8 whatever a manifest holds."""
    text = json.dumps(lint, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"
