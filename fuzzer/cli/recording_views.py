"""What does one recorded exchange look like to people?"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from webhook_fuzz.corpora.exchanges import Answered
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.recordings.answer_parts import read_patch
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.fuzzer.cli.recorded_traffic import webhook_name


def summary_line(recorded: RecordedExchange) -> str:
    """One line: id, when, how long, which webhook, what about, what came of it."""
    again = f" attempt {recorded.attempt}" if recorded.attempt > 1 else ""
    return (
        f"{recorded.id}  {time_text(recorded.started_at)}  "
        f"{recorded.exchange.seconds * 1000:8.1f} ms  {webhook_name(recorded.exchange.webhook)}  "
        f"{_about(recorded)}  {_outcome(recorded)}{again}"
    )


def detail_lines(recorded: RecordedExchange) -> Iterator[str]:
    """All of it: timing, headers, review, answer, and the patch opened."""
    exchange = recorded.exchange
    yield (
        f"{time_text(recorded.started_at)}  {webhook_name(exchange.webhook)}  {_about(recorded)}  "
        f"{_outcome(recorded)}"
    )
    yield (
        f"{exchange.seconds * 1000:.1f} ms, of which {recorded.upstream_seconds * 1000:.1f} ms the "
        f"webhook; attempt {recorded.attempt}, invocation {recorded.invocation}"
    )
    if recorded.hung_up:
        yield "the API server did not wait for the answer"
    yield f"POST {recorded.target}"
    for name, value in recorded.request_headers:
        yield f"  {name}: {value}"
    if recorded.unread_request:
        yield recorded.unread_request.decode("utf-8", "replace")
    else:
        yield _pretty(exchange.review)
    if not isinstance(exchange.outcome, Answered):
        yield f"{exchange.outcome.kind}: {exchange.outcome.detail}"
        return
    yield f"answered with {recorded.status or exchange.outcome.status}"
    for name, value in recorded.answer_headers:
        yield f"  {name}: {value}"
    yield exchange.outcome.body.decode("utf-8", "replace")
    patch = read_patch(exchange.outcome)
    if patch is not None:
        yield "its patch"
        yield _pretty(patch)


def time_text(seconds: float) -> str:
    """A time in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _about(recorded: RecordedExchange) -> str:
    request = object_at(recorded.exchange.review, "request")
    kind = text_at(object_at(request, "kind"), "kind")
    metadata = object_at(request, "object", "metadata")
    name = text_at(request, "name") or text_at(metadata, "generateName") or "?"
    namespace = text_at(request, "namespace")
    return f"{text_at(request, 'operation')} {kind} {namespace}/{name}"


def _outcome(recorded: RecordedExchange) -> str:
    outcome = recorded.exchange.outcome
    if isinstance(outcome, Answered):
        patched = read_patch(outcome) is not None
        return f"{outcome.status} {'patched' if patched else 'no patch'}"
    return f"failed: {outcome.kind}{f' {outcome.status}' if outcome.status else ''}"


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
