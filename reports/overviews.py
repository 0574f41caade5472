"""What does a run say, whatever the format?

The words and the order every report shares: worst webhook first, worst finding first, one headline,
and what to do next.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from webhook_fuzz.reports.cluster_results import ClusterFindingResult, ClusterResult, Way
from webhook_fuzz.reports.results import (
    Coverage,
    FindingResult,
    RunResult,
    Severity,
    Verdict,
    WebhookResult,
)
from webhook_fuzz.reports.texts import counted, minor_order
from webhook_fuzz.reports.traffic_results import FindingOccurrences, TrafficResult

VERDICTS: Mapping[Verdict, str] = {
    "incompatible": "Incompatible",
    "at-risk": "At risk",
    "unreachable": "Unreachable",
    "not-exercised": "Not exercised",
    "compatible": "Compatible",
}
SEVERITIES: tuple[Severity, ...] = ("critical", "error", "warning", "info")
_VERDICT_ORDER = tuple(VERDICTS)
WAYS: Mapping[Way, str] = {
    "url": "reached at its URL",
    "service-name": "reached by its service's name",
    "cluster-ip": "reached at its service's cluster IP",
    "service-proxy": "reached through the API server's service proxy",
    "dry-run": "seen only as a part of the chain",
    "none": "not reached",
}
"""How a webhook was judged, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """Something to do: about which webhook, what, and the command that helps, if any."""

    webhook: str
    text: str
    command: str | None = None


def order_webhooks(run: RunResult) -> tuple[WebhookResult, ...]:
    """The webhooks, worst verdict first, in the order of the chain within a verdict."""
    return tuple(
        sorted(run["webhooks"], key=lambda webhook: _VERDICT_ORDER.index(webhook["verdict"]))
    )


def label_webhook(run: RunResult, webhook: WebhookResult) -> str:
    """The webhook's name; with its configuration where two webhooks share a name."""
    names = Counter(other["name"] for other in run["webhooks"])
    return full_name(webhook) if names[webhook["name"]] > 1 else webhook["name"]


def full_name(webhook: WebhookResult) -> str:
    """`configuration/name`, or the name alone where no configuration is known."""
    return "/".join(part for part in (webhook["configuration"], webhook["name"]) if part)


def _refers_to(reference: str, webhook: WebhookResult) -> bool:
    return reference in {webhook["name"], full_name(webhook)}


def order_findings(findings: Sequence[FindingResult]) -> tuple[FindingResult, ...]:
    """Findings, worst severity first, then by code, minor and path."""
    return tuple(sorted(findings, key=_finding_order))


def _finding_order(finding: FindingResult) -> tuple[int, str, tuple[int, int, int, str], str, str]:
    return (
        SEVERITIES.index(finding["severity"]),
        finding["code"],
        minor_order(finding["since"]),
        finding["path"] or "",
        finding["id"],
    )


def findings_about(run: RunResult, webhook: WebhookResult) -> tuple[FindingResult, ...]:
    """What was found about one webhook, in order."""
    return order_findings([f for f in run["findings"] if _refers_to(f["webhook"], webhook)])


def other_findings(run: RunResult) -> tuple[FindingResult, ...]:
    """Findings about no webhook of the run: about a chain, or a configuration as a whole."""
    return order_findings(
        [
            finding
            for finding in run["findings"]
            if not any(_refers_to(finding["webhook"], webhook) for webhook in run["webhooks"])
        ]
    )


def order_cluster_findings(cluster: ClusterResult) -> tuple[ClusterFindingResult, ...]:
    """What is wrong in the cluster, worst first, then by code and subject."""
    return tuple(
        sorted(
            cluster["findings"],
            key=lambda found: (
                SEVERITIES.index(found["severity"]),
                found["code"],
                found["subject"],
                found["path"] or "",
            ),
        )
    )


def coverage_of(run: RunResult, webhook: WebhookResult) -> Coverage | None:
    """What was tried on one webhook, None when the run does not say."""
    return next((c for c in run["coverage"] if _refers_to(c["webhook"], webhook)), None)


def describe_occurrences(occurred: FindingOccurrences) -> str:
    """How often a finding occurred in recorded traffic, and when, in words."""
    said = counted(occurred["count"], "recorded exchange")
    parts = [
        counted(count, noun)
        for count, noun in (
            (occurred["retries"], "repeated call"),
            (occurred["reinvocations"], "reinvocation"),
        )
        if count
    ]
    said += f" ({', '.join(parts)} among them)" if parts else ""
    first, last = occurred["first_seen"], occurred["last_seen"]
    if first == last:
        return f"{said}, at {first}" if first else said
    return f"{said}, from {first or 'an unknown time'} to {last or 'an unknown time'}"


