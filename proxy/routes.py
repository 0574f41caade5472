"""Which webhook is a request for, and how is that webhook reached?

Several webhooks share one listener. A request finds its route by the name the API server asked for
in the TLS handshake (SNI) and by the beginning of its path; the longest path wins.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from webhook_fuzz.corpora.exchanges import WebhookIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A webhook as the API server would reach it without the proxy.

    `host` and `port` are dialled; `server_name` is sent as SNI (unless it is an address) and is
    what the certificate must be for. `authority` replaces the Host header, None leaves it as the
    API server sent it. `ca_pem` is the caBundle of the webhook's own configuration, None means the
    system's roots. `bearer_token_file` is for API servers that authenticate to webhooks by token
    where the proxy is not given it: read again for every connection.
    """

    webhook: WebhookIdentity
    host: str
    port: int
    server_name: str
    authority: str | None = None
    ca_pem: bytes | None = None
    verify: bool = True
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    bearer_token_file: Path | None = None
    timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Requests whose SNI is one of `server_names` and whose path begins with `prefix`.

    No names mean any name, or none. The prefix ends at a slash or at the end of the path, and is
    taken away before the request goes on: `/webhook-fuzz/ab12/mutate` reaches the webhook as
    `/mutate`, `/webhook-fuzz/ab12` as `path_at_prefix`.
    """

    upstream: Upstream
    server_names: frozenset[str] = frozenset()
    prefix: str = ""
    path_at_prefix: str = "/"


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All routes of a listener; `find` and `rewrite` are on the path of every request."""

    routes: tuple[Route, ...] = ()
    _by_prefix: tuple[Route, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        longest_first = sorted(
            self.routes,
            key=lambda route: (len(route.prefix), len(route.server_names)),
            reverse=True,
        )
        object.__setattr__(self, "_by_prefix", tuple(longest_first))

    @classmethod
    def of(cls, routes: Iterable[Route]) -> "RouteTable":
        """A table of them, in any order."""
        return cls(tuple(routes))

    def find(self, server_name: str | None, target: str) -> Route | None:
        """The route of a request, None where nobody asked for such a webhook."""
        for route in self._by_prefix:
            if route.server_names and (server_name or "") not in route.server_names:
                continue
            if _is_below(target, route.prefix):
                return route
        return None


def rewrite(route: Route, target: str) -> str:
    """Path and query as the webhook is to see them."""
    if not route.prefix:
        return target
    rest = target[len(route.prefix) :]
    return rest if rest.startswith("/") else route.path_at_prefix + rest


def _is_below(target: str, prefix: str) -> bool:
    rest = target[len(prefix) :]
    return target.startswith(prefix) and (not prefix or not rest or rest[0] in "/?")
