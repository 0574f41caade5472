"""What is printed when two webhooks were compared?

One screen: how many requests were answered alike, and the fields at which the others differ, with
which of the two did what.
"""

from collections.abc import Iterator

from webhook_fuzz.reports.comparisons import (
    RELATION_WORDS,
    SEVERITIES,
    SIDE_WORDS,
    ComparisonResult,
    worst_relation,
)
from webhook_fuzz.reports.texts import clipped, counted, duration, short_path, visible

_MOST_FIELDS = 12
_MOST_CASES = 3


def render_comparison(
    result: ComparisonResult, *, width: int = 100, report: str | None = None
) -> str:
    """The comparison as plain text, `width` columns wide and at most 30 lines long."""
    return "".join(clipped(visible(line), width) + "\n" for line in _lines(result, report))


def headline(result: ComparisonResult) -> str:
    """The one sentence that matters."""
    unlike = result["sent"] - result["relations"]["equal"] - result["relations"]["other-patch"]
    sent = counted(result["sent"], "request")
    if not result["complete"]:
        return f"The comparison could not be finished: a webhook was not there ({sent} tried)."
    if not result["sent"]:
        return "There was nothing to compare."
    if not unlike:
        return f"Both answered {sent} alike."
    worst = RELATION_WORDS[worst_relation(result)]
    return f"{unlike} of {sent} were not answered alike; at worst {worst}."


def _lines(result: ComparisonResult, report: str | None) -> Iterator[str]:
    tool = result["tool"]
    yield (
        f"{tool['name']} {tool['version']}, {counted(result['sent'], 'request')} sent to two "
        f"webhooks in {duration(result['seconds'])}, of "
        f"{counted(result['exchanges'], 'recorded exchange')}"
    )
    yield headline(result)
    yield ""
    yield f"first    {result['first']['url']}"
    yield f"second   {result['second']['url']}"
    yield ""
    for name, words in RELATION_WORDS.items():
        if count := result["relations"][name]:
            yield f"{count:>7,}  {words}"
    yield from _field_lines(result)
    yield from _case_lines(result)
    if report:
        yield ""
        yield f"Report   {report}"


def _field_lines(result: ComparisonResult) -> Iterator[str]:
    fields = result["fields"]
    if not fields:
        return
    yield ""
    wide = max(len(SIDE_WORDS[each["side"]]) for each in fields[:_MOST_FIELDS])
    for each in fields[:_MOST_FIELDS]:
        since = f" (since {each['since']})" if each["since"] else ""
        requests = counted(each["cases"], "request")
        side = SIDE_WORDS[each["side"]]
        yield f"  {side:<{wide}}  {short_path(each['field'])}{since}, {requests}"
    if (left := len(fields) - _MOST_FIELDS) > 0:
        yield f"  and {counted(left, 'more field')}: see the report"


def _case_lines(result: ComparisonResult) -> Iterator[str]:
    """Examples of what is no difference between objects."""
    others = [case for case in result["cases"] if case["relation"] != "object"]
    if others:
        yield ""
    for case in others[:_MOST_CASES]:
        severity = SEVERITIES[case["relation"]]
        yield f"  {severity}: {case['case']}: {case['explanation']}"
