"""Who is told of every call that passes?

An observer is on the request path, so it only hands on: it never blocks, never raises, and drops
(and counts) what it cannot get rid of.
"""

from typing import Protocol

from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange


class Observer(Protocol):
    """Is told of a call when the API server has its answer."""

    def observe(self, exchange: RawExchange) -> None:
        """Hand it on, at once or not at all."""
        ...
