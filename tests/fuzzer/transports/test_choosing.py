from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

import pytest

import hostile_servers as hostile
from authorities import LOOPBACK, Authority
from chain_webhooks import bundle, chain, entry
from fake_clusters import FakeCluster
from hostile_servers import Conversation, serve_connections, serve_raw
from webhook_fuzz.corpora.exchanges import Answered, Exchange
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.transports import Uncalled
from webhook_fuzz.fuzzer.transports.choosing import (
    ReachOptions,
    choose_reach,
    choose_reaches,
    is_inside_cluster,
)
from webhook_fuzz.fuzzer.transports.reaching import Reach, Reaches, Way

REVIEW: JsonObject = {"kind": "AdmissionReview", "request": {"uid": "1", "object": {}}}
OUTSIDE = ReachOptions(inside_cluster=False, dial_seconds=1.0)
SERVICE = "/api/v1/namespaces/mesh/services/injector"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/mesh/endpointslices"
NAME = "injector.mesh.svc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A webhook that answers, with a certificate for loopback and for its service."""

    port: int
    requests: list[tuple[str, bytes]]


async def answers(talk: Conversation) -> None:
    await talk.answer(b"{}")


@pytest.fixture
async def backend(authority: Authority) -> AsyncGenerator[Backend]:
    context = authority.issue(*LOOPBACK, NAME).server_context()
    async with serve_raw(answers, context) as server:
        yield Backend(port=server.port, requests=server.requests)


def by_url(authority: Authority, port: int, **others: JsonValue) -> Webhook:
    config: JsonObject = {
        "url": f"https://127.0.0.1:{port}/mutate",
        "caBundle": bundle(authority.ca_file.read_bytes()),
    }
    return chain(entry("hook.example.com", clientConfig=config, **others))[0]


def by_service(authority: Authority, port: int, **others: JsonValue) -> Webhook:
    config: JsonObject = {
        "service": {"namespace": "mesh", "name": "injector", "path": "/mutate", "port": port},
        "caBundle": bundle(authority.ca_file.read_bytes()),
    }
    return chain(entry("hook.example.com", clientConfig=config, **others))[0]


def service(port: int, address: str = "127.0.0.1") -> JsonObject:
    return {"spec": {"clusterIP": address, "ports": [{"port": port}]}}


def cluster(
    found: JsonObject | None,
    *,
    allowed: bool = True,
    ready: Sequence[JsonValue] = ({"conditions": {"ready": True}},),
    refusals: Mapping[str, tuple[int, str]] | None = None,
) -> FakeCluster:
    return FakeCluster(
        objects={
            **({SERVICE: found} if found else {}),
            ACCESS: {"status": {"allowed": allowed}},
        },
        collections={SLICES: [{"kind": "EndpointSlice", "endpoints": [*ready]}]},
        refusals=refusals or {},
    )


def reasons(reach: Reach) -> dict[Way, str]:
    return {refused.way: refused.reason for refused in reach.refused}


async def call(reach: Reach) -> Exchange | Uncalled:
    async with Reaches([reach]) as caller:
        return await caller.call(reach.webhook, REVIEW)


