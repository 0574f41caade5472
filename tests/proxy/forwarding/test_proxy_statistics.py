import pickle

from forwarded import IDENTITY
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.proxy.forwarding.statistics import BOUNDS, Statistics, WebhookCounters, merge


def exchange(answer: RawAnswer | CallFailure, *, hung_up: bool = False) -> RawExchange:
    return RawExchange(
        webhook=IDENTITY,
        started_at=0.0,
        seconds=0.5,
        upstream_seconds=0.4,
        target=b"/",
        request_headers=(),
        request_body=b"",
        answer=answer,
        hung_up=hung_up,
    )


def counted() -> Statistics:
    counters = WebhookCounters(IDENTITY)
    counters.count(exchange(RawAnswer(status=200, headers=(), body=b"")))
    counters.count(exchange(RawAnswer(status=503, headers=(), body=b"")))
    late = CallFailure(kind=FailureKind.TIMEOUT, detail="late")
    counters.count(exchange(late, hung_up=True))
    counters.in_flight = 2
    return Statistics(webhooks=(counters.snapshot(),), connections=3, unrouted=1)


def test_workers_add_up() -> None:
    total = merge(pickle.loads(pickle.dumps([counted(), counted()])))  # noqa: S301 - our own
    (webhook,) = total.webhooks
    assert (total.connections, total.unrouted, total.in_flight) == (6, 2, 4)
    assert (webhook.exchanges, webhook.hang_ups) == (6, 2)
    assert webhook.statuses == {"2xx": 2, "5xx": 2}
    assert webhook.failures == {FailureKind.TIMEOUT: 2}


def test_added_time_is_that_of_answers_only_and_in_the_right_bucket() -> None:
    (webhook,) = counted().webhooks
    assert sum(webhook.added.counts) == 2
    assert webhook.added.counts[BOUNDS.index(0.1)] + webhook.added.counts[BOUNDS.index(0.25)] == 2
    assert webhook.waited.counts[BOUNDS.index(0.5)] == 3
    assert webhook.waited.seconds == 3 * 0.4
