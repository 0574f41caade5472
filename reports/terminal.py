"""What is printed when a run ends?

One screen: each webhook's verdict, the fields it lost by Kubernetes version, the sentence that
matters, and what to do next. Everything else is in the report. The text is made with rich but
without its markup: the strings come from webhooks.
"""

import io
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from webhook_fuzz.reports.cluster_results import ClusterFindingResult, ClusterResult
from webhook_fuzz.reports.families import group_by_minor, summarise_paths
from webhook_fuzz.reports.overviews import (
    VERDICTS,
    caveats,
    describe_traffic,
    findings_about,
    headline,
    label_webhook,
    order_cluster_findings,
    order_webhooks,
    other_findings,
)
from webhook_fuzz.reports.results import RunResult, Verdict, WebhookResult
from webhook_fuzz.reports.texts import clipped, counted, duration, visible
from webhook_fuzz.reports.traffic_results import TrafficResult

DEFAULT_WIDTH = 100
_NARROWEST = 40
_FEW = 2  # webhooks; with more, each gets fewer lines
_MOST_CLUSTER_FINDINGS = 4
_MOST_UNSEEN = 3
_SEPARATOR = " · "
_SIGNS: dict[Verdict, tuple[str, str]] = {
    "incompatible": ("✕", "bold red"),
    "at-risk": ("!", "bold yellow"),
    "unreachable": ("✕", "bold red"),
    "not-exercised": ("?", "bold"),
    "compatible": ("✓", "bold green"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line: its style and what it says; `lead` is set off in front of it."""

    text: str = ""
    style: str = ""
    lead: str = ""
    lead_style: str = ""


def render_summary(
    run: RunResult, *, width: int = DEFAULT_WIDTH, colour: bool = False, report: str | None = None
) -> str:
    """The run on one screen: at most 24 lines for up to four webhooks, `width` columns wide.

    `report` is where the full report was written, if it was. Without `colour` the text holds no
    escape sequence at all; with it, only rich's own.
    """
    columns = max(width, _NARROWEST)
    output = io.StringIO()
    console = Console(
        file=output,
        width=columns,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        legacy_windows=False,
        _environ={},
    )
    for line in _lines(run, columns, report):
        console.print(_styled(line, columns), soft_wrap=True)
    return output.getvalue()


def _styled(line: _Line, columns: int) -> Text:
    lead = visible(line.lead)
    text = clipped(visible(line.text), max(columns - len(lead), 1))
    return Text().append(lead, style=line.lead_style).append(text, style=line.style)


def _lines(run: RunResult, columns: int, report: str | None) -> Iterator[_Line]:
    traffic = run.get("traffic")
    calls = sum(webhook["calls"] for webhook in run["webhooks"])
    done = f"{counted(calls, 'review')} sent"
    if traffic:
        done = f"{counted(traffic['exchanges'], 'recorded exchange')} judged, nothing sent,"
    yield _Line(
        text=f"{run['tool']['name']} {run['tool']['version']}, {done} "
        f"in {duration(run['seconds'])}",
        style="dim",
    )
    yield _Line(text=headline(run), style="bold")
    for line in _wrap("; ".join(caveats(run)), columns, most=2):
        yield _Line(text=line)
    for webhook in order_webhooks(run):
        yield from _webhook_lines(run, webhook, columns)
    for finding in other_findings(run):
        yield _Line(lead=f"{finding['code']} ", lead_style="bold", text=finding["title"])
    if cluster := run.get("cluster"):
        yield from _cluster_lines(cluster)
    if traffic:
        yield from _traffic_lines(traffic)
    yield from _closing_lines(run, report)


def _traffic_lines(traffic: TrafficResult) -> Iterator[_Line]:
    """What the verdicts rest on, in a few lines."""
    yield _Line()
    yield _Line(lead="Traffic  ", lead_style="dim", text=describe_traffic(traffic))
    not_judged = list(traffic["not_judged"].items())
    for reason, count in not_judged[:_MOST_UNSEEN]:
        yield _Line(lead="Not      ", lead_style="yellow", text=f"judged: {count:,}, {reason}")
    left = sum(count for _, count in not_judged[_MOST_UNSEEN:])
    if left:
        yield _Line(text=f"         {left:,} more were not judged: see the report")
    unclaimed = sum(webhook["unclaimed"] for webhook in traffic["webhooks"])
    if unclaimed:
        said = "rest on a redacted value and are not claimed"
        yield _Line(
            lead="Redacted ", lead_style="yellow", text=f"{counted(unclaimed, 'finding')} {said}"
        )


def _cluster_lines(cluster: ClusterResult) -> Iterator[_Line]:
    """The cluster in a few lines: the chain as a whole, readiness, the worst that is wrong."""
    yield _Line()
    yield _Line(
        lead="Cluster  ", lead_style="dim", text=f"{cluster['context']}, {cluster['version']}"
    )
    yield _Line(lead="Chain    ", lead_style="dim", text=_describe_chain(cluster))
    for readiness in cluster["readiness"]:
        answers = Counter[str]()
        for row in readiness["rows"]:
            answers[row["answer"]] += row["count"]
        said = ", ".join(f"{answer} for {count:,}" for answer, count in answers.items())
        yield _Line(lead="Ready    ", lead_style="dim", text=f"{readiness['feature']}: {said}")
    for unseen in cluster["not_seen"][:_MOST_UNSEEN]:
        yield _Line(
            lead="Unseen   ", lead_style="yellow", text=f"{unseen['what']}: {unseen['why']}"
        )
    groups: dict[tuple[str, str], list[ClusterFindingResult]] = {}
    for finding in order_cluster_findings(cluster):
        groups.setdefault((finding["code"], finding["subject"]), []).append(finding)
    for (code, subject), members in list(groups.items())[:_MOST_CLUSTER_FINDINGS]:
        more = f" (and {len(members) - 1} more of these)" if len(members) > 1 else ""
        severe = members[0]["severity"] in {"critical", "error"}
        yield _Line(
            lead=f"{code}    ",
            lead_style="red" if severe else "yellow",
            text=f"{subject}{more}: {members[0]['explanation']}",
        )
    left = sum(map(len, list(groups.values())[_MOST_CLUSTER_FINDINGS:]))
    if left:
        more = counted(left, "more finding")
        yield _Line(text=f"         {more} about configurations, nodes and pods: see the report")


def _describe_chain(cluster: ClusterResult) -> str:
    called = [hop for hop in cluster["chain"] if hop["matched"] != "skipped"]
    text = f"{counted(len(cluster['chain']), 'webhook')}, {len(called)} called for pods"
    dry_run = cluster["dry_run"]
    if dry_run is None:
        return f"{text}; not tried as a whole"
    refused = dry_run["sent"] - dry_run["accepted"]
    after = f"; {refused} of {counted(dry_run['sent'], 'dry-run pod')} refused" if refused else ""
    if not dry_run["lost"]:
        whole = f"; {counted(dry_run['accepted'], 'dry-run pod')} came through whole"
        return f"{text}{whole if dry_run['accepted'] else ''}{after}"
    hops = Counter(_short_hop(loss["hop"]) for loss in dry_run["lost"])
    by = ", ".join(f"{count} by {hop}" for hop, count in hops.most_common())
    return f"{text}; {counted(len(dry_run['lost']), 'field')} lost: {by}{after}"


def _short_hop(hop: str | None) -> str:
    """The configuration's name, which is what people look for."""
    return hop.partition("/")[0] if hop else "an unknown hop"


def _webhook_lines(run: RunResult, webhook: WebhookResult, columns: int) -> Iterator[_Line]:
    sign, style = _SIGNS[webhook["verdict"]]
    yield _Line(
        lead=f"{sign} {VERDICTS[webhook['verdict']]:<14}",
        lead_style=style,
        text=label_webhook(run, webhook),
        style="bold",
    )
    if webhook["verdict"] == "compatible":
        return
    roomy = len(run["webhooks"]) <= _FEW
    broken = webhook["lost_fields"] + webhook["moved_fields"]
    for line in _wrap(webhook["sentence"], columns - 2, most=2 if roomy or not broken else 1):
        yield _Line(text=f"  {line}")
    if broken:
        yield from _field_lines(webhook, columns, most=2 if roomy else 1)
    elif webhook["breaks_in"]:
        yield _Line(text=f"  Breaks in Kubernetes {webhook['breaks_in']}")


def _wrap(text: str, columns: int, *, most: int) -> list[str]:
    """`text` in at most `most` lines, the last one clipped."""
    lines = textwrap.wrap(visible(text), columns)
    rest = " ".join(lines[most - 1 :])
    return [*lines[: most - 1], clipped(rest, columns)] if rest else lines


def _field_lines(webhook: WebhookResult, columns: int, *, most: int) -> Iterator[_Line]:
    """Families by version, in at most `most` lines; what does not fit is counted."""
    for words, paths in (("Lost", webhook["lost_fields"]), ("Moved", webhook["moved_fields"])):
        if not paths:
            continue
        lead = f"  {words} {len(paths)}: "
        groups = group_by_minor(paths, webhook["fields"])
        parts = [f"{minor} {summarise_paths(group)}" for minor, group in groups.items()]
        lines = _fill(parts, columns - len(lead), most=most)
        yield _Line(lead=lead, lead_style="red", text=lines[0])
        yield from (_Line(text=" " * len(lead) + line) for line in lines[1:])


def _fill(parts: list[str], room: int, *, most: int) -> list[str]:
    """Parts joined into at most `most` lines; the last says how many were left out."""
    lines = [""]
    for done, part in enumerate(parts):
        more = f"{_SEPARATOR}… {len(parts) - done} more"
        joined = lines[-1] + _SEPARATOR + part if lines[-1] else part
        reserve = len(more) if len(lines) == most and done + 1 < len(parts) else 0
        if len(joined) + reserve <= room or not lines[-1]:
            lines[-1] = joined
        elif len(lines) < most:
            lines.append(part)
        else:
            lines[-1] += more
            break
    return lines


def _closing_lines(run: RunResult, report: str | None) -> Iterator[_Line]:
    codes = dict.fromkeys(
        finding["code"]
        for webhook in order_webhooks(run)
        for finding in findings_about(run, webhook)
    )
    if report or codes:
        yield _Line()
    if report:
        yield _Line(lead="Report   ", lead_style="dim", text=report)
    if codes:
        first, *others = codes
        rest = f" (also found: {', '.join(others)})" if others else ""
        yield _Line(lead="Explain  ", lead_style="dim", text=f"webhook-fuzz explain {first}{rest}")
    if "traffic" in run:
        yield _Line(
            lead="Next     ",
            lead_style="dim",
            text="webhook-fuzz replay --enrich tries the fields that did not occur, on these pods.",
        )
    elif any(webhook["verdict"] == "not-exercised" for webhook in run["webhooks"]):
        yield _Line(
            lead="Next     ",
            lead_style="dim",
            text="Find what makes the webhooks marked ? act, and run again with it.",
        )
