"""What does a result say of one finding about a configuration, a node or the cluster?"""

from collections.abc import Iterable

from webhook_fuzz.fuzzer.findings import ClusterFinding, load_codes
from webhook_fuzz.reports.cluster_results import ClusterFindingResult


def fold_cluster_finding(finding: ClusterFinding) -> ClusterFindingResult:
    """The finding with the words of its code beside its own."""
    code = load_codes()[finding.code]
    return {
        "code": finding.code,
        "name": code.name,
        "severity": finding.severity.value,
        "subject": finding.subject,
        "explanation": finding.explanation,
        "evidence": finding.evidence,
        "remedy": finding.remedy or code.remedy,
        "path": finding.path,
        "file": finding.place.file if finding.place else None,
        "line": finding.place.line if finding.place else None,
    }


def fold_cluster_findings(findings: Iterable[ClusterFinding]) -> list[ClusterFindingResult]:
    """All of them, each once, in the order they came."""
    return [fold_cluster_finding(finding) for finding in dict.fromkeys(findings)]
