"""What is a proxy to do?"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from webhook_fuzz.corpora.recordings.sinks import SinkFactory
from webhook_fuzz.proxy.certificates.clients import ClientAuthentication
from webhook_fuzz.proxy.certificates.sources import CertificateSource
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.operations.listeners import Address
from webhook_fuzz.proxy.operations.logs import LogFormat
from webhook_fuzz.proxy.operations.snapshots import Snapshot
from webhook_fuzz.proxy.routes import RouteTable


class RouteSource(Protocol):
    """The routes, and whether there are others: see `WatchedRoutes`."""

    @property
    def table(self) -> RouteTable:
        """The routes as they are now."""
        ...

    @property
    def problem(self) -> str | None:
        """Why newer ones cannot be used."""
        ...

    def refresh(self) -> bool:
        """Whether there are others now; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedRoutes:
    """Routes that stay as they are."""

    table: RouteTable
    problem: None = None

    def refresh(self) -> bool:
        """They are what they were."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkPlan:
    """A sink and what it is called, in metrics and messages."""

    name: str
    factory: SinkFactory


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlan:
    """All there is to say of a proxy.

    `drain_seconds` is how long calls that are under way may take when it is stopped; `sink_seconds`
    how long the sinks may then take to finish; `version` is the program's.
    """

    listen: tuple[Address, ...]
    routes: RouteSource
    certificates: CertificateSource
    clients: ClientAuthentication = field(default_factory=ClientAuthentication)
    options: ForwardingOptions = field(default_factory=ForwardingOptions)
    workers: int = 1
    sinks: tuple[SinkPlan, ...] = ()
    admin: Address | None = None
    drain_seconds: float = 30.0
    sink_seconds: float = 60.0
    log_format: LogFormat = LogFormat.TEXT
    version: str = ""


class Running(Protocol):
    """A proxy that takes calls."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens."""
        ...

    @property
    def admin_address(self) -> Address | None:
        """Where health and metrics are, if anywhere."""
        ...

    def snapshot(self) -> Snapshot:
        """How it is doing."""
        ...

    def stop(self) -> None:
        """End as after SIGTERM."""
        ...


def _nothing(_running: Running) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What whoever runs a proxy does meanwhile.

    `started` is called when calls are taken; `around` is entered then, and left when the proxy is
    told to stop but still takes calls: that is where a cluster is pointed at it, and away from it
    again. What it raises ends the proxy, and is raised again after it has drained.
    """

    started: Callable[[Running], None] = lambda _running: None
    around: Callable[[Running], AbstractAsyncContextManager[None]] = _nothing
