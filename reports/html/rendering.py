"""How does a run become one HTML file?

The page needs nothing but itself: no script, no font, no image, no network. Its own Content
Security Policy says so, with the hash of its style sheet as the only exception. All strings in it
come from webhooks and pods, so autoescaping is on, undefined names are errors, and what is not
printable is made visible on its way in.
"""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from webhook_fuzz.reports.html.cluster_views import build_cluster
from webhook_fuzz.reports.html.matrices import GLYPHS, WORDS, build_matrix
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
from webhook_fuzz.reports.texts import capitalised, counted, duration, visible

_PATH_DOT = re.compile(r"(?<=[\w\])}])\.(?=[A-Za-z])")  # not the dot of 1.29
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
    style = _style(len(cards))
    return (
        _environment()
        .get_template("report.html")
        .render(
            run=run,
            style=Markup(style),  # noqa: S704 (our own file and a number)
            policy=_policy(style),
            headline=headline(run),
            caveats=caveats(run),
            verdict_counts=[(VERDICTS[v], v, count) for v, count in count_verdicts(run).items()],
            calls=sum(webhook["calls"] for webhook in run["webhooks"]),
            cards=cards,
            named_columns=len(cards) <= _FEW_COLUMNS,
            matrix=build_matrix(run, [card.webhook for card in cards]),
            legend=[(state, GLYPHS[state], WORDS[state]) for state in GLYPHS],
            sections=sections,
            found={
                section.number: sum(count for _, count, _ in section.severities)
                for section in sections
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
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: _read("templates", name)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = environment.filters
    filters["counted"] = counted
    filters["capitalised"] = capitalised
    filters["duration"] = duration
    filters["breakable"] = _breakable
    return environment


def _finalize(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, lines=True)
    return value


def _breakable(path: str) -> Markup:
    """Text with paths in it, escaped, that may be broken after the dots of the paths."""
    return Markup(".<wbr>").join(escape(part) for part in _PATH_DOT.split(visible(path)))


def _read(*parts: str) -> str:
    return resources.files(str(__package__)).joinpath(*parts).read_text(encoding="utf-8")


def _style(columns: int) -> str:
    # Style attributes would need another exception in the policy, so the number goes in here.
    return f":root {{ --columns: {max(columns, 1)}; }}\n{_read('style.css')}"


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _not_probed(run: RunResult) -> list[tuple[str, str]]:
    reasons: dict[str, str] = {}
    for coverage in run["coverage"]:
        reasons |= coverage["not_probed"]
    return sorted(reasons.items())
