"""How much may pass, and how long may it take?

Every bound is there so that nobody who talks to the proxy, webhook or client, can make it hold more
than a bounded amount; none of them is met by an API server and an honest webhook.
"""

from dataclasses import dataclass
from typing import Final

MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardingOptions:
    """The bounds of one server; sizes in bytes, times in seconds.

    A request holds at most an object and its old version, 3 MiB each as the API server limits them
    (MaxRequestBodyBytes), and `<>&` escaped. An answer longer than `answer_limit` is passed on
    without being kept: the API server knows no limit (client-go reads all of it), a recording does.
    A head longer than 1 MiB is what Go's servers refuse, too (DefaultMaxHeaderBytes).

    `idle_seconds` is longer than the 90 s after which the API server gives up an idle connection,
    so that it is never we who close one it is just writing to. `upstream_idle_seconds` are those
    90 s, and `most_idle` is what the API server keeps for each webhook (client-go
    transport/cache.go), times a few API servers. `request_seconds` is for a request to arrive.
    """

    request_limit: int = 16 * MIB
    answer_limit: int = 32 * MIB
    head_limit: int = MIB
    most_connections: int = 4096
    handshake_seconds: float = 10.0
    request_seconds: float = 30.0
    idle_seconds: float = 180.0
    upstream_idle_seconds: float = 90.0
    most_idle: int = 100
