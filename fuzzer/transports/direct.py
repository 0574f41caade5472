"""How is a webhook called directly, the way kube-apiserver would call it?

HTTP/1.1 with keep-alive over TLS, one POST a review, headers and `?timeout=` as the API server
sends them (k8s.io/apiserver pkg/util/webhook/client.go, k8s.io/client-go rest/request.go). What
differs, on purpose:

- A review is sent exactly once. client-go repeats on 429 and 5xx with `Retry-After`, and Go's
  transport repeats a request of which no byte was written to a dead kept-alive connection. Here a
  repetition would hide what the first call did; instead, idle connections are given up early.
- Redirects with 307 and 308 are followed inside the same webhook, as many as Go follows. The
  API server would also follow them to other hosts and to plain HTTP, and turn 301, 302 and 303
  into a GET without a review: a pod may hold secrets, and such a webhook works by accident only,
  so these are reported as the status they are.
- Answers are read up to a limit. Proxy settings of this process are not used: they are not those
  of the API server.
"""

import asyncio
import io
import math
import time
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Exchange, Outcome, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewEncoder
from webhook_fuzz.fuzzer.transports.answers import read_answer, read_refusal
from webhook_fuzz.fuzzer.transports.failures import CALL_ERRORS, Dialled, Phase, classify_failure
from webhook_fuzz.fuzzer.transports.targets import Target, parse_target, redirected
from webhook_fuzz.fuzzer.transports.tls_contexts import build_client_context

