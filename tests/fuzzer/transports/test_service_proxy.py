import asyncio

import aiohttp
import pytest

from scripted_apis import ScriptedApi, answer, refusal
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, cluster_error
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.exchanges import (
    Answered,
    CallFailure,
    Exchange,
    FailureKind,
    was_reached,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.fuzzer.transports.service_proxy import (
    ServiceProxyOptions,
    ServiceProxyTransport,
    proxy_path,
)

REVIEW: JsonObject = {"kind": "AdmissionReview", "request": {"uid": "1", "object": {"a": "<"}}}
SERVICE = ServiceReference(namespace="mesh", name="injector", path="/inject/", port=8443)
PROXY = "/api/v1/namespaces/mesh/services/https:injector:8443/proxy"


def options(**more: float) -> ServiceProxyOptions:
    return ServiceProxyOptions(
        service=SERVICE,
        configuration="mesh",
        name="inject.example.com",
        timeout_seconds=more.get("timeout_seconds", 2.5),
        answer_limit=int(more.get("answer_limit", 1000)),
        concurrency=int(more.get("concurrency", 8)),
    )


async def send(given: ClusterAnswer) -> Exchange:
    return await ServiceProxyTransport(ScriptedApi(lambda _: given), options()).send(REVIEW)


async def failure_of(given: ClusterAnswer) -> CallFailure:
    outcome = (await send(given)).outcome
    assert isinstance(outcome, CallFailure), outcome
    return outcome


async def test_the_review_goes_to_the_proxy_of_the_service_and_is_sent_once() -> None:
    api = ScriptedApi(lambda _: answer({"kind": "AdmissionReview"}))
    exchange = await ServiceProxyTransport(api, options()).send(REVIEW)
    [request] = api.asked
    assert (request.method, request.path) == ("POST", f"{PROXY}/inject")
    assert request.query == {"timeout": "3s"}
    assert request.once
    assert request.most_bytes == 1000
    assert b"\\u003c" in (request.body or b""), "written as the API server writes it"
    assert exchange.outcome == Answered(
        status=200, content_type="application/json", body=b'{"kind": "AdmissionReview"}'
    )
    assert exchange.webhook.url == "https://injector.mesh.svc:8443/inject"
    assert exchange.webhook.name == "inject.example.com"


@pytest.mark.parametrize(
    ("path", "expected"), [("", "/"), ("/", "/"), ("/a b/ü", "/a%20b/%C3%BC"), ("/x/../y", "/y")]
)
def test_the_path_is_cleaned_as_the_api_server_cleans_it(path: str, expected: str) -> None:
    service = ServiceReference(namespace="mesh", name="injector", path=path, port=8443)
    assert proxy_path(service) == PROXY + expected


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("dial tcp 10.0.0.1:8443: connect: connection refused", FailureKind.REFUSED),
        ("dial tcp 10.0.0.1:8443: connect: no route to host", FailureKind.UNREACHABLE),
        ("dial tcp 10.0.0.1:8443: i/o timeout", FailureKind.TIMEOUT),
        ("net/http: TLS handshake timeout", FailureKind.TIMEOUT),
        ("tls: first record does not look like a TLS handshake", FailureKind.TLS),
        ("http: server gave HTTP response to HTTPS client", FailureKind.TLS),
        ("EOF", FailureKind.RESET),
        ("net/http: HTTP/1.x transport connection broken: malformed HTTP status code",
         FailureKind.MALFORMED_HTTP),
    ],
)  # fmt: skip
async def test_what_the_api_server_meets_at_the_webhook_is_the_webhooks(
    said: str, kind: FailureKind
) -> None:
    message = f"error trying to reach service: {said}"
    failed = await failure_of(refusal(503, message, "ServiceUnavailable"))
    assert failed.kind is kind
    assert said in failed.detail


@pytest.mark.parametrize(
    "given",
    [
        refusal(503, 'no endpoints available for service "injector"', "ServiceUnavailable"),
        refusal(503, 'no service port 8443 found for service "injector"', "ServiceUnavailable"),
        refusal(404, 'services "injector" not found', "NotFound", kind="services"),
    ],
)
async def test_a_service_without_a_backend_is_an_unreachable_webhook(given: ClusterAnswer) -> None:
    failed = await failure_of(given)
    assert failed.kind is FailureKind.UNREACHABLE
    assert "injector" in failed.detail
    assert not was_reached(failed)


