"""How is a webhook called through the API server, by somebody who cannot reach its service?

`POST …/services/https:NAME:PORT/proxy/PATH`: the API server dials an endpoint of the service and
passes on what comes back. Three things differ from what it does for a real request: TLS is not
verified, so nothing is learned about certificates; `Host` is the API server's own; and the call
needs the permission to create services/proxy. A failure of the webhook's is data as everywhere; a
call the API server did not pass on says nothing about the webhook and is a ClusterError.

Source: k8s.io/kubernetes pkg/registry/core/service/storage/storage.go ResourceLocation (`no
endpoints available`, `no service port`), k8s.io/apimachinery pkg/util/proxy/transport.go RoundTrip
(`error trying to reach service`); the messages were read off a kube-apiserver 1.37.2.
"""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import aiohttp

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterApi, ClusterRequest
from webhook_fuzz.corpora.exchanges import (
    Answered,
    CallFailure,
    Exchange,
    FailureKind,
    Outcome,
    WebhookIdentity,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.fuzzer.apiserver.reviews import encode_review
from webhook_fuzz.fuzzer.transports.direct import DEFAULT_ANSWER_LIMIT
from webhook_fuzz.fuzzer.transports.failures import failure, render_detail
from webhook_fuzz.fuzzer.transports.targets import cleaned_path

DIFFERENCES: Final = "TLS is not verified on this way, and Host is the API server's own"
"""What everybody should know who reads a result that came this way."""

_OK: Final = range(200, 207)
_UNAUTHORIZED: Final = 401
_REDIRECTS: Final = range(300, 400)
_ERROR_BYTES: Final = 512
_ALIVE: Final = "/version"
# What a Status of the API server itself says when it could not pass a call on.
_NO_ENDPOINTS = "no endpoints available for service"
_NO_PORT = "no service port"
_REFUSED = ("address not allowed", "invalid service request")
_NOT_REACHED = "error trying to reach service: "
# Go's words for what ended a dial or a call (net, crypto/tls, net/http).
_GO_FAILURES: Final = (
    ("connection refused", FailureKind.REFUSED),
    ("no route to host", FailureKind.UNREACHABLE),
    ("network is unreachable", FailureKind.UNREACHABLE),
    ("timeout", FailureKind.TIMEOUT),
    ("deadline exceeded", FailureKind.TIMEOUT),
    ("no such host", FailureKind.DNS),
    ("malformed HTTP", FailureKind.MALFORMED_HTTP),
    ("server gave HTTP response to HTTPS client", FailureKind.TLS),
    ("tls: ", FailureKind.TLS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProxyOptions:
    """Which webhook, and how to call it; `timeout_seconds` is its timeoutSeconds.

    At most `concurrency` calls are under way; `answer_limit` is in bytes.
    """

    service: ServiceReference
    configuration: str
    name: str
    timeout_seconds: float = 10.0
    concurrency: int = 8
    answer_limit: int = DEFAULT_ANSWER_LIMIT


class ServiceProxyTransport:
    """Sends reviews to one webhook through an API server."""

    def __init__(self, api: ClusterApi, options: ServiceProxyOptions) -> None:
        self._api = api
        self._options = options
        self._path = proxy_path(options.service)
        self._identity = WebhookIdentity(
            configuration=options.configuration,
            name=options.name,
            url=f"https://{options.service.server_name}:{options.service.port}"
            f"{cleaned_path(options.service.path)}",
        )
        self._slots = asyncio.Semaphore(options.concurrency)

    async def send(self, review: JsonObject) -> Exchange:
        """Send `review` once; how the call to the webhook ended is in the exchange.

        Raises ClusterError when the API server did not pass it on (permission, no answer).
        """
        async with self._slots:
            body = encode_review(review)
            started = time.perf_counter()
            outcome = await self._call(body)
            seconds = time.perf_counter() - started
        return Exchange(webhook=self._identity, review=review, outcome=outcome, seconds=seconds)

    async def _call(self, body: bytes) -> Outcome:
        seconds = self._options.timeout_seconds
        request = ClusterRequest(
            method="POST",
            path=self._path,
            query={"timeout": f"{math.ceil(seconds)}s"},
            body=body,
            accept="application/json, */*",
            timeout_seconds=seconds,
            most_bytes=self._options.answer_limit,
            once=True,
        )
        try:
            answer = await self._ask(request)
        except ClusterError as error:
            if _is_late(error):
                return await self._late()
            raise
        return _read(answer, asked=f"POST {self._path}", limit=self._options.answer_limit)

    async def _ask(self, request: ClusterRequest) -> ClusterAnswer:
        """Ask once; and once more if the API server did not know us, and passed nothing on.

        Tokens expire during a long run. A request that may be repeated gets a new one.
        """
        answer = await self._api.ask(request)
        if answer.status != _UNAUTHORIZED or _status_of_the_api_server(answer) is None:
            return answer
        await self._api.ask(ClusterRequest(method="GET", path=_ALIVE, query={}))
        return await self._api.ask(request)

    async def _late(self) -> CallFailure:
        """Nothing came in time: the webhook's doing, if the API server answers others.

        Raises ClusterError when it does not.
        """
        await self._api.ask(ClusterRequest(method="GET", path=_ALIVE, query={}))
        return failure(
            FailureKind.TIMEOUT,
            f"no answer from {self._options.service.server_name} through the API server within "
            f"{self._options.timeout_seconds:g} s",
        )


def _is_late(error: ClusterError) -> bool:
    """Whether no answer came in time, to a request that was sent."""
    cause = error.__cause__
    # aiohttp's own class is for connecting.
    return isinstance(cause, TimeoutError) and not isinstance(cause, aiohttp.ServerTimeoutError)


def proxy_path(service: ServiceReference) -> str:
    """The path under which the API server passes calls on to a service, over TLS."""
    name = f"https:{service.name}:{service.port}"
    path = quote(cleaned_path(service.path), safe="/:@!$&'()*+,;=~%")
    return f"/api/v1/namespaces/{service.namespace}/services/{name}/proxy{path}"


def _read(answer: ClusterAnswer, *, asked: str, limit: int) -> Outcome:
    status = _status_of_the_api_server(answer)
    if status is not None:
        return _not_passed_on(answer, status, asked)
    if answer.status in _REDIRECTS:
        # The API server follows some (307, 308), which cannot be done here: nothing is known.
        raise cluster_error(
            asked,
            "the webhook redirects, which cannot be followed through the service proxy",
            Trouble.REFUSED,
            status=answer.status,
        )
    if answer.status not in _OK:
        return CallFailure(
            kind=FailureKind.STATUS,
            detail=render_detail(f"HTTP status {answer.status}"),
            status=answer.status,
            body=render_detail(answer.body[:_ERROR_BYTES].decode(errors="replace")).encode(),
        )
    if answer.cut:
        return failure(FailureKind.TOO_LARGE, f"the answer is larger than {limit} bytes")
    return Answered(status=answer.status, content_type=answer.content_type, body=answer.body)


def _status_of_the_api_server(answer: ClusterAnswer) -> JsonObject | None:
    """The Status with which the API server itself answered; None for a webhook's answer.

    A webhook can answer with a Status too, but not with one about services/proxy.
    """
    status = answer.document() if answer.status not in _OK else None
    if status is None or status.get("kind") != "Status" or status.get("apiVersion") != "v1":
        return None
    said, reason = str(status.get("message", "")), status.get("reason")
    details = status.get("details")
    kind = details.get("kind") if isinstance(details, dict) else None
    own = (
        said.startswith((_NO_ENDPOINTS, _NO_PORT, _NOT_REACHED, *_REFUSED))
        or reason in {"Unauthorized", "TooManyRequests"}
        or (reason in {"Forbidden", "NotFound"} and kind in {"services", "namespaces"})
    )
    return status if own else None


def _not_passed_on(answer: ClusterAnswer, status: JsonObject, asked: str) -> CallFailure:
    """A service without a backend is the webhook's failure; all else is between us and the server.

    Raises ClusterError for that.
    """
    said = str(status.get("message", ""))
    if said.startswith(_NOT_REACHED):
        reason = said.removeprefix(_NOT_REACHED)
        kind = next((kind for word, kind in _GO_FAILURES if word in reason), FailureKind.RESET)
        return failure(kind, f"the API server does not reach the service: {reason}")
    if said.startswith((_NO_ENDPOINTS, _NO_PORT)) or status.get("reason") == "NotFound":
        return failure(FailureKind.UNREACHABLE, said)
    raise cluster_error(asked, answer.message, trouble_of(answer.status), status=answer.status)
