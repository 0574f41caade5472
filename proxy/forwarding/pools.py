"""Which connections to a webhook are there, and which of them can still be used?

The one that was used last is used first, as in Go's net/http: what is not needed becomes old and is
given up. There is no bound on connections in use, as the API server has none, because a review that
waits for another is late; they are bounded by those the server accepts.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from webhook_fuzz.proxy.forwarding.client_contexts import build_client_context, read_bearer_token
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.forwarding.upstream_connections import UpstreamConnection
from webhook_fuzz.proxy.routes import Upstream


class UpstreamPool:
    """The connections to one webhook."""

    def __init__(self, upstream: Upstream, options: ForwardingOptions) -> None:
        self.upstream = upstream
        self._options = options
        self._where = f"{upstream.host}:{upstream.port}"
        self._idle: list[UpstreamConnection] = []
        self._all: set[UpstreamConnection] = set()
        self._closed = False
        self._context: ssl.SSLContext | None = None
        self._context_files: tuple[float, ...] = ()
        self._now: Callable[[], float] = asyncio.get_running_loop().time

    def checkout(self) -> UpstreamConnection | None:
        """A connection that is idle and not known to be closed, None where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    async def dial(self) -> UpstreamConnection:
        """A new connection. Raises DIAL_ERRORS."""
        upstream = self.upstream
        context = await self._fresh_context()
        token = await self._token()
        # A closing pool has given up its connections; this one is given up when it is free.
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: UpstreamConnection(
                self._where,
                self._options,
                authorization=token,
                on_lost=self._forget,
                on_free=self._free,
            ),
            upstream.host,
            upstream.port,
            ssl=context,
            server_hostname=upstream.server_name,
            ssl_handshake_timeout=self._options.handshake_seconds,
        )
        self._all.add(connection)
        return connection

    def expire(self) -> None:
        """Give up what has been idle for too long."""
        oldest = self._now() - self._options.upstream_idle_seconds
        for connection in [each for each in self._idle if each.idle_since < oldest]:
            self._idle.remove(connection)
            connection.close()

    def close(self) -> None:
        """Give up what is idle now, and what is in use as soon as it is free."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def abort(self) -> None:
        """Give up every connection."""
        self.close()
        for connection in list(self._all):
            connection.close()

    def _free(self, connection: UpstreamConnection) -> None:
        if self._closed or len(self._idle) >= self._options.most_idle:
            connection.close()
            return
        connection.idle_since = self._now()
        self._idle.append(connection)

    def _forget(self, connection: UpstreamConnection) -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    async def _fresh_context(self) -> ssl.SSLContext:
        """The context, built again when the client's certificate has changed on disk."""
        files = [self.upstream.client_cert_file, self.upstream.client_key_file]
        changed = tuple(_changed_at(file) for file in files if file is not None)
        if self._context is None or changed != self._context_files:
            # In a thread: the system's roots take tens of milliseconds to read.
            context = await asyncio.to_thread(build_client_context, self.upstream)
            self._context, self._context_files = context, changed
        return self._context

    async def _token(self) -> bytes | None:
        file = self.upstream.bearer_token_file
        return None if file is None else await asyncio.to_thread(read_bearer_token, file)


def _changed_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0  # loading it will say what is wrong