# An object reaches the API server in at most 3 MiB (MaxRequestBodyBytes); a patch that holds all
# of it, every byte escaped as \u00XX (x6) and base64-encoded (x4/3), is 24 MiB. Nothing honest is
# longer, and 8 calls at a time stay within 256 MiB.
DEFAULT_ANSWER_LIMIT: Final = 32 * 1024 * 1024
# Shorter than the idle timeout of common servers (Node.js: 5 s), so that a review is not written
# to a connection the webhook is just closing and the webhook blamed for the reset.
_IDLE_SECONDS: Final = 4.0
# net/http's defaultCheckRedirect: "stopped after 10 redirects" is the tenth request's answer.
_MOST_REQUESTS: Final = 10
# net/http reads up to 10 MiB of response headers; aiohttp's default of 8 KiB would be a failure
# of ours.
_HEADER_BYTES: Final = 1024 * 1024
# aiohttp warns of bytes larger than this and wants a file-like object.
_LARGE_BODY: Final = 1024 * 1024
_OK: Final = range(200, 207)
_KEEPS_METHOD: Final = frozenset({307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectOptions:
    """Where a webhook is and how to call it.

    `server_name` is the service the webhook believes to be (`vault-agent-injector.vault.svc`):
    sent as SNI and, with `server_port`, in `Host`, and verified in its certificate. `ca_bundle` is
    the caBundle of a configuration, where there is no `ca_file`. `timeout_seconds` is the webhook's
    timeoutSeconds, `answer_limit` is in bytes.
    """

    url: str
    configuration: str = "direct"
    name: str = ""
    ca_file: Path | None = None
    ca_bundle: bytes | None = None
    insecure_skip_verify: bool = False
    client_cert: Path | None = None
    client_key: Path | None = None
    server_name: str | None = None
    server_port: int = 443
    timeout_seconds: float = 10.0
    concurrency: int = 8
    answer_limit: int = DEFAULT_ANSWER_LIMIT

    def identity(self) -> WebhookIdentity:
        """The webhook's name in findings: the given one, its service, or its URL."""
        name = self.name or self.server_name or self.url
        return WebhookIdentity(configuration=self.configuration, name=name, url=self.url)


class _Progress:
    """How far the call of the current task has come."""

    __slots__ = ("phase",)

    def __init__(self) -> None:
        self.phase = Phase.CONNECTING


_progress: ContextVar[_Progress] = ContextVar("_progress")


class DirectTransport:
    """Sends reviews to one webhook; to be used as `async with DirectTransport(options) as t:`.

    At most `concurrency` calls are under way; waiting for a free slot is not part of a call's
    time. Raises InputError for options and files that cannot be used.
    """

    def __init__(self, options: DirectOptions) -> None:
        if options.concurrency < 1 or options.answer_limit < 1:
            raise InputError(
                "concurrency and the answer limit must be at least 1",
                hint="Leave them out to use 8 calls at a time and 32 MiB.",
            )
        self._options = options
        self._identity = options.identity()
        self._target = parse_target(
            options.url,
            server_name=options.server_name,
            server_port=options.server_port,
            timeout_seconds=options.timeout_seconds,
        )
        self._tls = build_client_context(
            ca_file=options.ca_file,
            ca_bundle=options.ca_bundle,
            insecure_skip_verify=options.insecure_skip_verify,
            client_cert=options.client_cert,
            client_key=options.client_key,
        )
        self._dialled = Dialled(
            address=f"{self._target.url.host}:{self._target.url.port}",
            verified_name=self._target.verified_name or self._target.url.host or "",
            timeout_seconds=options.timeout_seconds,
        )
        self._encoder = ReviewEncoder()
        self._slots = asyncio.Semaphore(options.concurrency)
        self._session: aiohttp.ClientSession | None = None

    @property
    def concurrency(self) -> int:
        """How many calls at a time."""
        return self._options.concurrency

    async def __aenter__(self) -> Self:
        self._session = _open_session(self._target.host_header)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, review: JsonObject) -> Exchange:
        """Send `review` once; how the call ended is in the exchange, whatever happened."""
        if self._session is None:
            raise RuntimeError("DirectTransport is used outside of its `async with` block")
        async with self._slots:
            body = self._encoder.encode(review)
            started = time.perf_counter()
            outcome = await self._call(self._session, body)
            seconds = time.perf_counter() - started
        return Exchange(webhook=self._identity, review=review, outcome=outcome, seconds=seconds)

    async def _call(self, session: aiohttp.ClientSession, body: bytes) -> Outcome:
        target, requests, progress = self._target, 0, _Progress()
        _progress.set(progress)
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                while True:
                    requests, progress.phase = requests + 1, Phase.CONNECTING
                    async with self._request(session, target, body) as response:
                        progress.phase = Phase.READING
                        onward = _onward(target, response) if requests < _MOST_REQUESTS else None
                        if onward is None:
                            return await self._read(response)
                        target = onward
        except CALL_ERRORS as error:
            return classify_failure(error, self._dialled, progress.phase)

    def _request(
        self, session: aiohttp.ClientSession, target: Target, body: bytes
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return session.post(
            target.url,
            data=body if len(body) <= _LARGE_BODY else io.BytesIO(body),
            ssl=self._tls,
            server_hostname=target.verified_name,
            allow_redirects=False,
        )

    async def _read(self, response: aiohttp.ClientResponse) -> Outcome:
        if response.status in _OK:
            return await read_answer(response, self._options.answer_limit)
        return await read_refusal(response)


def _onward(target: Target, response: aiohttp.ClientResponse) -> Target | None:
    if response.status not in _KEEPS_METHOD:
        return None
    return redirected(target, response.headers.get("Location", ""))


class _Request(aiohttp.ClientRequest):
    """Notes when there is a connection: one timeout covers dialling and waiting for the answer.

    `request_class` costs nothing measurable; aiohttp's tracing would cost a fifth of the rate.
    """

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        _progress.get().phase = Phase.ASKING
        return await super().send(conn)


def _open_session(host_header: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,  # the transport's own slots are the limit
            keepalive_timeout=_IDLE_SECONDS,
            timeout_ceil_threshold=math.inf,  # or 10 s would be rounded to a whole second later
        ),
        timeout=aiohttp.ClientTimeout(
            total=None,  # one deadline for all redirects is set around them
            sock_connect=None,  # connecting may take all of it
            ceil_threshold=math.inf,
        ),
        headers={
            "Host": host_header,
            "Accept": "application/json, */*",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "User-Agent": "kube-apiserver-admission",
        },
        request_class=_Request,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
    )
