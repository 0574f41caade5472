"""How is the API server asked, one request at a time and many side by side?

Raw JSON in and out. What only reads, or only tries (a dry run), is repeated when the API server is
busy or drops a connection; what creates only when the server says that it did nothing (429). All
repetitions of a request together have the time of one. Lists are read in pages, so that ten
thousand pods are not one answer.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
import orjson

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.failures import ClusterError, Trouble, cluster_error, trouble_of
from webhook_fuzz.fuzzer.cluster.logins import Login
from webhook_fuzz.fuzzer.cluster.outages import Outage

_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.25
# kube-apiserver asks for one second; a proxy in front of it may ask for more than anybody waits.
_LONGEST_PAUSE: Final = 5.0
# kubectl's default chunk size.
_PAGE: Final = 500
# How often a list may go stale while it is read before somebody is told.
_MOST_RESTARTS: Final = 5
_CONNECT_SECONDS: Final = 10.0
# A page of 500 pods has 10 MB; what never ends must not fill the memory meanwhile.
_MOST_BYTES: Final = 256 * 2**20
_UNAUTHORIZED: Final = 401
_GONE: Final = 410
_TOO_MANY: Final = 429
_SAID_CHARACTERS: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRequest:
    """One request. `path` begins with a slash; `query` is not encoded yet; `body` is sent as is.

    `accept` is JSON unless something else is wanted. `most_bytes` is how much of the answer is
    read, all of it without. `once` says that it must not be repeated whatever comes back: what
    stands behind the server may be what is busy.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    timeout_seconds: float | None = None
    most_bytes: int | None = None
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAnswer:
    """An answer of any status. `warnings` are the texts of its Warning headers (RFC 7234, 299).

    `cut` says that there is more of the body than was to be read.
    """

    status: int
    body: bytes
    warnings: tuple[str, ...] = ()
    retry_after: float | None = None
    content_type: str = ""
    cut: bool = False

    def document(self) -> JsonObject | None:
        """The body as a JSON object, or None when it is none."""
        try:
            found: JsonValue = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        return found if isinstance(found, dict) else None

    @property
    def message(self) -> str:
        """What the answer says to people: the Status object's message, or the body's beginning."""
        said = (self.document() or {}).get("message")
        text = said if isinstance(said, str) and said else self.body.decode("utf-8", "replace")
        printable = "".join(char if char.isprintable() else " " for char in text)
        return " ".join(printable.split())[:_SAID_CHARACTERS] or "no message"


class ClusterApi(Protocol):
    """Anything that answers requests to an API server; tests hand in a fake."""

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """Send `request` and return the answer, whatever its status.

        Raises ClusterError when no answer came.
        """
        ...


async def get_object(
    api: ClusterApi, path: str, query: Mapping[str, str] | None = None
) -> JsonObject:
    """The object at a path. Raises ClusterError unless it came."""
    return _accepted(
        path, await api.ask(ClusterRequest(method="GET", path=path, query=query or {}))
    )


def _accepted(path: str, answer: ClusterAnswer) -> JsonObject:
    asked = f"GET {path}"
    if answer.status >= 300:  # noqa: PLR2004 - HTTP
        raise cluster_error(asked, answer.message, trouble_of(answer.status), status=answer.status)
    found = answer.document()
    if found is None:
        raise cluster_error(asked, "the answer is not a JSON object", Trouble.BROKEN)
    return found


async def get_text(api: ClusterApi, path: str, query: Mapping[str, str] | None = None) -> str:
    """The text at a path (`/metrics`). Raises ClusterError unless it came."""
    request = ClusterRequest(method="GET", path=path, query=query or {}, accept="*/*")
    answer = await api.ask(request)
    if answer.status >= 300:  # noqa: PLR2004 - HTTP
        raise cluster_error(
            f"GET {path}", answer.message, trouble_of(answer.status), status=answer.status
        )
    return answer.body.decode("utf-8", "replace")


async def list_objects(
    api: ClusterApi, path: str, query: Mapping[str, str] | None = None
) -> list[JsonObject]:
    """All objects of a collection. Raises ClusterError unless all of them came."""
    return [item async for item in iterate_objects(api, path, query)]


async def iterate_objects(
    api: ClusterApi, path: str, query: Mapping[str, str] | None = None
) -> AsyncIterator[JsonObject]:
    """The objects of a collection, page by page.

    Items of a list carry no apiVersion and kind of their own: they are put back. A list that is
    read for longer than the API server keeps its state (410, five minutes) goes on behind the last
    object where the server allows it, else begins anew; no object comes twice.
    Source: k8s.io/apiserver pkg/storage/etcd3/store.go (handleCompactedErrorForPaging).
    """
    token, restarts = "", 0
    seen: set[tuple[str, str]] = set()
    while True:
        page_query = {
            **(query or {}),
            "limit": str(_PAGE),
            **({"continue": token} if token else {}),
        }
        answer = await api.ask(ClusterRequest(method="GET", path=path, query=page_query))
        if answer.status == _GONE and token and restarts < _MOST_RESTARTS:
            token, restarts = _next_token(answer.document() or {}), restarts + 1
            continue
        page = _accepted(path, answer)
        for item in _items(page):
            if (identity := _identity(item)) not in seen:
                seen.add(identity)
                yield item
        before, token = token, _next_token(page)
        if not token:
            return
        if token == before:
            raise cluster_error(f"GET {path}", "the list does not end", Trouble.BROKEN)


def _items(page: JsonObject) -> Iterator[JsonObject]:
    version = str(page.get("apiVersion", "v1"))
    kind = str(page.get("kind", "")).removesuffix("List")
    items = page.get("items")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            yield {"apiVersion": version, "kind": kind, **item}


def _identity(item: JsonObject) -> tuple[str, str]:
    metadata = item.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    return str(named.get("namespace", "")), str(named.get("name", ""))


def _next_token(page: JsonObject) -> str:
    metadata = page.get("metadata")
    return str(metadata.get("continue") or "") if isinstance(metadata, dict) else ""


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
