"""How does a comparison become one HTML file?

With the style of the report of a run, and under the same rules: no script, no font, no network, a
Content Security Policy that says so, and every string escaped and made visible.
"""

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.reports.comparison_texts import headline
from webhook_fuzz.reports.comparisons import (
    RELATION_WORDS,
    SEVERITIES,
    SIDE_WORDS,
    CaseResult,
    ComparisonResult,
)
from webhook_fuzz.reports.documents import render_value
from webhook_fuzz.reports.texts import clipped, counted, duration, visible

_MOST_SHOWN = 60
_MOST_PATHS_SHOWN = 40
_LONGEST_VALUE = 200
_PACKAGE = "webhook_fuzz.reports.html"


def render_comparison_html(result: ComparisonResult) -> str:
    """The comparison as one self-contained HTML page (UTF-8)."""
    style = _read("style.css")
    return (
        _environment()
        .get_template("comparison.html")
        .render(
            result=result,
            style=Markup(style),  # noqa: S704 (our own file)
            policy=_policy(style),
            headline=headline(result),
            relations=[
                (words, name, result["relations"][name])
                for name, words in RELATION_WORDS.items()
                if result["relations"][name]
            ],
            severities=SEVERITIES,
            sides=SIDE_WORDS,
            words=RELATION_WORDS,
            cases=[_shown(case) for case in result["cases"][:_MOST_SHOWN]],
            more=max(len(result["cases"]) - _MOST_SHOWN, 0),
        )
    )


def _shown(case: CaseResult) -> dict[str, Any]:
    """A case with its values as text, no more of them than anybody reads."""
    differences = [
        {
            "path": each["path"],
            "side": SIDE_WORDS[each["side"]],
            "sent": _value(each["sent"], present=each["sent_present"]),
            "first": _value(each["first"], present=each["first_present"]),
            "second": _value(each["second"], present=each["second_present"]),
        }
        for each in case["differences"][:_MOST_PATHS_SHOWN]
    ]
    return {
        **case,
        "shown": differences,
        "more": max(len(case["differences"]) - _MOST_PATHS_SHOWN, 0),
    }


def _value(value: JsonValue, *, present: bool) -> str:
    return clipped(render_value(value), _LONGEST_VALUE) if present else "absent"


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
    filters["duration"] = duration
    return environment


def _finalize(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, lines=True)
    return value


def _read(*parts: str) -> str:
    return resources.files(_PACKAGE).joinpath(*parts).read_text(encoding="utf-8")


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
