"""What do I paste into the issue tracker of the webhook's vendor?

One section a webhook, complete by itself: what is lost, the smallest pod that shows it, the patch
that does it, why, and how to fix it. Whatever a webhook chose is shown as code, where trackers
interpret nothing: no link, no mention, no HTML.
"""

import re
from collections.abc import Iterator, Sequence

from webhook_fuzz.reports.cluster_results import ClusterResult
from webhook_fuzz.reports.culprits import mark_operations, most_telling
from webhook_fuzz.reports.documents import render_operation, render_yaml
from webhook_fuzz.reports.families import group_by_minor
from webhook_fuzz.reports.overviews import (
    VERDICTS,
    WAYS,
    caveats,
    coverage_of,
    describe_occurrences,
    describe_traffic,
    findings_about,
    headline,
    label_webhook,
    order_cluster_findings,
    order_webhooks,
    other_findings,
)
from webhook_fuzz.reports.results import FindingResult, RunResult, WebhookResult
from webhook_fuzz.reports.texts import capitalised, counted, visible
from webhook_fuzz.reports.traffic_results import TrafficResult

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@-])")
_TICKS = re.compile(r"`+")
_MOST_OPERATIONS = 40


def render_markdown(run: RunResult) -> str:
    """The run as Markdown (CommonMark), one section a webhook."""
    return "\n".join(_lines(run)).rstrip() + "\n"


def plain(text: str) -> str:
    """`text` as one line that Markdown takes literally."""
    return _SPECIAL.sub(r"\\\1", visible(text))


