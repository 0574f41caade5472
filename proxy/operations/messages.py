"""What do supervisor and workers tell each other?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from webhook_fuzz.proxy.certificates.clients import ClientAuthentication
from webhook_fuzz.proxy.certificates.pairs import Pair
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.forwarding.statistics import Statistics
from webhook_fuzz.proxy.operations.logs import LogFormat
from webhook_fuzz.proxy.routes import RouteTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All a worker is told at its start. `feeds` are the addresses of the sinks, by name.

    `drain_seconds` is how long it goes on, at the most, when the supervisor is gone.
    """

    routes: RouteTable
    pair: Pair
    clients: ClientAuthentication
    options: ForwardingOptions
    feeds: Mapping[str, Path]
    log_format: LogFormat
    drain_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoutes:
    """Forward by these from now on."""

    routes: RouteTable


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPair:
    """Serve this certificate from now on."""

    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Take nothing more, finish what is under way within `seconds`, hand over, and end."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedNumbers:
    """What one feed did: exchanges handed over, exchanges dropped, bytes that wait."""

    sent: int = 0
    dropped: int = 0
    queued_bytes: int = 0

    def __add__(self, other: "FeedNumbers") -> "FeedNumbers":
        """Both together."""
        return FeedNumbers(
            sent=self.sent + other.sent,
            dropped=self.dropped + other.dropped,
            queued_bytes=self.queued_bytes + other.queued_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker did since it began; `is_last` says that it ends now, as it was told."""

    statistics: Statistics
    feeds: Mapping[str, FeedNumbers] = field(default_factory=dict[str, FeedNumbers])
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The worker takes connections from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The worker cannot begin, for a reason the user can do something about."""

    message: str
    hint: str


ToWorker: TypeAlias = Configuration | NewRoutes | NewPair | Drain
FromWorker: TypeAlias = Listening | Report | Failed
