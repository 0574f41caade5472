"""How does a review get to a webhook, and how does the call end?

One Protocol with one method: direct over HTTPS, through the API server's service proxy, or as a
server-side dry run. What the answer means is judged elsewhere, from the exchange alone.
"""

from typing import Protocol

from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.json_values import JsonObject


class Transport(Protocol):
    """Anything that can carry an AdmissionReview to one webhook."""

    async def send(self, review: JsonObject) -> Exchange:
        """Send `review` once and say how the call ended.

        A call that fails is data (`CallFailure` in the exchange), never an exception.
        """
        ...