def describe_traffic(traffic: TrafficResult) -> str:
    """What was read and judged, in words."""
    retries = sum(webhook["retries"] for webhook in traffic["webhooks"])
    again = sum(webhook["reinvocations"] for webhook in traffic["webhooks"])
    parts = [
        f"{traffic['judged']:,} of {counted(traffic['exchanges'], 'recorded exchange')} judged"
    ]
    if retries or again:
        told = f"{counted(retries, 'repeated call')}, {counted(again, 'reinvocation')}"
        parts.append(f"{told} among them")
    if traffic["first_seen"] and traffic["last_seen"]:
        parts.append(f"from {traffic['first_seen']} to {traffic['last_seen']}")
    return "; ".join(parts)


def count_verdicts(run: RunResult) -> Mapping[Verdict, int]:
    """How many webhooks have each verdict, worst first, absent ones left out."""
    counts = Counter(webhook["verdict"] for webhook in run["webhooks"])
    return {verdict: counts[verdict] for verdict in _VERDICT_ORDER if counts[verdict]}


def headline(run: RunResult) -> str:
    """The run in one sentence. It never calls a run good that left something untried."""
    version = f"Kubernetes {run['target']['kubernetes']}"
    total, counts = len(run["webhooks"]), count_verdicts(run)
    if not total:
        return f"No webhook was tried against {version}"
    broken = counts.get("incompatible", 0)
    if broken:
        return f"{broken} of {counted(total, 'webhook')} would break pods on {version}"
    if counts.get("compatible", 0) == total:
        subject = "The webhook keeps" if total == 1 else f"All {total} webhooks keep"
        met = "occurred in the recorded traffic" if "traffic" in run else "was tried"
        return f"{subject} every field of {version} that {met}"
    return f"No webhook was seen to break pods on {version}"


def caveats(run: RunResult) -> tuple[str, ...]:
    """What the headline must not be read without."""
    return tuple(_caveats(run))


def _caveats(run: RunResult) -> Iterator[str]:
    if not run["complete"]:
        yield "The run did not finish: what is missing here was not tried"
    counts = count_verdicts(run)
    if counts.get("at-risk"):
        yield f"{counts['at-risk']} will break with a later release"
    if counts.get("unreachable"):
        yield f"{counts['unreachable']} could not be called"
    traffic = run.get("traffic")
    if counts.get("not-exercised"):
        pod = "recorded pod that has a new field" if traffic else "pod"
        yield f"{counts['not-exercised']} never changed a {pod}: nothing is known about it"
    if traffic:
        yield from _traffic_caveats(traffic)
    cluster = run.get("cluster")
    if cluster:
        yield from _cluster_caveats(cluster)


def _traffic_caveats(traffic: TrafficResult) -> Iterator[str]:
    yield "Fields that did not occur in the traffic say nothing"
    if traffic["damaged"]:
        yield f"{counted(traffic['damaged'], 'place')} of the recording could not be read"


def _cluster_caveats(cluster: ClusterResult) -> Iterator[str]:
    matching = [hop for hop in cluster["chain"] if hop["matched"] != "skipped"]
    unseen = sum(hop["way"] in {"dry-run", "none"} for hop in matching)
    if unseen:
        yield f"{counted(unseen, 'webhook')} of the chain could not be called alone"
    dry_run = cluster["dry_run"]
    if dry_run and dry_run["sent"] and not dry_run["accepted"]:
        yield "No pod got through the chain in a dry run"
    elif dry_run is None:
        yield "The chain as a whole was not tried"
    if cluster["not_seen"]:
        yield "Not seen: " + ", ".join(each["what"] for each in cluster["not_seen"])


def next_steps(run: RunResult) -> tuple[NextStep, ...]:
    """What to do about each webhook that is not compatible, worst first."""
    return tuple(step for webhook in order_webhooks(run) for step in _steps_for(run, webhook))


def _steps_for(run: RunResult, webhook: WebhookResult) -> Iterator[NextStep]:
    name = label_webhook(run, webhook)
    findings = findings_about(run, webhook)
    if webhook["verdict"] == "not-exercised":
        tried = coverage_of(run, webhook)
        count = len(tried["triggers"]) if tried else 0
        if not count:
            yield NextStep(webhook=name, text=webhook["sentence"])
            return
        yield NextStep(
            webhook=name,
            text=f"None of the {counted(count, 'trigger')} tried made it act. Find the label, "
            "annotation, service account or namespace that does, and run again with it.",
        )
    remedies = dict.fromkeys(finding["remedy"] for finding in findings if finding["remedy"])
    codes = {finding["remedy"]: finding["code"] for finding in reversed(findings)}
    for remedy in list(remedies)[:2]:
        yield NextStep(webhook=name, text=remedy, command=f"webhook-fuzz explain {codes[remedy]}")
