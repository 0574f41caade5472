"""How do requests reach the API server, many side by side?

What only reads, or only tries (a dry run), is repeated when the API server is busy or drops a
connection; what creates only when the server says that it did nothing (429). All repetitions of a
request together have the time of one.
"""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import aiohttp

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, cluster_error
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.logins import Login
from webhook_fuzz.fuzzer.cluster.outages import Outage

_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.25
# kube-apiserver asks for one second; a proxy in front of it may ask for more than anybody waits.
_LONGEST_PAUSE: Final = 5.0
_CONNECT_SECONDS: Final = 10.0
# A page of 500 pods has 10 MB; what never ends must not fill the memory meanwhile.
_MOST_BYTES: Final = 256 * 2**20
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429


class Cluster:
    """One API server; to be used as `async with Cluster(options) as cluster:`.

    Raises InputError on entry when the credentials cannot be loaded.
    """

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._login = Login(options)
        self._outage = Outage()
        self._session: aiohttp.ClientSession | None = None

    @property
    def context(self) -> str:
        """The name of the context, for people."""
        return self._login.credentials.context

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._login.credentials.server

    async def __aenter__(self) -> Self:
        await self._login.open()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "webhook-fuzz"},
        )
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

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """Send `request`; the answer of any status.

        Raises ClusterError when there was no answer within `timeout_seconds` of the request or of
        the options, all repetitions together; at once where none came for a while.
        """
        if not self._outage.lets_through():
            raise self._error(request, f"not sent: {self.server} has been silent for a while")
        left, pause = self._seconds_of(request), _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            started = time.monotonic()
            try:
                async with self._slots:
                    started = time.monotonic()  # waiting for the others is not the server's fault
                    answer = await self._once(request, left)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                left -= time.monotonic() - started
                if attempt == _ATTEMPTS or left <= pause or not _may_pass(request, error):
                    if request.timeout_seconds is None:
                        self._outage.note_silence()
                    raise self._error(request, self._describe(error, request)) from error
            else:
                left -= time.monotonic() - started
                self._outage.note_answer()
                pause = max(pause, min(answer.retry_after or 0.0, _LONGEST_PAUSE))
                if attempt == _ATTEMPTS or left <= pause or not _is_worth(request, answer):
                    return answer
            left -= pause
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, request: ClusterRequest, seconds: float) -> ClusterAnswer:
        headers = await self._login.headers()
        answer = await self._send(request, headers, seconds)
        if answer.status == _UNAUTHORIZED and not request.once and await self._login.renew(headers):
            return await self._send(request, await self._login.headers(), seconds)
        return answer

    async def _send(
        self, request: ClusterRequest, login: Mapping[str, str], seconds: float
    ) -> ClusterAnswer:
        credentials = self._login.credentials
        headers = {"Accept": request.accept, **login}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        async with self._opened().request(
            request.method,
            f"{credentials.server}{request.path}",
            params=request.query,
            data=request.body,
            headers=headers,
            ssl=credentials.tls,
            server_hostname=credentials.server_name,
            proxy=credentials.proxy,
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=_CONNECT_SECONDS),
            allow_redirects=False,
        ) as response:
            body, cut = await _read(response, request.most_bytes or _MOST_BYTES)
            if cut and request.most_bytes is None:
                raise self._error(request, f"the answer has more than {_MOST_BYTES} bytes")
            return ClusterAnswer(
                status=response.status,
                body=body,
                content_type=response.headers.get("Content-Type", ""),
                cut=cut,
                warnings=tuple(map(_warning, response.headers.getall("Warning", []))),
                retry_after=_seconds(response.headers.get("Retry-After")),
            )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("Cluster is used outside of its `async with` block")
        return self._session

    def _seconds_of(self, request: ClusterRequest) -> float:
        return request.timeout_seconds or self._options.timeout_seconds

    def _error(self, request: ClusterRequest, said: str) -> ClusterError:
        return cluster_error(f"{request.method} {request.path}", said, Trouble.UNREACHABLE)

    def _describe(self, error: BaseException, request: ClusterRequest) -> str:
        match error:
            case aiohttp.ClientConnectorCertificateError():
                reason = getattr(error.certificate_error, "verify_message", "")
                return f"the certificate of {self.server} is not accepted: {reason or error}"
            case aiohttp.ServerTimeoutError():  # also a TimeoutError: it could not connect
                return f"no connection to {self.server} within {_CONNECT_SECONDS:g} s"
            case TimeoutError():
                seconds = self._seconds_of(request)
                return f"no answer from {self.server} within {seconds:g} s"
            case _:
                said = " ".join(str(error).split()) or type(error).__name__
                return f"no answer from {self.server}: {said}"


def _may_pass(request: ClusterRequest, error: BaseException) -> bool:
    """Whether asking again can help and does no harm.

    A certificate nobody trusts will not be trusted the next time. What never reached the server
    may be sent again, and so may what changes nothing there.
    """
    hopeless = aiohttp.ClientConnectorCertificateError | aiohttp.InvalidURL
    if request.once or isinstance(error, hopeless):
        return False
    changes_nothing = request.method == "GET" or request.query.get("dryRun") == "All"
    return changes_nothing or isinstance(error, aiohttp.ClientConnectorError)


async def _read(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """The body, at most so many bytes, and whether there is more; what is left is dropped."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most:
            response.close()
            return bytes(body[:most]), True
    return bytes(body), False


def _is_worth(request: ClusterRequest, answer: ClusterAnswer) -> bool:
    if request.once:
        return False
    if answer.status == _TOO_MANY:
        return True
    # 500 with Retry-After is how the API server says that it is not ready (storage, informers).
    return request.method == "GET" and answer.status >= 500 and answer.retry_after is not None  # noqa: PLR2004 - HTTP


def _warning(header: str) -> str:
    r"""`299 - "unknown field \\"spec.x\\""` → its text."""
    _, quote, text = header.partition('"')
    return text.removesuffix('"').replace('\\"', '"').replace("\\\\", "\\") if quote else header


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.strip().isdigit() else None
