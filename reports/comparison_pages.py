"""How does a comparison become one HTML file, with the style of the report of a run?"""

from typing import Any

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
from webhook_fuzz.reports.html.pages import render_page
from webhook_fuzz.reports.texts import clipped

_MOST_SHOWN = 60
_MOST_PATHS_SHOWN = 40
_LONGEST_VALUE = 200


def render_comparison_html(result: ComparisonResult) -> str:
    """The comparison as one self-contained HTML page (UTF-8)."""
    return render_page(
        "comparison.html",
        tool=result["tool"],
        headline=headline(result),
        result=result,
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
