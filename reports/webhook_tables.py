"""What is printed of the webhooks of a cluster?

One table in the order of the calls, for a person who wants to know who touches pods here; then,
for a pod or a namespace, which of them would be called for it and why the others would not.
"""

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from webhook_fuzz.reports.texts import clipped, counted, visible
from webhook_fuzz.reports.webhook_lists import ListedWebhook, WebhookList

DEFAULT_WIDTH: Final = 100
_NARROWEST: Final = 60
_MOST_NAMED: Final = 2
_INDENT: Final = " " * 5
_GAP: Final = "  "
_HEADINGS: Final = ("MATCHES", "REACH", "POLICY", "EXPIRES", "OWNER")
_POLICY: Final = len("Ignore 30s")
_EXPIRES: Final = len("bad caBundle")
_SIGNS: Final = {
    "matches": "called",
    "skipped": "not called",
    "rejected": "refuses",
    "undecided": "undecided",
}


def render_webhooks(
    webhooks: WebhookList, *, now: datetime | None = None, width: int = DEFAULT_WIDTH
) -> str:
    """The table and what follows it, at most `width` columns wide, without colour."""
    columns = max(width, _NARROWEST)
    parts = [_render_table(webhooks, now or datetime.now(UTC), columns)]
    if webhooks["asked"]:
        parts.append("\n".join(_called_lines(webhooks, columns)))
    parts.append("\n".join(_closing_lines(webhooks, columns)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _render_table(webhooks: WebhookList, now: datetime, columns: int) -> str:
    """Names are long: each has a line of its own, above the cells."""
    if not webhooks["webhooks"]:
        return ""
    widths = _widths(columns)
    lines = [f"{'#':>3}  WEBHOOK", *_row_lines(_HEADINGS, widths)]
    for webhook in webhooks["webhooks"]:
        name = visible(f"{webhook['configuration']}/{webhook['name']}")
        lines.append(f"{webhook['position']:>3}  {clipped(name, columns - len(_INDENT))}")
        cells = (
            _matches(webhook, webhooks["namespaces"]),
            _reach(webhook),
            f"{webhook['failure_policy']} {webhook['timeout_seconds']}s",
            _expires(webhook, now),
            webhook["owner"]["short"] or "-",
        )
        lines += _row_lines(cells, widths)
    return "\n".join(lines)


def _widths(columns: int) -> tuple[int, ...]:
    """What is left of policy and expiry is shared out to the others."""
    left = columns - len(_INDENT) - _POLICY - _EXPIRES - len(_GAP) * (len(_HEADINGS) - 1)
    matches, reach = left * 4 // 11, left * 4 // 11
    return matches, reach, _POLICY, _EXPIRES, left - matches - reach


def _row_lines(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    wrapped = [
        textwrap.wrap(visible(cell), width, break_on_hyphens=False)
        for cell, width in zip(cells, widths, strict=True)
    ]
    for parts in itertools.zip_longest(*wrapped, fillvalue=""):
        padded = [f"{part:<{width}}" for part, width in zip(parts, widths, strict=True)]
        yield (_INDENT + _GAP.join(padded)).rstrip()


def _matches(webhook: ListedWebhook, namespaces: int | None) -> str:
    reach = webhook["pods"]
    seen = [*(["new pods"] if reach["create"] else []), *_few(reach["workloads"])]
    if not seen:
        return "no new pods, no workloads"
    parts = [", ".join(seen)]
    if reach["namespaces"] is not None and namespaces is not None:
        count = len(reach["namespaces"])
        share = "all" if count == namespaces else f"{count} of"
        parts.append(f"in {share} {counted(namespaces, 'namespace')}")
    elif webhook["namespace_selector"]:
        parts.append("by namespaceSelector")
    if reach["narrowed_by"]:
        parts.append(f"by {' and '.join(reach['narrowed_by'])}")
    return " ".join(parts)


def _few(names: list[str]) -> list[str]:
    if len(names) <= _MOST_NAMED:
        return names
    return [counted(len(names), "kind of workload", "kinds of workloads")]


def _reach(webhook: ListedWebhook) -> str:
    service = webhook["service"]
    if service is None:
        return _host(webhook["url"]) if webhook["url"] else "no address"
    name = f"{service['namespace']}/{service['name']}:{service['port']}"
    if service["exists"] is False:
        return f"{name} is missing"
    ready = [] if service["ready"] is None else [f"{service['ready']} ready"]
    images = [image.rpartition("/")[2] for image in (webhook["images"] or [])[:1]]
    return " ".join([name, ", ".join(ready + images)]).rstrip()


def _host(url: str) -> str:
    try:
        return f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
    except ValueError:
        return url


def _expires(webhook: ListedWebhook, now: datetime) -> str:
    """The first to run out: what it serves, or the authority it is verified with."""
    bundle, served = webhook["ca_bundle"], webhook["served"]
    if bundle["problem"]:
        return "bad caBundle"
    if served and served["problem"]:
        return "refused"
    times = [time for time in (bundle["expires"], served and served["expires"]) if time]
    if not times:
        return "-"
    first = min(times)
    return first[:10] if datetime.fromisoformat(first) > now else f"{first[:10]}!"


def _called_lines(webhooks: WebhookList, columns: int) -> Iterator[str]:
    yield clipped(visible(f"For {webhooks['asked']}:"), columns)
    for webhook in webhooks["webhooks"]:
        called = webhook["called"]
        if called is None:
            continue
        lead = f"{webhook['position']:>3}  {_SIGNS[called['decision']]:<10}  "
        yield from textwrap.wrap(
            visible(f"{webhook['configuration']}/{webhook['name']}: {called['reason']}"),
            columns,
            initial_indent=lead,
            subsequent_indent=" " * len(lead),
            break_on_hyphens=False,
        )


def _closing_lines(webhooks: WebhookList, columns: int) -> Iterator[str]:
    configurations = len({each["configuration"] for each in webhooks["webhooks"]})
    count = (
        f"{counted(len(webhooks['webhooks']), 'webhook')} in "
        f"{counted(configurations, 'configuration')}, in the order of the calls "
        f"({webhooks['source']})."
    )
    unseen = [f"not seen: {each['what']} ({each['why']})" for each in webhooks["not_seen"]]
    for text in (count, *webhooks["notes"], *unseen):
        yield from textwrap.wrap(visible(text), columns)
