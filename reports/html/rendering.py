"""How does a run become one HTML file?"""

from webhook_fuzz.reports.html.cluster_views import build_cluster
from webhook_fuzz.reports.html.matrices import GLYPHS, WORDS, build_matrix
from webhook_fuzz.reports.html.pages import render_page
from webhook_fuzz.reports.html.traffic_views import build_traffic
from webhook_fuzz.reports.html.views import build_cards, build_findings
from webhook_fuzz.reports.overviews import (
    VERDICTS,
    caveats,
    count_verdicts,
    coverage_of,
    headline,
    next_steps,
)
from webhook_fuzz.reports.results import RunResult

_FEW_COLUMNS = 8  # more webhooks than this, and their names no longer fit above the columns
_EFFECTS = {
    "acts": "acts: it patched pods",
    "same-as-without": "same as without a trigger",
    "no-patch": "answered, patched nothing",
    "failed": "no call was answered",
}


_FIELD_OUTCOMES = {
    "kept": "kept on every patched pod",
    "lost": "lost",
    "moved": "moved to another element",
    "not-patched": "on no pod it patched",
}


def render_html(run: RunResult) -> str:
    """The report of a run as one self-contained HTML page (UTF-8)."""
    cards = build_cards(run)
    sections = build_findings(run, cards)
    cluster = run.get("cluster")
    return render_page(
        "report.html",
        tool=run["tool"],
        headline=headline(run),
        # A style attribute would need another exception in the policy, so the number goes in here.
        rules=f":root {{ --columns: {max(len(cards), 1)}; }}\n",
        run=run,
        caveats=caveats(run),
        verdict_counts=[(VERDICTS[v], v, count) for v, count in count_verdicts(run).items()],
        calls=sum(webhook["calls"] for webhook in run["webhooks"]),
        cards=cards,
        named_columns=len(cards) <= _FEW_COLUMNS,
        matrix=build_matrix(run, [card.webhook for card in cards]),
        legend=[(state, GLYPHS[state], WORDS[state]) for state in GLYPHS],
        sections=sections,
        found={
            section.number: sum(count for _, count, _ in section.severities) for section in sections
        },
        coverages=[(card, coverage_of(run, card.webhook)) for card in cards],
        effects=_EFFECTS,
        not_probed=_not_probed(run),
        steps=next_steps(run),
        cluster=build_cluster(cluster, cards) if cluster else None,
        traffic=run.get("traffic"),
        traffic_cards=build_traffic(run, cards),
        field_outcomes=_FIELD_OUTCOMES,
    )


def _not_probed(run: RunResult) -> list[tuple[str, str]]:
    reasons: dict[str, str] = {}
    for coverage in run["coverage"]:
        reasons |= coverage["not_probed"]
    return sorted(reasons.items())
