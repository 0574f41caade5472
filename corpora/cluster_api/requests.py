"""How is the API server asked, and what does it answer?

Raw JSON in and out. Who sends a request is behind one Protocol, so that everything that asks can be
given a fake. Lists are read in pages, so that ten thousand pods are not one answer.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import orjson

from webhook_fuzz.corpora.cluster_api.failures import Trouble, cluster_error, trouble_of
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

# kubectl's default chunk size.
_PAGE: Final = 500
# How often a list may go stale while it is read before somebody is told.
_MOST_RESTARTS: Final = 5
_GONE: Final = 410
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