class TestAWebhookWithAUrl:
    async def test_is_called_there_with_its_ca_bundle(
        self, authority: Authority, backend: Backend
    ) -> None:
        reach = await choose_reach(by_url(authority, backend.port), FakeCluster(), OUTSIDE)
        assert (reach.way, reach.version, reach.refused) == (Way.URL, "v1", ())
        exchange = await call(reach)
        assert isinstance(exchange, Exchange)
        assert isinstance(exchange.outcome, Answered)
        assert exchange.webhook.configuration == "chain"
        assert exchange.webhook.name == "hook.example.com"

    async def test_whose_certificate_is_not_of_the_bundle_is_not_called(
        self, authority: Authority, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        other = Authority(tmp_path_factory.mktemp("other"), name="another CA")
        async with serve_raw(answers, other.issue(*LOOPBACK).server_context()) as server:
            reach = await choose_reach(by_url(authority, server.port), FakeCluster(), OUTSIDE)
        assert reach.way is Way.DRY_RUN
        assert "is not trusted" in reasons(reach)[Way.URL]
        assert "part of the chain only" in reach.why
        assert server.requests == []

    async def test_where_nobody_listens_is_seen_in_dry_runs_only(
        self, authority: Authority
    ) -> None:
        webhook = by_url(authority, hostile.closed_port())
        reach = await choose_reach(webhook, FakeCluster(), OUTSIDE)
        assert reach.way is Way.DRY_RUN
        assert reasons(reach)[Way.URL].startswith("Nothing listens at 127.0.0.1:")
        answer = await call(reach)
        assert isinstance(answer, Uncalled)
        assert answer.reason == reach.why

    async def test_that_never_shakes_hands_is_given_up_soon(self, authority: Authority) -> None:
        async with serve_connections(lambda *_: hostile.never_answers(None)) as port:  # type: ignore[arg-type]  # the conversation is never looked at
            options = ReachOptions(inside_cluster=False, dial_seconds=0.05)
            reach = await choose_reach(by_url(authority, port), FakeCluster(), options)
        assert "within 0.05 s" in reasons(reach)[Way.URL]

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            ({"url": "https://127.0.0.1/x?y=1"}, "has a query"),
            ({"url": "https://127.0.0.1/x", "caBundle": bundle(b"no PEM")}, "no CA certificate"),
            ({"url": "https://127.0.0.1/x", "caBundle": "%%%"}, "not base64"),
        ],
    )
    async def test_that_nobody_can_use_is_not_called(self, config: JsonObject, said: str) -> None:
        webhook = chain(entry("hook.example.com", clientConfig=config))[0]
        reach = await choose_reach(webhook, FakeCluster(), OUTSIDE)
        assert reach.way is Way.DRY_RUN
        assert said in reasons(reach)[Way.URL]

    async def test_and_side_effects_is_not_called_unless_that_is_allowed(
        self, authority: Authority, backend: Backend
    ) -> None:
        webhook = by_url(authority, backend.port, sideEffects="Some")
        reach = await choose_reach(webhook, FakeCluster(), OUTSIDE)
        assert reach.way is Way.NONE
        assert "--allow-side-effects" in reasons(reach)[Way.URL]
        assert "refuses dry runs" in reasons(reach)[Way.DRY_RUN]
        options = ReachOptions(inside_cluster=False, allow_side_effects=True)
        assert (await choose_reach(webhook, FakeCluster(), options)).way is Way.URL

    async def test_and_no_known_review_version_is_left_to_the_api_server(
        self, authority: Authority, backend: Backend
    ) -> None:
        webhook = by_url(authority, backend.port, admissionReviewVersions=["v2"])
        reach = await choose_reach(webhook, FakeCluster(), OUTSIDE)
        assert (reach.way, reach.version) == (Way.DRY_RUN, None)
        assert "neither v1 nor v1beta1" in reasons(reach)[Way.URL]

    async def test_that_lists_v1beta1_first_gets_v1beta1(
        self, authority: Authority, backend: Backend
    ) -> None:
        webhook = by_url(authority, backend.port, admissionReviewVersions=["v1beta1", "v1"])
        assert (await choose_reach(webhook, FakeCluster(), OUTSIDE)).version == "v1beta1"


