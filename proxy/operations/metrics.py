"""Which numbers does the proxy expose to Prometheus?

All are worked out of one snapshot when somebody asks, so they belong together. Names have base
units and labels have few values; none is anything of a pod. They are documented in
docs/proxy-metrics.md, which a test compares with what is exposed.
"""

import platform
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from webhook_fuzz.corpora.recordings.sinks import Count
from webhook_fuzz.proxy.forwarding.statistics import BOUNDS, Histogram, WebhookStatistics
from webhook_fuzz.proxy.operations.snapshots import Snapshot

PREFIX = "webhook_fuzz_proxy_"
_WEBHOOK = ("configuration", "webhook")
_Values: TypeAlias = Iterator[tuple[Sequence[str], float]]


class SnapshotCollector(Collector):
    """Turns snapshots into metrics; `version` is the program's."""

    def __init__(self, snapshot: Callable[[], Snapshot], *, version: str) -> None:
        self._snapshot, self._version = snapshot, version

    def collect(self) -> Iterator[Metric]:
        """All metrics, of one moment."""
        now = self._snapshot()
        yield from _webhook_metrics(now.statistics.webhooks)
        yield from _listener_metrics(now)
        yield from _feed_metrics(now)
        yield from _sink_metrics(now)
        yield from _process_metrics(now)
        build = {"version": self._version, "python": platform.python_version()}
        yield InfoMetricFamily(f"{PREFIX}build", "Which version runs.", value=build)


