"""What did each webhook do to each new field?

One row a field, one column a webhook, grouped by the minor that introduced the field. The strip
above each group counts, so the closed matrix already is an overview: one row a minor.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from webhook_fuzz.reports.families import group_by_family, group_by_minor
from webhook_fuzz.reports.results import LostField, RunResult, WebhookResult
from webhook_fuzz.reports.texts import counted, short_path

State = Literal["lost", "moved", "kept", "not-tried"]

GLYPHS: Mapping[State, str] = {"lost": "✕", "moved": "⇄", "kept": "✓", "not-tried": "·"}
WORDS: Mapping[State, str] = {
    "lost": "lost",
    "moved": "moved",
    "kept": "kept",
    "not-tried": "not tried",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one webhook did to one field, or to all fields of a minor: `text` beside the glyph."""

    state: State
    words: str
    text: str = ""

    @property
    def glyph(self) -> str:
        """The sign of the state, so that colour is never the only one."""
        return GLYPHS[self.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field and what each webhook did to it, in the order of the columns."""

    path: str
    gate: str | None
    stage: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MinorGroup:
    """The fields of one minor, their families as a label, and a summary of each column."""

    minor: str
    label: str
    rows: tuple[Row, ...]
    summary: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All groups, oldest minor first; `future` is about fields that no release has."""

    groups: tuple[MinorGroup, ...]
    future: tuple[Cell, ...]


def build_matrix(run: RunResult, webhooks: Sequence[WebhookResult]) -> Matrix:
    """The matrix of a run, its columns in the order of `webhooks`."""
    fields: dict[str, LostField] = {}
    for webhook in webhooks:
        fields |= webhook["fields"]
    tried = {path for webhook in webhooks for path in _states(webhook)}
    columns = [_states(webhook) for webhook in webhooks]
    return Matrix(
        groups=tuple(
            _build_group(minor, paths, fields, columns)
            for minor, paths in group_by_minor(tried, fields).items()
        ),
        future=tuple(_cell(webhook["future_fields"]) for webhook in webhooks),
    )


def _states(webhook: WebhookResult) -> dict[str, State]:
    """What happened to each field; the worst counts where a path is named twice."""
    kept: dict[str, State] = dict.fromkeys(webhook["kept_fields"], "kept")
    moved: dict[str, State] = dict.fromkeys(webhook["moved_fields"], "moved")
    lost: dict[str, State] = dict.fromkeys(webhook["lost_fields"], "lost")
    return kept | moved | lost


def _build_group(
    minor: str,
    paths: Sequence[str],
    fields: Mapping[str, LostField],
    columns: Sequence[Mapping[str, State]],
) -> MinorGroup:
    rows = tuple(
        Row(
            path=short_path(path),
            gate=fields[path]["gate"] if path in fields else None,
            stage=fields[path]["stage"] if path in fields else None,
            cells=tuple(_cell(column.get(path, "not-tried")) for column in columns),
        )
        for path in paths
    )
    states: list[list[State]] = [
        [column.get(path, "not-tried") for path in paths] for column in columns
    ]
    return MinorGroup(
        minor=minor,
        label=", ".join(family.label for family in group_by_family(paths)),
        rows=rows,
        summary=tuple(_summarise(each) for each in states),
    )


def _cell(state: State) -> Cell:
    return Cell(state=state, words=WORDS[state])


def _summarise(states: Sequence[State]) -> Cell:
    counts = Counter[State](states)
    worst: State = next(state for state in GLYPHS if counts[state])
    broken = counts["lost"] + counts["moved"]
    words = [f"{counts[state]} {WORDS[state]}" for state in GLYPHS if counts[state]]
    return Cell(
        state=worst,
        words=f"{', '.join(words)} of {counted(len(states), 'field')}",
        text=str(broken) if broken else "",
    )