@pytest.mark.parametrize(
    ("given", "trouble"),
    [
        (
            refusal(
                403,
                'services "https:injector:8443" is forbidden: User "u" cannot create resource '
                '"services/proxy" in API group "" in the namespace "mesh"',
                "Forbidden",
                kind="services",
            ),
            Trouble.FORBIDDEN,
        ),
        (refusal(401, "Unauthorized", "Unauthorized"), Trouble.UNAUTHORIZED),
        (refusal(429, "too many requests", "TooManyRequests"), Trouble.THROTTLED),
        (refusal(400, "address not allowed", "BadRequest"), Trouble.REFUSED),
        (ClusterAnswer(status=307, body=b""), Trouble.REFUSED),
    ],
)
async def test_what_the_api_server_does_not_pass_on_says_nothing_about_the_webhook(
    given: ClusterAnswer, trouble: Trouble
) -> None:
    with pytest.raises(ClusterError) as caught:
        await send(given)
    assert caught.value.trouble is trouble
    assert PROXY in caught.value.message


@pytest.mark.parametrize(
    "given",
    [
        ClusterAnswer(status=500, body=b"panic\n\x1b[2Jat main"),
        ClusterAnswer(status=403, body=b"no\x07"),
        refusal(403, 'configmaps "x" is forbidden', "Forbidden", kind="configmaps"),
        refusal(503, "the database is away", "ServiceUnavailable"),
        ClusterAnswer(status=404, body=b"[]"),
    ],
)
async def test_an_error_of_the_webhooks_own_is_told_as_its_status(given: ClusterAnswer) -> None:
    failed = await failure_of(given)
    assert failed.kind is FailureKind.STATUS
    assert failed.status == given.status
    assert b"\x1b" not in failed.body
    assert b"\x07" not in failed.body
    assert was_reached(failed)


async def test_an_answer_beyond_the_limit_is_not_judged() -> None:
    failed = await failure_of(ClusterAnswer(status=200, body=b"x" * 1000, cut=True))
    assert failed.kind is FailureKind.TOO_LARGE


async def test_a_token_that_expired_is_renewed_before_anything_is_passed_on() -> None:
    given = [refusal(401, "Unauthorized", "Unauthorized"), answer({}), answer({"kind": "x"})]
    api = ScriptedApi(lambda _: given.pop(0))
    exchange = await ServiceProxyTransport(api, options()).send(REVIEW)
    assert isinstance(exchange.outcome, Answered)
    assert [request.method for request in api.asked] == ["POST", "GET", "POST"]
    assert not api.asked[1].once, "what may be repeated is what renews the token"


async def test_a_webhooks_own_401_is_its_answer() -> None:
    failed = await failure_of(ClusterAnswer(status=401, body=b"Unauthorized"))
    assert (failed.kind, failed.status) == (FailureKind.STATUS, 401)


def silence(cause: Exception) -> ClusterError:
    """What the seam raises when no answer came."""
    error = cluster_error("POST /x", "no answer", Trouble.UNREACHABLE)
    error.__cause__ = cause
    return error


async def test_a_webhook_that_hangs_times_out_while_the_api_server_answers() -> None:
    api = ScriptedApi(
        lambda request: answer({}) if request.path == "/version" else silence(TimeoutError())
    )
    outcome = (await ServiceProxyTransport(api, options()).send(REVIEW)).outcome
    assert isinstance(outcome, CallFailure)
    assert outcome.kind is FailureKind.TIMEOUT
    assert "injector.mesh.svc" in outcome.detail
    assert "within 2.5 s" in outcome.detail
    assert api.asked[0].timeout_seconds == 2.5


@pytest.mark.parametrize(
    "cause", [TimeoutError(), aiohttp.ConnectionTimeoutError(), ConnectionResetError()]
)
async def test_an_api_server_that_is_gone_is_not_the_webhooks_fault(cause: Exception) -> None:
    api = ScriptedApi(lambda _: silence(cause))
    with pytest.raises(ClusterError):
        await ServiceProxyTransport(api, options()).send(REVIEW)


async def test_never_more_calls_than_the_concurrency_are_under_way() -> None:
    running, most = 0, 0

    class Counting(ScriptedApi):
        async def ask(self, request: ClusterRequest) -> ClusterAnswer:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            return await super().ask(request)

    api = Counting(lambda _: answer({}))
    transport = ServiceProxyTransport(api, options(concurrency=3))
    await asyncio.gather(*(transport.send(REVIEW) for _ in range(12)))
    assert most == 3
