"""How is the proxy doing, all processes together?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhook_fuzz.corpora.recordings.sinks import Count
from webhook_fuzz.proxy.forwarding.statistics import Statistics
from webhook_fuzz.proxy.operations.messages import FeedNumbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The numbers at one moment, counted since the proxy began.

    `feeds` and `sinks` are by the name of the sink. Times are in seconds since the epoch. The
    problems are what went wrong when certificate or routes should have changed, None where nothing
    did. `workers_killed` ended with calls or records still in their hands.
    """

    statistics: Statistics
    feeds: Mapping[str, FeedNumbers] = field(default_factory=dict[str, FeedNumbers])
    sinks: Mapping[str, Sequence[Count]] = field(default_factory=dict[str, Sequence[Count]])
    sink_restarts: Mapping[str, int] = field(default_factory=dict[str, int])
    workers: int = 0
    workers_listening: int = 0
    workers_answering: bool = True
    workers_killed: int = 0
    worker_restarts: int = 0
    sinks_working: bool = True
    routes: int = 0
    routes_problem: str | None = None
    certificate_not_after: float = 0.0
    authority_not_after: float | None = None
    certificate_problem: str | None = None
    draining: bool = False

    @property
    def alive(self) -> bool:
        """Whether all workers answer."""
        return self.workers_answering

    @property
    def ready(self) -> bool:
        """Whether reviews may be sent here: everything is there and nothing is ending."""
        return (
            self.workers_listening == self.workers > 0 and self.sinks_working and not self.draining
        )

    @property
    def exchanges(self) -> int:
        """Calls that have ended."""
        return sum(each.exchanges for each in self.statistics.webhooks)

    @property
    def failures(self) -> int:
        """Calls without a complete answer of the webhook, or with a status of 5xx."""
        return sum(
            sum(each.failures.values()) + each.statuses.get("5xx", 0)
            for each in self.statistics.webhooks
        )

    @property
    def dropped(self) -> int:
        """Exchanges that some sink did not get, or did not keep."""
        fed = sum(numbers.dropped for numbers in self.feeds.values())
        return fed + int(self.total("records_failed"))

    def total(self, name: str) -> float:
        """The sum of all counts of that name, over sinks and labels."""
        counts = (count for counts in self.sinks.values() for count in counts)
        return sum(count.value for count in counts if count.name == name)
