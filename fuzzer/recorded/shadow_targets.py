"""Where do shadow copies go, and how?

To the webhook the original went to, past the proxy: the same address, name, caBundle, client
certificate, Host and Authorization. A target says all of that, so that it can be handed to another
process.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import aiohttp

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport
from webhook_fuzz.fuzzer.transports.targets import Target

_LARGE_BODY: Final = 1024 * 1024
_FORWARDED: Final = frozenset({b"host", b"authorization"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowTarget:
    """A webhook that may be sent copies, as the proxy reaches it.

    The members are those of the proxy's upstreams and routes: `prefix` is what the proxy takes off
    a request's path, `path_at_prefix` what is left of the prefix alone.
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
    timeout_seconds: float = 10.0
    prefix: str = ""
    path_at_prefix: str = "/"

    def path_of(self, target: bytes) -> str:
        """The path the webhook saw of a request whose path and query reached the proxy."""
        path = target.decode("latin-1").partition("?")[0]
        if not self.prefix:
            return path
        rest = path[len(self.prefix) :]
        return rest if rest.startswith("/") else self.path_at_prefix + rest

    def options(self, path: str) -> DirectOptions:
        """How it is called at a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        named = self.server_name if self.server_name != self.host else None
        return DirectOptions(
            url=f"https://{host}:{self.port}{path}",
            configuration=self.webhook.configuration,
            name=self.webhook.name,
            ca_bundle=self.ca_pem if self.verify else None,
            insecure_skip_verify=not self.verify,
            client_cert=self.client_cert_file,
            client_key=self.client_key_file,
            server_name=named,
            timeout_seconds=min(self.timeout_seconds, 30.0),
            concurrency=1,
        )


def headers_of(target: ShadowTarget, exchange: RawExchange) -> dict[str, str]:
    """Host and Authorization of the original, as the webhook saw them.

    A token file is read for every copy: tokens are renewed. Raises OSError where it is not there.
    """
    found = {
        name.lower(): value.decode("latin-1")
        for name, value in exchange.request_headers
        if name.lower() in _FORWARDED
    }
    headers: dict[str, str] = {}
    if (host := target.authority or found.get(b"host")) is not None:
        headers["Host"] = host
    if target.bearer_token_file is not None:
        headers["Authorization"] = f"Bearer {target.bearer_token_file.read_text().strip()}"
    elif (given := found.get(b"authorization")) is not None:
        headers["Authorization"] = given
    return headers


class ShadowTransport(DirectTransport):
    """Calls one webhook at one path, with headers that may change from call to call."""

    def __init__(self, options: DirectOptions) -> None:
        super().__init__(options)
        self.headers: dict[str, str] = {}

    def _request(
        self, session: aiohttp.ClientSession, target: Target, body: bytes
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return session.post(
            target.url,
            data=body if len(body) <= _LARGE_BODY else BytesIO(body),
            ssl=self._tls,
            server_hostname=target.verified_name,
            allow_redirects=False,
            headers=self.headers,
        )
