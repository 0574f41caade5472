"""What did the proxy see of one call?

The bytes of the wire without their framing, before anybody redacts or parses them: this is what
goes from the request path to whatever works off it. It holds secrets, so it stays in memory.
"""

from dataclasses import dataclass
from typing import TypeAlias

from webhook_fuzz.corpora.exchanges import CallFailure, WebhookIdentity

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Names and values as they were sent, in their order; a name may come twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """A complete HTTP answer of any status; `body` is still encoded as its headers say."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RawExchange:
    """One call as the proxy saw it.

    `started_at` is when the request was there, in seconds since the epoch; `seconds` from then
    until the answer was handed to the API server (or nothing was left to be handed);
    `upstream_seconds` is the part of it in which the webhook was waited for. `target` is path and
    raw query as they reached the proxy. With a CallFailure there was no complete answer of the
    webhook, and the API server was shown the same class of failure. `hung_up` says that the API
    server left before it had the answer.
    """

    webhook: WebhookIdentity
    started_at: float
    seconds: float
    upstream_seconds: float
    target: bytes
    request_headers: Headers
    request_body: bytes
    answer: RawAnswer | CallFailure
    hung_up: bool = False
