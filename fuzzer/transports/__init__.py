"""How does a review get to a webhook, and how does the call end?

One Protocol with one method: direct over HTTPS, or through the API server's service proxy. A
server-side dry run (`dry_run.py`) reaches the whole chain instead. What the answer means is judged
elsewhere, from the exchange alone.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import Webhook


class Transport(Protocol):
    """Anything that can carry an AdmissionReview to one webhook."""

    async def send(self, review: JsonObject) -> Exchange:
        """Send `review` once and say how the call ended.

        A call that fails is data (`CallFailure` in the exchange), never an exception. Raises
        ClusterError where an API server stands between and did not pass the call on: that says
        nothing about the webhook.
        """
        ...


@runtime_checkable
class Limited(Protocol):
    """A transport that has so many calls under way at most; others wait inside of it."""

    @property
    def concurrency(self) -> int:
        """How many calls at a time."""
        ...


def slots_of(transport: Transport) -> int | None:
    """How many calls at a time are worth starting; None where the transport does not say."""
    return transport.concurrency if isinstance(transport, Limited) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncalled:
    """Why a webhook was not called: one sentence."""

    reason: str


class Caller(Protocol):
    """Anything that can carry a review to whichever webhook of a chain it is for."""

    async def call(self, webhook: Webhook, review: JsonObject) -> Exchange | Uncalled:
        """Send `review` to `webhook` once, or say why that cannot be done."""
        ...