def render_metrics(snapshot: Callable[[], Snapshot], *, version: str) -> bytes:
    """The text Prometheus reads (exposition format 0.0.4)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SnapshotCollector(snapshot, version=version))
    return generate_latest(registry)


def _webhook_metrics(webhooks: Sequence[WebhookStatistics]) -> Iterator[Metric]:
    def each(value: Callable[[WebhookStatistics], float]) -> _Values:
        return ((_labels(webhook), value(webhook)) for webhook in webhooks)

    yield _counter("exchanges", "Calls that ended.", _WEBHOOK, each(lambda it: it.exchanges))
    yield _counter(
        "other_requests", "Requests that were no POST.", _WEBHOOK, each(lambda it: it.others)
    )
    yield _gauge(
        "in_flight", "Calls the API server waits for.", _WEBHOOK, each(lambda it: it.in_flight)
    )
    yield _counter(
        "hang_ups",
        "Calls the API server did not wait for.",
        _WEBHOOK,
        each(lambda it: it.hang_ups),
    )
    yield _counter(
        "answers",
        "Complete answers of the webhook, by class of status.",
        (*_WEBHOOK, "status"),
        (
            ((*_labels(webhook), status), count)
            for webhook in webhooks
            for status, count in webhook.statuses.items()
        ),
    )
    yield _counter(
        "upstream_failures",
        "Calls without a complete answer of the webhook, by class.",
        (*_WEBHOOK, "class"),
        (
            ((*_labels(webhook), kind.value), count)
            for webhook in webhooks
            for kind, count in webhook.failures.items()
        ),
    )
    yield _histogram(
        "added_seconds",
        "What the proxy adds to a call that was answered.",
        ((webhook, webhook.added) for webhook in webhooks),
    )
    yield _histogram(
        "upstream_seconds",
        "How long the webhook was waited for.",
        ((webhook, webhook.waited) for webhook in webhooks),
    )


def _listener_metrics(now: Snapshot) -> Iterator[Metric]:
    seen = now.statistics
    yield _gauge("connections", "Open connections of API servers.", (), _one(seen.connections))
    yield _counter(
        "rejected_peers", "Connections that were not admitted.", (), _one(seen.rejected_peers)
    )
    yield _counter(
        "refused_connections",
        "Connections that failed in the handshake or sent no proper request.",
        (),
        _one(seen.refused),
    )
    yield _counter("unrouted_requests", "Requests for no known webhook.", (), _one(seen.unrouted))
    yield _counter(
        "observer_failures", "How often handing on failed.", (), _one(seen.observer_failures)
    )


def _feed_metrics(now: Snapshot) -> Iterator[Metric]:
    feeds = now.feeds.items()
    yield _counter(
        "handed_over",
        "Exchanges handed over to a sink.",
        ("sink",),
        (((name,), numbers.sent) for name, numbers in feeds),
    )
    yield _counter(
        "dropped",
        "Exchanges not handed over, because the sink did not keep up.",
        ("sink",),
        (((name,), numbers.dropped) for name, numbers in feeds),
    )
    yield _gauge(
        "queue_bytes",
        "What waits to be handed over.",
        ("sink",),
        (((name,), numbers.queued_bytes) for name, numbers in feeds),
    )
    yield _counter(
        "sink_restarts",
        "How often a sink's process was started again.",
        ("sink",),
        (((name,), count) for name, count in now.sink_restarts.items()),
    )


def _sink_metrics(now: Snapshot) -> Iterator[Metric]:
    """What the sinks themselves count: their names are theirs."""
    by_name: dict[str, list[tuple[str, Count]]] = {}
    for sink, counts in now.sinks.items():
        for count in counts:
            by_name.setdefault(count.name, []).append((sink, count))
    for name, found in by_name.items():
        labels = tuple(dict.fromkeys(label for _, count in found for label in count.labels))
        values = (
            ((sink, *(count.labels.get(label, "") for label in labels)), count.value)
            for sink, count in found
        )
        family = _gauge if found[0][1].is_gauge else _counter
        yield family(name, f"{name.replace('_', ' ')}, by sink.", ("sink", *labels), values)


def _process_metrics(now: Snapshot) -> Iterator[Metric]:
    yield _gauge("workers", "Worker processes there should be.", (), _one(now.workers))
    yield _gauge(
        "workers_listening", "Worker processes that listen.", (), _one(now.workers_listening)
    )
    yield _counter(
        "worker_restarts", "How often a worker was started again.", (), _one(now.worker_restarts)
    )
    yield _gauge("ready", "Whether /readyz says yes.", (), _one(now.ready))
    yield _gauge("routes", "Webhooks that are forwarded to.", (), _one(now.routes))
    yield _gauge(
        "routes_broken",
        "Whether the file of routes cannot be used as it is now.",
        (),
        _one(now.routes_problem is not None),
    )
    yield _gauge(
        "certificate_expiry_timestamp_seconds",
        "When the served certificate ends.",
        (),
        _one(now.certificate_not_after),
    )
    if now.authority_not_after is not None:
        yield _gauge(
            "authority_expiry_timestamp_seconds",
            "When what signed it ends: the caBundles need another before.",
            (),
            _one(now.authority_not_after),
        )
    yield _gauge(
        "certificate_broken",
        "Whether the last attempt to have another certificate failed.",
        (),
        _one(now.certificate_problem is not None),
    )


def _counter(name: str, text: str, labels: Sequence[str], values: _Values) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}{name}", text, labels=labels)
    for chosen, value in values:
        family.add_metric(chosen, value)
    return family


def _gauge(name: str, text: str, labels: Sequence[str], values: _Values) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels)
    for chosen, value in values:
        family.add_metric(chosen, value)
    return family


def _histogram(
    name: str, text: str, values: Iterator[tuple[WebhookStatistics, Histogram]]
) -> Metric:
    family = HistogramMetricFamily(f"{PREFIX}{name}", text, labels=_WEBHOOK)
    bounds = [*map(str, BOUNDS), "+Inf"]
    for webhook, histogram in values:
        buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
        family.add_metric(_labels(webhook), buckets, sum_value=histogram.seconds)
    return family


def _labels(webhook: WebhookStatistics) -> tuple[str, str]:
    return webhook.webhook.configuration, webhook.webhook.name


def _one(value: float) -> _Values:
    yield (), value