def code(text: str) -> str:
    """`text` as a code span, fenced with more backticks than it holds (CommonMark 6.1)."""
    shown = visible(text) or " "
    fence = "`" * (_longest_ticks(shown) + 1)
    padding = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def block(text: str, language: str) -> str:
    """`text` as a fenced code block (CommonMark 4.5)."""
    shown = visible(text, lines=True)
    fence = "`" * max(3, _longest_ticks(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _longest_ticks(text: str) -> int:
    return max((len(found) for found in _TICKS.findall(text)), default=0)


def _lines(run: RunResult) -> Iterator[str]:
    yield f"# {plain(headline(run))}"
    yield ""
    if caveats(run):
        yield plain("; ".join(caveats(run)) + ".")
        yield ""
    tool = run["tool"]
    yield f"Found by {plain(tool['name'])} {plain(tool['version'])}, {plain(run['started'])}."
    yield ""
    for webhook in order_webhooks(run):
        yield from _section(run, webhook)
    others = other_findings(run)
    if others:
        yield "## Not about one webhook"
        yield ""
        yield from _list_findings(others)
    if cluster := run.get("cluster"):
        yield from _cluster(cluster)
    if traffic := run.get("traffic"):
        yield from _traffic(traffic)


def _traffic(traffic: TrafficResult) -> Iterator[str]:
    """What the verdicts rest on."""
    yield "## Recorded traffic"
    yield ""
    yield plain(f"{describe_traffic(traffic)}.")
    yield ""
    for reason, count in traffic["not_judged"].items():
        yield f"- {count:,} not judged: {plain(reason)}"
    for webhook in traffic["webhooks"]:
        seen = counted(len(webhook["fields"]), "new field")
        unseen = f"{webhook['fields_not_seen']:,} did not occur"
        yield f"- {code(webhook['webhook'])}: {seen} occurred, {unseen}"
    yield ""


def _cluster(cluster: ClusterResult) -> Iterator[str]:
    """The chain and what is wrong around it."""
    yield f"## Cluster {code(cluster['context'])}, {plain(cluster['version'])}"
    yield ""
    for hop in sorted(cluster["chain"], key=lambda hop: hop["position"]):
        name = f"{hop['configuration']}/{hop['name']}"
        yield f"{hop['position'] + 1}. {code(name)}: {plain(hop['matching'])}"
        yield f"   {plain(capitalised(WAYS[hop['way']]))}: {plain(hop['reason'])}"
    yield ""
    dry_run = cluster["dry_run"]
    if dry_run and dry_run["lost"]:
        yield "### Lost end to end"
        yield ""
        for loss in dry_run["lost"]:
            by = code(loss["hop"]) if loss["hop"] else "an unknown hop"
            yield f"- {code(loss['path'])} by {by}: {plain(loss['known_by'])}"
        yield ""
    yield from _cluster_findings(cluster)
    if cluster["not_seen"]:
        yield "### Not seen"
        yield ""
        for unseen in cluster["not_seen"]:
            yield f"- {plain(unseen['what'])}: {plain(unseen['why'])}"
        yield ""


def _cluster_findings(cluster: ClusterResult) -> Iterator[str]:
    found = order_cluster_findings(cluster)
    if not found:
        return
    yield "### Configurations, nodes and pods"
    yield ""
    for each in found:
        where = f" ({code(each['path'])})" if each["path"] else ""
        yield (
            f"- {plain(each['code'])} {plain(each['severity'])} {code(each['subject'])}{where}: "
            f"{plain(each['explanation'])} {plain(each['remedy'])}"
        )
    yield ""


def _section(run: RunResult, webhook: WebhookResult) -> Iterator[str]:
    findings = findings_about(run, webhook)
    yield f"## {code(label_webhook(run, webhook))}: {VERDICTS[webhook['verdict']].lower()}"
    yield ""
    yield plain(webhook["sentence"])
    yield ""
    if webhook["mechanism"]:
        yield f"Cause: {plain(webhook['mechanism'])}"
        yield ""
    if webhook["verdict"] == "not-exercised" and "traffic" not in run:
        yield from _tried(run, webhook)
    yield from _fields("Lost", webhook["lost_fields"], webhook)
    yield from _fields("Moved to another element", webhook["moved_fields"], webhook)
    if findings:
        yield from _example(findings)
        yield from _remedies(findings)
        yield from _other_codes(findings)


def _tried(run: RunResult, webhook: WebhookResult) -> Iterator[str]:
    tried = coverage_of(run, webhook)
    yield "Triggers tried, none of which made it change a pod:"
    yield ""
    for trigger in tried["triggers"] if tried else []:
        yield f"- {code(trigger['trigger'])}"
    yield ""


def _fields(words: str, paths: Sequence[str], webhook: WebhookResult) -> Iterator[str]:
    if not paths:
        return
    yield f"### {words}: {counted(len(paths), 'field')}"
    yield ""
    for minor, group in group_by_minor(paths, webhook["fields"]).items():
        yield f"- Kubernetes {plain(minor)}"
        for path in group:
            known = webhook["fields"].get(path)
            gate = f" ({plain(known['gate'])})" if known and known["gate"] else ""
            yield f"  - {code(path)}{gate}"
    yield ""


def _example(findings: Sequence[FindingResult]) -> Iterator[str]:
    """The worst finding that has a pod, in full."""
    shown = next((finding for finding in findings if finding["reproducer"]), None)
    if shown is None or shown["reproducer"] is None:
        return
    yield f"### How to see it: {plain(shown['title'])}"
    yield ""
    yield plain(shown["evidence"]["explanation"])
    yield ""
    occurred = shown.get("occurrences")
    if occurred:
        yield f"Seen in {plain(describe_occurrences(occurred))}."
        yield ""
        yield f"Pod (recorded exchange {code(occurred['exchange'])}):"
    else:
        yield f"Pod (trigger: {code(shown['reproducer']['trigger'])}):"
    yield ""
    yield block(render_yaml(shown["reproducer"]["pod"]), "yaml")
    yield ""
    yield from _patch(shown)


def _patch(finding: FindingResult) -> Iterator[str]:
    marked = mark_operations(finding)
    if not marked:
        return
    chosen = most_telling(marked, _MOST_OPERATIONS)
    # As a diff, trackers colour the operations that touched the field.
    lines = [
        f"{'-' if shown['culprit'] else ' '} {render_operation(shown['operation'])}"
        for shown in chosen
    ]
    if len(marked) > len(chosen):
        lines.append(f"  … {counted(len(marked) - len(chosen), 'more operation')}")
    touched = any(shown["culprit"] for shown in marked)
    note = "; marked operations touch the field" if touched else ""
    yield f"The webhook's patch for it{note}:"
    yield ""
    yield block("\n".join(lines), "diff")
    yield ""


def _remedies(findings: Sequence[FindingResult]) -> Iterator[str]:
    remedies = dict.fromkeys(finding["remedy"] for finding in findings if finding["remedy"])
    if not remedies:
        return
    yield "### Remedy"
    yield ""
    for remedy in remedies:
        yield f"- {plain(remedy)}"
    yield ""


def _other_codes(findings: Sequence[FindingResult]) -> Iterator[str]:
    """Findings that no list of fields above names."""
    others = [finding for finding in findings if not finding["field"]]
    if others:
        yield "### Also found"
        yield ""
        yield from _list_findings(others)


def _list_findings(findings: Sequence[FindingResult]) -> Iterator[str]:
    for finding in findings:
        explanation = plain(finding["evidence"]["explanation"])
        where = f" ({code(finding['path'])})" if finding["path"] else ""
        yield f"- {plain(finding['code'])} {plain(finding['title'])}{where}: {explanation}"
    yield ""
