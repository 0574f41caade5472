"""How is the API server asked, one request at a time and many side by side?

Raw JSON in and out. What only reads is repeated when the API server is busy or drops a connection;
what creates, even in a dry run, is repeated only when the server says that it did nothing (429).
Lists are read in pages, so that ten thousand pods are not one answer.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
import orjson

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions, Credentials, load_credentials
from webhook_fuzz.fuzzer.cluster.failures import Trouble, cluster_error, trouble_of

_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.25
# kube-apiserver asks for one second; a proxy in front of it may ask for more than anybody waits.
_LONGEST_PAUSE: Final = 5.0
# kubectl's default chunk size.
_PAGE: Final = 500
_TOO_MANY: Final = 429
_SAID_CHARACTERS: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRequest:
    """One request. `path` begins with a slash; `query` is not encoded yet; `body` is sent as is.

    `accept` is JSON unless something else is wanted; `host` is sent instead of the server's own.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAnswer:
    """An answer of any status. `warnings` are the texts of its Warning headers (RFC 7234, 299)."""

    status: int
    body: bytes
    warnings: tuple[str, ...] = ()
    retry_after: float | None = None

    def document(self) -> JsonObject | None:
        """The body as a JSON object, or None when it is none."""
        try:
            found = orjson.loads(self.body)
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
    asked = f"GET {path}"
    answer = await api.ask(ClusterRequest(method="GET", path=path, query=query or {}))
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

    Items of a list carry no apiVersion and kind of their own: they are put back.
    """
    version, token = "", ""
    while True:
        page_query = {
            **(query or {}),
            "limit": str(_PAGE),
            **({"continue": token} if token else {}),
        }
        page = await get_object(api, path, page_query)
        version = str(page.get("apiVersion", "v1"))
        kind = str(page.get("kind", "")).removesuffix("List")
        items = page.get("items")
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict):
                yield {"apiVersion": version, "kind": kind, **item}
        metadata = page.get("metadata")
        token = str(metadata.get("continue") or "") if isinstance(metadata, dict) else ""
        if not token:
            return


class Cluster:
    """One API server; to be used as `async with Cluster(options) as cluster:`.

    Raises InputError on entry when the credentials cannot be loaded.
    """

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._credentials: Credentials | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def context(self) -> str:
        """The name of the context, for people."""
        return self._opened()[0].context

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._opened()[0].server

    async def __aenter__(self) -> Self:
        self._credentials = await asyncio.to_thread(load_credentials, self._options)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
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

        Raises ClusterError when there was no answer, or only "try again later".
        """
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                async with self._slots:
                    answer = await self._once(request)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                if last or request.method != "GET" or not _may_pass(error):
                    raise cluster_error(
                        f"{request.method} {request.path}",
                        self._describe(error, request),
                        Trouble.UNREACHABLE,
                    ) from error
            else:
                if last or not _is_worth_repeating(request, answer):
                    return answer
                pause = max(pause, min(answer.retry_after or 0.0, _LONGEST_PAUSE))
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, request: ClusterRequest) -> ClusterAnswer:
        credentials, session = self._opened()
        headers = {"Accept": request.accept, **credentials.headers()}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        seconds = request.timeout_seconds or self._options.timeout_seconds
        async with session.request(
            request.method,
            f"{credentials.server}{request.path}",
            params=request.query,
            data=request.body,
            headers=headers,
            ssl=credentials.tls,
            server_hostname=credentials.server_name,
            proxy=credentials.proxy,
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as response:
            body = await response.read()
            return ClusterAnswer(
                status=response.status,
                body=body,
                warnings=tuple(map(_warning, response.headers.getall("Warning", []))),
                retry_after=_seconds(response.headers.get("Retry-After")),
            )

    def _opened(self) -> tuple[Credentials, aiohttp.ClientSession]:
        if self._credentials is None or self._session is None:
            raise RuntimeError("Cluster is used outside of its `async with` block")
        return self._credentials, self._session

    def _describe(self, error: BaseException, request: ClusterRequest) -> str:
        server = self.server
        if isinstance(error, TimeoutError):
            seconds = request.timeout_seconds or self._options.timeout_seconds
            return f"no answer from {server} within {seconds:g} s"
        return f"no answer from {server}: {' '.join(str(error).split()) or type(error).__name__}"


def _may_pass(error: BaseException) -> bool:
    """A dropped connection may; a certificate nobody trusts will not be trusted the next time."""
    return not isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.InvalidURL)


def _is_worth_repeating(request: ClusterRequest, answer: ClusterAnswer) -> bool:
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
