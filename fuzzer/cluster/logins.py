"""With which Authorization is the next request sent?

Tokens expire during a run, and making a new one may run an exec plugin for seconds: that happens in
a thread, once for all requests under way. An answer of 401 has everything loaded anew, as
client-go does, because some tokens do not say when they expire (a token file, a plugin's
certificate).

Source: k8s.io/client-go plugin/pkg/client/auth/exec/exec.go (roundTripper, maybeRefreshCreds) and
transport/token_source.go.
"""

import asyncio
import time
from typing import Final

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions, Credentials, load_credentials

# The official client renews a token five minutes before it expires, and reads a pod's every minute.
_FRESH_SECONDS: Final = 30.0
# Who is refused again with new credentials has none that are accepted.
_RENEWAL_SECONDS: Final = 60.0


class Login:
    """The credentials of a run. Opened before use; then `headers` never blocks the event loop."""

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        self._lock = asyncio.Lock()
        self._credentials: Credentials | None = None
        self._headers: dict[str, str] = {}
        self._asked_at = float("-inf")
        self._renewed_at = float("-inf")

    async def open(self) -> None:
        """Load the credentials. Raises InputError when that is not possible."""
        self._credentials = await asyncio.to_thread(load_credentials, self._options)

    @property
    def credentials(self) -> Credentials:
        """Those loaded last."""
        if self._credentials is None:
            raise RuntimeError("Cluster is used outside of its `async with` block")
        return self._credentials

    async def headers(self) -> dict[str, str]:
        """The headers that say who is asking."""
        if time.monotonic() - self._asked_at > _FRESH_SECONDS:
            async with self._lock:
                if time.monotonic() - self._asked_at > _FRESH_SECONDS:
                    self._headers = await asyncio.to_thread(self.credentials.headers)
                    self._asked_at = time.monotonic()
        return self._headers

    async def renew(self, refused: dict[str, str]) -> bool:
        """After a 401 for `refused`: whether it is worth asking again, with new credentials."""
        async with self._lock:
            if self._headers is not refused:  # somebody else has renewed them meanwhile
                return True
            if time.monotonic() - self._renewed_at < _RENEWAL_SECONDS:
                return False
            self._renewed_at = time.monotonic()
            try:
                self._credentials = await asyncio.to_thread(load_credentials, self._options)
                self._headers = await asyncio.to_thread(self._credentials.headers)
            except InputError:  # the answer of 401 says it
                return False
            self._asked_at = time.monotonic()
            return True