class TestAWebhookBehindAService:
    async def test_is_called_at_its_cluster_ip_under_its_name(
        self, authority: Authority, backend: Backend
    ) -> None:
        webhook = by_service(authority, backend.port)
        reach = await choose_reach(webhook, cluster(service(backend.port)), OUTSIDE)
        assert reach.way is Way.CLUSTER_IP
        assert reasons(reach) == {
            Way.SERVICE_NAME: "Service names resolve inside the cluster only."
        }
        exchange = await call(reach)
        assert isinstance(exchange, Exchange)
        assert isinstance(exchange.outcome, Answered)
        assert f"Host: {NAME}:{backend.port}\r\n" in backend.requests[0][0]

    async def test_is_looked_for_under_its_name_first_inside_the_cluster(
        self, authority: Authority, backend: Backend
    ) -> None:
        options = ReachOptions(inside_cluster=True, dial_seconds=1.0)
        webhook = by_service(authority, backend.port)
        reach = await choose_reach(webhook, cluster(service(backend.port)), options)
        assert reach.way is Way.CLUSTER_IP
        assert "does not resolve" in reasons(reach)[Way.SERVICE_NAME]

    async def test_that_cannot_be_dialled_is_called_through_the_proxy(
        self, authority: Authority
    ) -> None:
        port = hostile.closed_port()
        api = cluster(service(port))
        reach = await choose_reach(by_service(authority, port), api, OUTSIDE)
        assert reach.way is Way.SERVICE_PROXY
        assert "TLS is not verified" in reach.why
        assert list(reasons(reach)) == [Way.SERVICE_NAME, Way.CLUSTER_IP]
        await call(reach)
        assert (
            api.asked[-1].path
            == f"/api/v1/namespaces/mesh/services/https:injector:{port}/proxy/mutate"
        )

    async def test_where_another_machine_has_the_address_is_not_called_there(
        self, authority: Authority
    ) -> None:
        context = authority.issue(*LOOPBACK, "router.local").server_context()
        async with serve_raw(answers, context) as server:
            webhook = by_service(authority, server.port)
            reach = await choose_reach(webhook, cluster(service(server.port)), OUTSIDE)
        assert reach.way is Way.SERVICE_PROXY
        assert "is not valid for injector.mesh.svc" in reasons(reach)[Way.CLUSTER_IP]
        assert server.requests == []

    async def test_without_the_permission_for_the_proxy_is_seen_in_dry_runs_only(
        self, authority: Authority
    ) -> None:
        api = cluster(service(1, "None"), allowed=False)
        reach = await choose_reach(by_service(authority, 1), api, OUTSIDE)
        assert reach.way is Way.DRY_RUN
        assert "has no ClusterIP" in reasons(reach)[Way.CLUSTER_IP]
        assert "create services/proxy in the namespace mesh" in reasons(reach)[Way.SERVICE_PROXY]
        asked = next(request for request in api.asked if request.path == ACCESS)
        assert b'"name":"https:injector:1"' in (asked.body or b"")

    async def test_without_a_ready_endpoint_is_not_called_through_the_proxy(
        self, authority: Authority
    ) -> None:
        api = cluster(service(1, ""), ready=[{"conditions": {"ready": False}}])
        reach = await choose_reach(by_service(authority, 1), api, OUTSIDE)
        assert reach.way is Way.DRY_RUN
        assert "no ready endpoint" in reasons(reach)[Way.SERVICE_PROXY]

    async def test_whose_endpoints_cannot_be_seen_is_tried_and_that_is_said(
        self, authority: Authority
    ) -> None:
        api = cluster(service(1, ""), refusals={SLICES: (403, "no")})
        reach = await choose_reach(by_service(authority, 1), api, OUTSIDE)
        assert reach.way is Way.SERVICE_PROXY
        assert "could not be seen" in reach.why

    async def test_that_does_not_exist_or_may_not_be_read_is_told_so(
        self, authority: Authority
    ) -> None:
        missing = await choose_reach(by_service(authority, 1), cluster(None), OUTSIDE)
        assert reasons(missing)[Way.CLUSTER_IP] == f"The service {NAME} does not exist."
        refusals = {SERVICE: (403, "may not"), ACCESS: (500, "broken")}
        hidden = await choose_reach(
            by_service(authority, 1), cluster(None, refusals=refusals), OUTSIDE
        )
        assert "cannot be seen" in reasons(hidden)[Way.CLUSTER_IP]
        assert "cannot be seen" in reasons(hidden)[Way.SERVICE_PROXY]
        assert hidden.way is Way.DRY_RUN

    async def test_of_another_port_is_not_dialled(self, authority: Authority) -> None:
        reach = await choose_reach(by_service(authority, 9), cluster(service(8)), OUTSIDE)
        assert reasons(reach)[Way.CLUSTER_IP] == f"The service {NAME} has no port 9."

    async def test_may_have_an_address_of_ipv6(self, authority: Authority) -> None:
        api = cluster(service(1, "::1"), allowed=False)
        reach = await choose_reach(by_service(authority, 1), api, OUTSIDE)
        assert "::1" in reasons(reach)[Way.CLUSTER_IP]


async def test_a_webhook_without_any_address_has_no_way() -> None:
    webhook = chain(entry("hook.example.com", clientConfig={}))[0]
    reach = await choose_reach(webhook, FakeCluster(), OUTSIDE)
    assert (reach.way, reach.refused) == (Way.DRY_RUN, ())


async def test_many_ways_are_told_in_the_order_of_the_webhooks(
    authority: Authority, backend: Backend
) -> None:
    good = by_url(authority, backend.port).entry
    webhooks = chain(good, entry("b.example.com", clientConfig={}), {**good, "name": "c"})
    reaches = await choose_reaches(webhooks, FakeCluster(), OUTSIDE)
    assert [reach.way for reach in reaches] == [Way.URL, Way.DRY_RUN, Way.URL]
    async with Reaches(reaches) as caller:
        for webhook in (*webhooks, webhooks[0]):
            await caller.call(webhook, REVIEW)
        stranger = chain(*[good] * 4)[3]
        answer = await caller.call(stranger, REVIEW)
    assert len(backend.requests) == 3
    assert answer == Uncalled(reason="No way to it was looked for.")


async def test_a_call_the_api_server_does_not_pass_on_is_no_call(authority: Authority) -> None:
    proxy = "/api/v1/namespaces/mesh/services/https"
    api = cluster(service(1, ""), refusals={proxy: (400, "address not allowed")})
    reach = await choose_reach(by_service(authority, 1), api, OUTSIDE)
    answer = await call(reach)
    assert isinstance(answer, Uncalled)
    assert answer.reason.startswith("The API server did not pass the call on: ")


async def test_a_name_with_several_addresses_is_dialled_at_each(
    authority: Authority, backend: Backend
) -> None:
    url = f"https://localhost:{backend.port}/mutate"  # ::1 first, where there is one
    config: JsonObject = {"url": url, "caBundle": bundle(authority.ca_file.read_bytes())}
    webhook = chain(entry("hook.example.com", clientConfig=config))[0]
    assert (await choose_reach(webhook, FakeCluster(), OUTSIDE)).way is Way.URL


def test_a_pod_knows_that_it_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert not is_inside_cluster()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    assert is_inside_cluster()
