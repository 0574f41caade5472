"""Has anything arrived on an idle connection that the event loop has not read yet?

On an idle connection that can only be its end, or something nobody asked for. Looking saves a
review from being written to a connection that is known, one system call away, to be closed.
"""

import asyncio
import select

from webhook_fuzz.proxy.forwarding.transports import descriptor


class Readiness:
    """Looks at one connection; only as long as that is open."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._poll = None
        if hasattr(select, "poll"):  # not on Windows
            self._poll = select.poll()
            self._poll.register(descriptor(transport), select.POLLIN)

    def has_something(self) -> bool:
        """Whether there is something to read, or the connection has failed; it never blocks."""
        return self._poll is not None and bool(self._poll.poll(0))
