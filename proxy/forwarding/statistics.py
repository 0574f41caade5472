"""What has passed through a server since it began?

A snapshot can be pickled and added to those of other workers.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind, WebhookIdentity
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange

_Key = TypeVar("_Key", str, FailureKind)

BOUNDS: Final = (
    *(0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""The upper bounds of a histogram's buckets, in seconds; one more bucket has no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How many values fell into each bucket (not cumulative), and their sum in seconds."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    seconds: float = 0.0

    def __add__(self, other: "Histogram") -> "Histogram":
        counts = tuple(map(sum, zip(self.counts, other.counts, strict=True)))
        return Histogram(counts=counts, seconds=self.seconds + other.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStatistics:
    """What passed to one webhook.

    `exchanges` are POSTs that ended; `statuses` are those of complete answers by class (`2xx`),
    `failures` the others. `added` is the time the proxy itself took, `waited` the webhook's own.
    `others` are requests that were no POST. `hang_ups` are calls the API server did not wait for.
    """

    webhook: WebhookIdentity
    exchanges: int = 0
    others: int = 0
    in_flight: int = 0
    hang_ups: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict[str, int])
    failures: Mapping[FailureKind, int] = field(default_factory=dict[FailureKind, int])
    added: Histogram = field(default_factory=Histogram)
    waited: Histogram = field(default_factory=Histogram)

    def __add__(self, other: "WebhookStatistics") -> "WebhookStatistics":
        return WebhookStatistics(
            webhook=self.webhook,
            exchanges=self.exchanges + other.exchanges,
            others=self.others + other.others,
            in_flight=self.in_flight + other.in_flight,
            hang_ups=self.hang_ups + other.hang_ups,
            statuses=_added(self.statuses, other.statuses),
            failures=_added(self.failures, other.failures),
            added=self.added + other.added,
            waited=self.waited + other.waited,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What passed through a server, or several.

    `connections` are open now; `rejected_peers` were not admitted, `unrouted` are requests for a
    webhook nobody knows, `refused` are connections that sent no proper request, or too many, or
    ended in the handshake. `observer_failures` is how often an observer raised.
    """

    webhooks: tuple[WebhookStatistics, ...] = ()
    connections: int = 0
    rejected_peers: int = 0
    unrouted: int = 0
    refused: int = 0
    observer_failures: int = 0

    @property
    def in_flight(self) -> int:
        """Calls whose answer the API server waits for."""
        return sum(each.in_flight for each in self.webhooks)

    def __add__(self, other: "Statistics") -> "Statistics":
        merged = {each.webhook: each for each in self.webhooks}
        for each in other.webhooks:
            known = merged.get(each.webhook)
            merged[each.webhook] = each if known is None else known + each
        return Statistics(
            webhooks=tuple(merged.values()),
            connections=self.connections + other.connections,
            rejected_peers=self.rejected_peers + other.rejected_peers,
            unrouted=self.unrouted + other.unrouted,
            refused=self.refused + other.refused,
            observer_failures=self.observer_failures + other.observer_failures,
        )


class _Buckets:
    """A histogram that still grows."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def snapshot(self) -> Histogram:
        return Histogram(counts=tuple(self.counts), seconds=self.seconds)


class WebhookCounters:
    """What passed to one webhook so far."""

    __slots__ = (
        "_added",
        "_exchanges",
        "_failures",
        "_hang_ups",
        "_statuses",
        "_waited",
        "_webhook",
        "in_flight",
        "others",
    )

    def __init__(self, webhook: WebhookIdentity) -> None:
        self._webhook = webhook
        self.in_flight = 0
        self.others = 0
        self._exchanges = 0
        self._hang_ups = 0
        self._statuses = dict[int, int]()
        self._failures = dict[FailureKind, int]()
        self._added = _Buckets()
        self._waited = _Buckets()

    def count(self, exchange: RawExchange) -> None:
        """One more POST has ended."""
        self._exchanges += 1
        self._hang_ups += exchange.hung_up
        self._waited.add(exchange.upstream_seconds)
        match exchange.answer:
            case RawAnswer(status=status):
                self._statuses[status // 100] = self._statuses.get(status // 100, 0) + 1
                self._added.add(exchange.seconds - exchange.upstream_seconds)
            case CallFailure(kind=kind):
                self._failures[kind] = self._failures.get(kind, 0) + 1

    def snapshot(self) -> WebhookStatistics:
        """The counts as they are now."""
        return WebhookStatistics(
            webhook=self._webhook,
            exchanges=self._exchanges,
            others=self.others,
            in_flight=self.in_flight,
            hang_ups=self._hang_ups,
            statuses={f"{first}xx": count for first, count in self._statuses.items()},
            failures=dict(self._failures),
            added=self._added.snapshot(),
            waited=self._waited.snapshot(),
        )


def merge(statistics: Iterable[Statistics]) -> Statistics:
    """The sum of what all workers saw."""
    return sum(statistics, Statistics())


def _added(first: Mapping[_Key, int], second: Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}
