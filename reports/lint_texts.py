"""What is printed of a lint?

A paragraph a finding, the worst first; webhooks with the same one share it, and each remedy is said
once. It fits a terminal and reads the same in a log.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from webhook_fuzz.reports.lint_results import LintFindingResult, LintResult, order_lint_findings
from webhook_fuzz.reports.overviews import SEVERITIES
from webhook_fuzz.reports.texts import counted, visible

DEFAULT_WIDTH: Final = 100
_NARROWEST: Final = 40
_INDENT: Final = " " * 9
_MOST_SUBJECTS: Final = 10
_RESET: Final = "\x1b[0m"
_COLOURS: Final = {
    "critical": "\x1b[1;31m",
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "info": "\x1b[1m",
}


def render_lint(lint: LintResult, *, width: int = DEFAULT_WIDTH, colour: bool = False) -> str:
    """The lint as text of at most `width` columns; the only escapes are ours, with `colour`."""
    columns = max(width, _NARROWEST)
    return "\n".join(_lines(lint, columns, colour=colour)) + "\n"


def _lines(lint: LintResult, columns: int, *, colour: bool) -> Iterator[str]:
    alike: dict[tuple[str, ...], list[LintFindingResult]] = {}
    for finding in order_lint_findings(lint["findings"]):
        key = (finding["severity"], finding["code"], finding["explanation"], finding["evidence"])
        alike.setdefault((*key, finding["remedy"]), []).append(finding)
    remedies = set[tuple[str, str]]()
    for findings in alike.values():
        yield from _finding_lines(findings, columns, colour=colour)
        remedy = (findings[0]["code"], findings[0]["remedy"])
        if remedy not in remedies:
            remedies.add(remedy)
            yield from _wrapped(remedy[1], columns, lead="→ ")
        yield ""
    yield from _closing_lines(lint, columns)


def _finding_lines(
    findings: Sequence[LintFindingResult], columns: int, *, colour: bool
) -> Iterator[str]:
    """What is the same for all of them, once; then whose it is, and where it is written."""
    first = findings[0]
    severity = first["severity"]
    word = f"{_COLOURS[severity]}{severity:<8}{_RESET}" if colour else f"{severity:<8}"
    yield f"{word} {first['code']} {first['name']}"
    yield from _wrapped(f"{first['explanation']} {first['evidence']}", columns)
    for finding in findings[:_MOST_SUBJECTS]:
        yield from _wrapped("  ".join(_where(finding)), columns)
    if len(findings) > _MOST_SUBJECTS:
        yield f"{_INDENT}and {len(findings) - _MOST_SUBJECTS} more"


def _where(finding: LintFindingResult) -> Iterator[str]:
    """The place first, so that terminals and editors find it."""
    if finding["file"]:
        yield f"{finding['file']}:{finding['line']}"
    yield finding["subject"]
    if finding["chart_file"]:
        yield f"({finding['chart_file']})"
    elif not finding["file"] and finding["path"]:
        yield finding["path"]


def _wrapped(text: str, columns: int, *, lead: str = "") -> Iterator[str]:
    yield from textwrap.wrap(
        visible(text),
        columns,
        initial_indent=_INDENT + lead,
        subsequent_indent=_INDENT + " " * len(lead),
        break_on_hyphens=False,
    )


def _closing_lines(lint: LintResult, columns: int) -> Iterator[str]:
    counts = Counter(finding["severity"] for finding in lint["findings"])
    found = ", ".join(
        counted(counts[severity], severity) for severity in SEVERITIES if counts[severity]
    )
    looked_at = (
        f"{counted(lint['webhooks'], 'webhook')} in "
        f"{counted(lint['configurations'], 'configuration')}"
    )
    yield from textwrap.wrap(
        f"{looked_at} of {visible(lint['source'])}: {found or 'nothing found'}", columns
    )
    if lint["ignored"]:
        reasons = Counter(ignored["because"] for ignored in lint["ignored"])
        said = ", ".join(f"{count} by {because}" for because, count in reasons.items())
        yield from textwrap.wrap(f"ignored: {visible(said)}", columns)
    for unseen in lint["not_seen"]:
        yield from textwrap.wrap(
            f"not seen: {visible(unseen['what'])} ({visible(unseen['why'])})", columns
        )
    for note in lint["notes"]:
        yield from textwrap.wrap(visible(note), columns)
    codes = [finding["code"] for finding in order_lint_findings(lint["findings"])]
    if codes:
        yield f"webhook-fuzz explain {codes[0]} says more, and so it does for every code."
