"""How are the figures shown, to people and to machines?

A table whose columns line up, and JSON with every round. Neither says where the run took place:
the number of cores and the Python version are what a reader needs to judge the figures.
"""

import os
import platform
from collections.abc import Sequence

import orjson

from benchmarks.measuring import Figure, Measured, Spread, Unit, spread

_HEADINGS = ("figure", "ours", "other", "compared with", "ratio", "goal", "met")
_FORMAT_VERSION = 1


def render_machine() -> str:
    """What the figures were measured on."""
    return f"{os.cpu_count()} cores, {platform.python_implementation()} {platform.python_version()}"


def render_table(figures: Sequence[Figure]) -> str:
    """One line a figure: medians, in brackets the least and the most of all rounds."""
    rows = [_HEADINGS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def render_json(figures: Sequence[Figure], *, quick: bool) -> bytes:
    """Everything that was measured; `quick` figures only show that the benchmarks run."""
    document = {
        "version": _FORMAT_VERSION,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "quick": quick,
        "figures": [_entry(figure) for figure in figures],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _row(figure: Figure) -> tuple[str, ...]:
    met = {True: "yes", False: "no", None: "-"}[figure.met]
    return (
        figure.name,
        _values(spread(figure.ours), figure.unit),
        _values(spread(figure.other), figure.unit),
        figure.other_name,
        _ratio(figure.ratio),
        _goal(figure),
        met,
    )


def _values(values: Spread, unit: Unit) -> str:
    digits = ",.0f" if unit in {Unit.RATE, Unit.COUNT} else ".3f"
    space = "" if unit in {Unit.RATE, Unit.COUNT} else " "
    median, least, most = (
        format(value, digits) for value in (values.median, values.least, values.most)
    )
    return f"{median}{space}{unit} ({least}\N{EN DASH}{most})"


def _ratio(ratio: Spread) -> str:
    return f"{ratio.median:.2f} ({ratio.least:.2f}\N{EN DASH}{ratio.most:.2f})"


def _goal(figure: Figure) -> str:
    goal = figure.goal
    if goal is None:
        return "-"
    if goal.of is Measured.RATIO:
        return f"ratio \N{GREATER-THAN OR EQUAL TO} {goal.bound:g}"
    if figure.unit is Unit.RATE:
        return f"ours \N{GREATER-THAN OR EQUAL TO} {goal.bound:,.0f}/s"
    return f"ours \N{LESS-THAN OR EQUAL TO} {goal.bound:g} {figure.unit}"


def _entry(figure: Figure) -> dict[str, object]:
    return {
        "name": figure.name,
        "compared_with": figure.other_name,
        "unit": str(figure.unit),
        "ours": figure.ours,
        "other": figure.other,
        "median_ours": spread(figure.ours).median,
        "median_other": spread(figure.other).median,
        "median_ratio": figure.ratio.median,
        "goal": _goal(figure),
        "met": figure.met,
    }
