"""Do all formats of a lint say the same, with file and line?"""

import json
from typing import Any

import pytest

from webhook_fuzz.fuzzer.findings import ClusterFinding, Place, Severity
from webhook_fuzz.reports.lint_results import (
    SCHEMA_VERSION,
    LintFindingResult,
    LintResult,
    fold_lint_finding,
    order_lint_findings,
    render_lint_json,
)
from webhook_fuzz.reports.lint_sarif import render_lint_sarif
from webhook_fuzz.reports.lint_texts import render_lint


def found(
    code: str = "WF602",
    *,
    severity: Severity = Severity.ERROR,
    subject: str = "injector/pods.example.com",
    line: int | None = 7,
    evidence: str = "",
    remedy: str | None = None,
) -> ClusterFinding:
    place = None if line is None else Place(file="deploy dir/a.yaml", line=line)
    return ClusterFinding(
        code=code,
        severity=severity,
        subject=subject,
        explanation=f"What {code} found.",
        path="webhooks[0]",
        evidence=evidence,
        remedy=remedy,
        place=place,
    )


def result(*findings: ClusterFinding, chart_file: str | None = None) -> LintResult:
    return {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "webhook-fuzz", "version": "0.0"},
        "source": "deploy dir",
        "complete": True,
        "configurations": 1,
        "webhooks": 2,
        "findings": [fold_lint_finding(finding, chart_file) for finding in findings],
        "ignored": [],
        "not_seen": [],
        "notes": [],
    }


def sarif(lint: LintResult) -> dict[str, Any]:
    (run,) = json.loads(render_lint_sarif(lint))["runs"]
    return dict(run)


INFO = found("WF612", severity=Severity.INFO, subject="injector", line=3, evidence="Known by it.")


def test_the_worst_comes_first_and_the_same_is_said_once() -> None:
    text = render_lint(result(INFO, found(line=9, subject="injector/b"), found()))
    assert text.splitlines()[:6] == [
        "error    WF602 fails-closed-on-system",
        "         What WF602 found.",
        "         deploy dir/a.yaml:7  injector/pods.example.com",
        "         deploy dir/a.yaml:9  injector/b",
        "         → Leave kube-system and the webhook's own namespace out: namespaceSelector with",
        "           kubernetes.io/metadata.name NotIn [...].",
    ]
    assert "What WF612 found. Known by it." in text
    assert "2 webhooks in 1 configuration of deploy dir: 2 errors, 1 info" in text
    assert text.endswith("webhook-fuzz explain WF602 says more, and so it does for every code.\n")


def test_many_with_the_same_are_counted() -> None:
    text = render_lint(result(*(found(line=number) for number in range(1, 13))))
    assert "a.yaml:10" in text
    assert "a.yaml:11" not in text
    assert "and 2 more" in text


def test_nothing_found_is_said_and_so_is_what_was_not_seen_or_ignored() -> None:
    lint = result()
    lint["not_seen"] = [{"what": "services", "why": "forbidden"}]
    lint["ignored"] = [{"code": "WF603", "subject": "x", "because": "--ignore WF603"}]
    lint["notes"] = ["2 validating configurations are not looked at."]
    assert render_lint(lint).splitlines() == [
        "2 webhooks in 1 configuration of deploy dir: nothing found",
        "ignored: 1 by --ignore WF603",
        "not seen: services (forbidden)",
        "2 validating configurations are not looked at.",
    ]


def test_on_a_cluster_the_path_says_where() -> None:
    assert "injector/pods.example.com  webhooks[0]" in render_lint(result(found(line=None)))


def test_what_helm_rendered_names_its_template() -> None:
    lint = result(found(), chart_file="injector/templates/webhook.yaml")
    assert "injector/pods.example.com  (injector/templates/webhook.yaml)" in render_lint(lint)
    (location,) = sarif(lint)["results"][0]["locations"]
    physical = location["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "injector/templates/webhook.yaml"}}


@pytest.mark.parametrize("width", [10, 60, 100])
def test_lines_fit_and_hold_no_escapes(width: int) -> None:
    hostile = found(subject="in\x1b[31mjector/" + "x" * 300, remedy="Do\u202e it. " * 40)
    text = render_lint(result(hostile), width=width)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) <= max(width, 76)


def test_colour_is_ours_alone() -> None:
    assert render_lint(result(INFO), colour=True).startswith("\x1b[1minfo    \x1b[0m WF612")


def test_json_is_the_document_itself() -> None:
    lint = result(found(explained := "WF603"), INFO)
    text = render_lint_json(lint)
    assert json.loads(text) == lint
    assert json.loads(text)["findings"][0]["code"] == explained
    broken = result(found(subject="half a \ud800 pair"))
    assert render_lint_json(broken).encode()


def test_sarif_has_file_and_line_and_a_stable_fingerprint() -> None:
    run = sarif(result(found(), found("WF610", severity=Severity.WARNING, line=None), INFO))
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["WF602", "WF610", "WF612"]
    first, second, _ = run["results"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "deploy%20dir/a.yaml"},
        "region": {"startLine": 7},
    }
    assert second["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "mutatingwebhookconfigurations/injector"},
        "region": {"startLine": 1},
    }
    assert [each["level"] for each in run["results"]] == ["error", "warning", "note"]
    moved = sarif(result(found(line=99)))["results"][0]
    assert moved["partialFingerprints"] == first["partialFingerprints"]


def test_sarif_says_what_was_not_seen() -> None:
    lint = result()
    lint["complete"] = False
    lint["not_seen"] = [{"what": "services", "why": "forbidden"}]
    (invocation,) = sarif(lint)["invocations"]
    assert not invocation["executionSuccessful"]
    (note,) = invocation["toolExecutionNotifications"]
    assert note["message"]["text"] == "not seen: services: forbidden"


def test_findings_are_in_the_same_order_everywhere() -> None:
    folded: list[LintFindingResult] = result(INFO, found(line=9), found())["findings"]
    assert [each["line"] for each in order_lint_findings(folded)] == [7, 9, 3]
