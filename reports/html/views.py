"""What does the page show, piece by piece?

Everything a template needs is decided here and handed over as values, so that templates only lay
out. Strings are still raw: escaping happens in one place, when the template is rendered.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from webhook_fuzz.reports.culprits import mark_operations, most_telling
from webhook_fuzz.reports.documents import (
    DiffLine,
    compare_values,
    cut_lines,
    render_operation,
    render_yaml,
)
from webhook_fuzz.reports.families import (
    UNKNOWN_MINOR,
    group_by_family,
    group_by_minor,
    summarise_paths,
)
from webhook_fuzz.reports.overviews import (
    SEVERITIES,
    VERDICTS,
    describe_occurrences,
    findings_about,
    label_webhook,
    order_webhooks,
    other_findings,
)
from webhook_fuzz.reports.results import FindingResult, RunResult, WebhookResult
from webhook_fuzz.reports.texts import minor_order, short_path

_CONFIRMED = {
    "alone": "Confirmed with this field alone on a minimal pod.",
    "in-combination": "Seen only together with other fields: this pod carries them.",
    "not-needed": "No field causes it: any pod shows it.",
    "as-recorded": "As it was recorded.",
}
_FEW = 3  # findings of one code that are still read one by one
_MOST_OPERATIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MinorLosses:
    """The fields of one minor that a webhook lost or moved, in a few words."""

    minor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A webhook and its verdict. `losses` are one line for each minor that lost fields."""

    number: int
    label: str
    column: str
    verdict_label: str
    losses: tuple[MinorLosses, ...]
    webhook: WebhookResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One line of a patch; `culprit` where it touched the field."""

    text: str
    culprit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """A finding with its documents written out. `place` names it among others of its code.

    `occurred` says how often it was seen, for recorded traffic; else it is empty.
    """

    anchor: str
    place: str
    stage: str | None
    diff: tuple[DiffLine, ...]
    operations: tuple[Operation, ...]
    more_operations: int
    pod: str
    patch_text: str
    confirmed: str
    occurred: str
    finding: FindingResult


@dataclass(frozen=True, slots=True, kw_only=True)
class MinorFindings:
    """Findings of one code about fields of one minor."""

    minor: str
    label: str
    findings: tuple[FindingView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeGroup:
    """All findings of one code about one webhook.

    `minors` is empty where they are few enough to be read one by one.
    """

    code: str
    title: str
    severity: str
    findings: tuple[FindingView, ...]
    minors: tuple[MinorFindings, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFindings:
    """What was found about one webhook (`number` 0: about none of them), by severity.

    `remedy` is one that several findings share: it is shown once, above them.
    """

    number: int
    label: str
    remedy: str | None
    severities: tuple[tuple[str, int, tuple[CodeGroup, ...]], ...]


def build_cards(run: RunResult) -> tuple[Card, ...]:
    """The webhooks, worst first, numbered in that order."""
    return tuple(
        Card(
            number=number,
            label=label_webhook(run, webhook),
            column=webhook["name"].partition(".")[0],
            verdict_label=VERDICTS[webhook["verdict"]],
            losses=_losses(webhook),
            webhook=webhook,
        )
        for number, webhook in enumerate(order_webhooks(run), start=1)
    )


def _losses(webhook: WebhookResult) -> tuple[MinorLosses, ...]:
    broken = group_by_minor(webhook["lost_fields"] + webhook["moved_fields"], webhook["fields"])
    return tuple(
        MinorLosses(minor=minor, text=summarise_paths(paths)) for minor, paths in broken.items()
    )


def build_findings(run: RunResult, cards: Sequence[Card]) -> tuple[WebhookFindings, ...]:
    """Findings by webhook, severity, code and minor; webhooks without any are left out."""
    sections = [
        _build_section(card.number, card.label, findings_about(run, card.webhook), card.webhook)
        for card in cards
    ]
    sections.append(_build_section(0, "Not about one webhook", other_findings(run), None))
    return tuple(section for section in sections if section.severities)


def _build_section(
    number: int, label: str, findings: Sequence[FindingResult], webhook: WebhookResult | None
) -> WebhookFindings:
    views = tuple(_unique_anchors(_build_view(finding, number, webhook) for finding in findings))
    severities = list[tuple[str, int, tuple[CodeGroup, ...]]]()
    for severity in SEVERITIES:
        chosen = [view for view in views if view.finding["severity"] == severity]
        if chosen:
            severities.append((severity, len(chosen), tuple(_group_by_code(chosen))))
    return WebhookFindings(
        number=number,
        label=label,
        remedy=_shared_remedy(findings),
        severities=tuple(severities),
    )


def _shared_remedy(findings: Sequence[FindingResult]) -> str | None:
    counts = Counter(finding["remedy"] for finding in findings if finding["remedy"])
    return next((remedy for remedy, count in counts.most_common(1) if count > 1), None)


def _group_by_code(views: Sequence[FindingView]) -> Iterator[CodeGroup]:
    groups: defaultdict[str, list[FindingView]] = defaultdict(list)
    for view in views:
        groups[view.finding["code"]].append(view)
    for code, members in groups.items():
        yield CodeGroup(
            code=code,
            title=_group_title([view.finding for view in members]),
            severity=members[0].finding["severity"],
            findings=tuple(members),
            minors=tuple(_group_by_minor(members)) if len(members) > _FEW else (),
        )


def _group_title(findings: Sequence[FindingResult]) -> str:
    titles = {finding["title"] for finding in findings}
    return titles.pop() if len(titles) == 1 else findings[0]["name"].replace("-", " ").capitalize()


def _group_by_minor(views: Sequence[FindingView]) -> Iterator[MinorFindings]:
    groups: defaultdict[str, list[FindingView]] = defaultdict(list)
    for view in views:
        groups[view.finding["since"] or UNKNOWN_MINOR].append(view)
    for minor in sorted(groups, key=minor_order):
        paths = [view.finding["field"] or view.place for view in groups[minor]]
        labels = [family.label for family in group_by_family(paths)]
        yield MinorFindings(minor=minor, label=", ".join(labels), findings=tuple(groups[minor]))


def _build_view(finding: FindingResult, number: int, webhook: WebhookResult | None) -> FindingView:
    reproducer, occurred = finding["reproducer"], finding.get("occurrences")
    known = webhook["fields"].get(finding["field"] or "") if webhook else None
    marked = mark_operations(finding)
    shown = most_telling(marked, _MOST_OPERATIONS)
    return FindingView(
        anchor=_anchor(finding, number),
        place=short_path(finding["path"] or finding["title"]),
        stage=known["stage"] if known else None,
        diff=compare_values(finding["evidence"]),
        operations=tuple(
            Operation(text=render_operation(each["operation"]), culprit=each["culprit"])
            for each in shown
        ),
        more_operations=len(marked) - len(shown),
        pod=render_yaml(reproducer["pod"]) if reproducer else "",
        patch_text=cut_lines(reproducer.get("patch_text", "")) if reproducer else "",
        confirmed=_CONFIRMED[reproducer["confirmed"]] if reproducer else "",
        occurred=describe_occurrences(occurred) if occurred else "",
        finding=finding,
    )


def _anchor(finding: FindingResult, number: int) -> str:
    """An identifier that stays the same from run to run and holds nothing a webhook chose."""
    facts = "\0".join((finding["code"], finding["path"] or finding["id"]))
    digest = hashlib.sha256(facts.encode("utf-8", "replace")).hexdigest()
    return f"finding-{number}-{digest[:10]}"


def _unique_anchors(views: Iterator[FindingView]) -> Iterator[FindingView]:
    seen: defaultdict[str, int] = defaultdict(int)
    for view in views:
        seen[view.anchor] += 1
        count = seen[view.anchor]
        yield view if count == 1 else replace(view, anchor=f"{view.anchor}-{count}")
