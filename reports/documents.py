"""How are pods, patches and values written out for people?

As YAML where somebody will apply them, as JSON where they are JSON on the wire. A webhook decides
how large a value is, so everything is cut at a length people still read; run.json has it whole.
"""

import difflib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import yaml

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.reports.results import Evidence
from webhook_fuzz.reports.texts import clipped, visible

MOST_LINES = 300
_WIDEST = 2_000  # characters of a line
_DIFFABLE = 400  # lines: difflib is quadratic
_ONE_LINE = 72
_FIRST: tuple[str, ...] = ("op", "from", "path")
_DEEPEST = 100  # levels; PyYAML gives up at about 250, the json module at 1,000


class _PlainDumper(yaml.SafeDumper):
    """YAML without anchors, and in pure Python: libyaml refuses lone surrogates."""

    def ignore_aliases(self, data: object) -> bool:
        """Never: an anchor in a pod is one more thing to read."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """One line of a comparison: taken away, added or the same on both sides.

    `absent` marks the line that stands for a side that had no value at all.
    """

    mark: Literal["-", "+", " "]
    text: str
    absent: bool = False


def render_yaml(value: JsonValue) -> str:
    """`value` as YAML. Strings that are not plain ASCII are written with YAML's own escapes."""
    text: str = yaml.dump(without_depths(value), Dumper=_PlainDumper, sort_keys=False, width=100)
    return cut_lines(text.rstrip("\n"))


def render_value(value: JsonValue) -> str:
    """`value` as JSON: on one line when it is short, indented otherwise."""
    shown = without_depths(value)
    line = json.dumps(shown, ensure_ascii=False)
    if len(line) <= _ONE_LINE:
        return visible(line)
    return cut_lines(visible(json.dumps(shown, ensure_ascii=False, indent=2), lines=True))


def render_operation(operation: JsonObject) -> str:
    """A patch operation on one line, `op` and `path` first, however the webhook ordered them."""
    ordered: JsonObject = {key: operation[key] for key in _FIRST if key in operation}
    ordered |= operation
    text = json.dumps(without_depths(ordered), ensure_ascii=False)
    return clipped(visible(text), _WIDEST)


def cut_lines(text: str) -> str:
    """`text` with long lines clipped and, beyond MOST_LINES, a note on how many more there are."""
    lines = text.split("\n")
    shown = [clipped(line, _WIDEST) for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(f"… {len(lines) - MOST_LINES:,} more lines are in run.json")
    return "\n".join(shown)


def compare_values(evidence: Evidence) -> tuple[DiffLine, ...]:
    """The value at the finding's path before and after the webhook, as lines of a diff."""
    before = _lines(evidence["before"], present=evidence["before_present"])
    after = _lines(evidence["after"], present=evidence["after_present"])
    if not before and not after:
        return ()
    if before and after:
        return tuple(_diff(before, after))
    nothing = DiffLine(mark="-" if after else "+", text="(absent)", absent=True)
    removed = tuple(DiffLine(mark="-", text=line) for line in before)
    added = tuple(DiffLine(mark="+", text=line) for line in after)
    return (*removed, nothing, *added)


def _lines(value: JsonValue, *, present: bool) -> list[str]:
    return render_value(value).split("\n") if present else []


def _diff(before: Sequence[str], after: Sequence[str]) -> Iterator[DiffLine]:
    if len(before) + len(after) > _DIFFABLE:
        yield from (DiffLine(mark="-", text=line) for line in before)
        yield from (DiffLine(mark="+", text=line) for line in after)
        return
    for line in difflib.ndiff(before, after):
        match line[0]:
            case "-" | "+" | " " as mark:
                yield DiffLine(mark=mark, text=line[2:])
            case _:  # "?" lines point at characters
                continue


def without_depths(value: JsonValue, deepest: int = _DEEPEST) -> JsonValue:
    """`value` with what is nested deeper than `deepest` levels replaced by a note.

    A webhook may answer any depth that its own JSON writer can make; ours and those of every
    viewer are recursive. Numbers beyond any float, which JSON can spell and no reader can hold, are
    replaced as well. The same object is returned where there is nothing of the kind.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "… (too large a number to show)"
    if not isinstance(value, dict | list):
        return value
    if deepest == 0:
        return "… (nested too deeply to show)"
    if isinstance(value, dict):
        members = {key: without_depths(member, deepest - 1) for key, member in value.items()}
        return value if all(members[key] is value[key] for key in value) else members
    items = [without_depths(item, deepest - 1) for item in value]
    return value if all(a is b for a, b in zip(items, value, strict=True)) else items
