"""An API server that is busy, drops connections, answers garbage or nothing at all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from authorities import Authority
from fake_clusters import FakeCluster
from hostile_servers import serve_connections
from scripted_api_servers import Answer, ScriptedApiServer, answering, scripted_api_server
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import (
    ClusterAnswer,
    ClusterRequest,
    get_object,
    get_text,
    list_objects,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster import connections, outages
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions

PODS = "/api/v1/pods"
STATUS: JsonObject = {"kind": "Status", "message": "slow\n  down"}
CREATE = ClusterRequest(method="POST", path=PODS, query={}, body=b"{}")
TRY = ClusterRequest(method="POST", path=PODS, query={"dryRun": "All"}, body=b"{}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(connections, "_LONGEST_PAUSE", 0.002)


@asynccontextmanager
async def asked(
    answer: Answer, folder: Path, *, seconds: float = 30.0, concurrency: int = 16
) -> AsyncGenerator[tuple[Cluster, ScriptedApiServer]]:
    async with scripted_api_server(answer, folder=folder) as server:
        file = server.write_kubeconfig(folder / "config")
        options = ClusterOptions(kubeconfig=file, timeout_seconds=seconds, concurrency=concurrency)
        async with Cluster(options) as cluster:
            yield cluster, server


def busy(status: int = 429) -> web.Response:
    return web.json_response(STATUS, status=status, headers={"Retry-After": "1"})


async def drop(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def hang(_: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


@pytest.mark.parametrize("request_", [CREATE, TRY])
async def test_a_busy_server_is_asked_again(tmp_path: Path, request_: ClusterRequest) -> None:
    async with asked(answering(busy, busy, {"items": []}), tmp_path) as (cluster, server):
        answer = await cluster.ask(request_)

    assert (answer.status, len(server.requests)) == (200, 3)


async def test_a_server_that_stays_busy_is_throttling(tmp_path: Path) -> None:
    async with asked(answering(busy), tmp_path) as (cluster, server):
        seen = await attempt(list_objects(cluster, PODS), "pods")

    assert seen == Unseen(
        what="pods", why=f"GET {PODS}: slow down (429)", trouble=Trouble.THROTTLED
    )
    assert len(server.requests) == 4


async def test_a_server_that_is_starting_is_asked_again_only_when_nothing_is_changed(
    tmp_path: Path,
) -> None:
    starting = answering(lambda: busy(500))
    async with asked(starting, tmp_path) as (cluster, server):
        assert (await cluster.ask(CREATE)).retry_after == 1
        assert len(server.requests) == 1
        await cluster.ask(ClusterRequest(method="GET", path=PODS, query={}))

    assert len(server.requests) == 5


async def test_what_must_go_once_goes_once(tmp_path: Path) -> None:
    once = ClusterRequest(method="POST", path=PODS, query={}, once=True)
    async with asked(answering(busy), tmp_path) as (cluster, server):
        assert (await cluster.ask(once)).status == 429

    assert len(server.requests) == 1


@pytest.mark.parametrize(("request_", "times"), [(TRY, 4), (CREATE, 1)])
async def test_a_dropped_connection_is_tried_again_where_nothing_is_changed(
    tmp_path: Path, request_: ClusterRequest, times: int
) -> None:
    async with asked(drop, tmp_path) as (cluster, server):
        with pytest.raises(ClusterError, match=r"POST /api/v1/pods: no answer from") as raised:
            await cluster.ask(request_)

    assert raised.value.trouble is Trouble.UNREACHABLE
    assert len(server.requests) == times


async def test_nobody_listening_is_a_sentence(tmp_path: Path) -> None:
    async with asked(answering({}), tmp_path) as (cluster, server):
        pass
    file = server.write_kubeconfig(tmp_path / "config")
    async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
        with pytest.raises(ClusterError, match="no answer from https://127") as raised:
            await cluster.ask(CREATE)

    assert "\n" not in raised.value.message
    assert "kubectl cluster-info" in raised.value.hint


async def test_silence_ends_with_the_time_of_one_request(tmp_path: Path) -> None:
    async with asked(hang, tmp_path, seconds=0.2) as (cluster, server):
        with pytest.raises(ClusterError, match=r"no answer from .* within 0\.2 s"):
            await get_object(cluster, PODS)

    assert len(server.requests) == 1


async def test_all_repetitions_together_have_the_time_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LONGEST_PAUSE", 5.0)
    async with asked(answering(busy), tmp_path, seconds=0.5) as (cluster, server):
        answer = await cluster.ask(CREATE)  # a pause of one second does not fit

    assert (answer.status, len(server.requests)) == (429, 1)


async def test_a_connection_that_never_comes_about_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_CONNECT_SECONDS", 0.05)
    silent = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await silent.wait()

    async with serve_connections(say_nothing) as port:
        scripted = ScriptedApiServer(
            url=f"https://127.0.0.1:{port}", authority=Authority(tmp_path / "ca")
        )
        file = scripted.write_kubeconfig(tmp_path / "config")
        async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
            with pytest.raises(ClusterError, match=r"no connection to .* within 0\.05 s"):
                await get_object(cluster, "/version")
        silent.set()


async def test_a_certificate_nobody_trusts_is_not_asked_twice(tmp_path: Path) -> None:
    async with asked(answering({}), tmp_path) as (_, server):
        other = Authority(tmp_path / "other")
        file = server.write_kubeconfig(
            tmp_path / "config", certificate_authority=str(other.ca_file)
        )
        async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
            with pytest.raises(ClusterError, match=r"certificate of .* is not accepted: "):
                await get_object(cluster, "/version")


async def test_after_a_while_of_silence_nothing_more_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "_PROBE_SECONDS", 1e6)
    async with asked(drop, tmp_path) as (cluster, server):
        asking = [attempt(get_object(cluster, f"/api/v1/nodes/n{n}"), "n") for n in range(5)]
        await asyncio.gather(*asking)
        sent = len(server.requests)
        with pytest.raises(ClusterError, match=r"not sent: .* has been silent for a while"):
            await get_object(cluster, PODS)

    assert len(server.requests) == sent


async def test_a_server_that_is_back_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "_PROBE_SECONDS", 0.0)
    is_back = False

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({}) if is_back else await drop(request)

    async with asked(answer, tmp_path) as (cluster, _):
        for _ in range(6):
            assert isinstance(await attempt(get_object(cluster, PODS), "pods"), Unseen)
        is_back = True
        for _ in range(6):
            assert await get_object(cluster, PODS) == {}


async def test_a_request_with_a_short_time_of_its_own_says_nothing_about_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "_PROBE_SECONDS", 1e6)
    short = ClusterRequest(method="GET", path="/slow", query={}, timeout_seconds=0.01)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return await hang(request) if request.path == "/slow" else web.json_response({})

    async with asked(answer, tmp_path) as (cluster, _):
        for _ in range(6):
            with pytest.raises(ClusterError):
                await cluster.ask(short)
        assert await get_object(cluster, PODS) == {}


@pytest.mark.parametrize("body", ["<html>log in</html>", "[1]", "", "\udcff{"])
async def test_garbage_is_a_sentence(tmp_path: Path, body: str) -> None:
    garbage = answering(lambda: web.Response(body=body.encode("utf-8", "surrogatepass")))
    async with asked(garbage, tmp_path) as (cluster, _):
        with pytest.raises(ClusterError, match="the answer is not a JSON object") as raised:
            await get_object(cluster, "/version")

    assert raised.value.trouble is Trouble.BROKEN


async def test_an_error_page_is_shown_in_one_printable_line(tmp_path: Path) -> None:
    page = answering(
        lambda: web.Response(status=502, body=b"\x1b[31m<h1>\n bad  gateway \xff" * 99)
    )
    async with asked(page, tmp_path) as (cluster, _):
        with pytest.raises(ClusterError) as raised:
            await get_text(cluster, "/metrics")

    assert raised.value.message.isprintable()
    assert len(raised.value.message) < 650


async def test_text_is_given_as_text(tmp_path: Path) -> None:
    async with asked(answering(lambda: web.Response(text="a 1\n")), tmp_path) as (cluster, server):
        assert await get_text(cluster, "/metrics") == "a 1\n"

    assert server.header("Accept") == ["*/*"]


async def test_an_endless_answer_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_MOST_BYTES", 1000)
    some = ClusterRequest(method="GET", path="/x", query={}, most_bytes=10)
    async with asked(answering(lambda: web.Response(body=b"x" * 5000)), tmp_path) as (cluster, _):
        with pytest.raises(ClusterError, match="more than 1000 bytes"):
            await get_object(cluster, "/x")
        answer = await cluster.ask(some)

    assert (answer.body, answer.cut) == (b"x" * 10, True)


async def test_warnings_and_redirections_are_answers(tmp_path: Path) -> None:
    headers = {"Warning": '299 - "unknown field \\"spec.x\\""', "Location": "/elsewhere"}
    moved = answering(lambda: web.Response(status=302, headers=headers))
    async with asked(moved, tmp_path) as (cluster, server):
        answer = await cluster.ask(CREATE)

    assert (answer.status, answer.warnings) == (302, ('unknown field "spec.x"',))
    assert answer.message == "no message"
    assert len(server.requests) == 1


async def test_no_more_requests_are_under_way_than_allowed(tmp_path: Path) -> None:
    under_way, most = 0, 0

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return web.json_response({})

    async with asked(answer, tmp_path, concurrency=3) as (cluster, _):
        await asyncio.gather(*(get_object(cluster, PODS) for _ in range(20)))

    assert most <= 3


async def test_a_cancelled_request_is_hung_up(tmp_path: Path) -> None:
    arrived, hung_up = asyncio.Event(), asyncio.Event()

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            hung_up.set()
        return web.Response()

    async with scripted_api_server(answer, folder=tmp_path, cancel_handlers=True) as server:
        file = server.write_kubeconfig(tmp_path / "config")
        async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
            asking = asyncio.create_task(cluster.ask(CREATE))
            await arrived.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await hung_up.wait()


async def test_a_cluster_is_used_inside_its_block_only() -> None:
    with pytest.raises(RuntimeError, match="outside"):
        await Cluster(ClusterOptions()).ask(CREATE)


def _pods(*names: str) -> list[JsonObject]:
    return [{"metadata": {"namespace": "n", "name": name}} for name in names]


def _page(*names: str, token: str = "") -> JsonObject:
    items = [*_pods(*names)]
    return {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": token}, "items": items}  # type: ignore[dict-item]  # a list of objects is a JSON value


def _names(items: list[JsonObject]) -> list[str]:
    return [str(item["metadata"]["name"]) for item in items]  # type: ignore[index, call-overload]  # as built above


def _gone(token: str = "") -> web.Response:
    body = {"kind": "Status", "message": "too old", "metadata": {"continue": token}}
    return web.json_response(body, status=410)


async def test_a_list_is_read_in_pages_and_every_item_says_its_kind(tmp_path: Path) -> None:
    pages = answering(_page("a", "b", token="2"), _page("c"))
    async with asked(pages, tmp_path) as (cluster, server):
        items = await list_objects(cluster, PODS, {"labelSelector": "x"})

    assert _names(items) == ["a", "b", "c"]
    assert {(item["kind"], item["apiVersion"]) for item in items} == {("Pod", "v1")}
    assert [dict(request.query) for request in server.requests] == [
        {"labelSelector": "x", "limit": "500"},
        {"labelSelector": "x", "limit": "500", "continue": "2"},
    ]


async def test_a_list_that_went_stale_goes_on_where_the_server_says(tmp_path: Path) -> None:
    pages = answering(_page("a", token="2"), lambda: _gone("3"), _page("b"))
    async with asked(pages, tmp_path) as (cluster, server):
        assert _names(await list_objects(cluster, PODS)) == ["a", "b"]

    assert server.requests[-1].query["continue"] == "3"


async def test_a_list_that_went_stale_begins_anew_and_nothing_comes_twice(tmp_path: Path) -> None:
    pages = answering(_page("a", token="2"), _gone, _page("a", token="4"), _page("b"))
    async with asked(pages, tmp_path) as (cluster, _):
        assert _names(await list_objects(cluster, PODS)) == ["a", "b"]


async def test_a_list_that_goes_stale_again_and_again_is_not_read_for_ever(tmp_path: Path) -> None:
    pages = answering(_page("a", token="2"), lambda: _gone("2"))
    async with asked(pages, tmp_path) as (cluster, server):
        with pytest.raises(ClusterError, match="too old"):
            await list_objects(cluster, PODS)

    assert len(server.requests) == 7


async def test_a_list_that_leads_to_itself_is_not_read_for_ever(tmp_path: Path) -> None:
    async with asked(answering(_page("a", token="2")), tmp_path) as (cluster, _):
        with pytest.raises(ClusterError, match="does not end"):
            await list_objects(cluster, PODS)


async def test_ten_thousand_pods_come_in_twenty_pages() -> None:
    cluster = FakeCluster(collections={PODS: _pods(*map(str, range(10_000)))})

    assert len(await list_objects(cluster, PODS)) == 10_000
    assert len(cluster.asked) == 20


async def test_a_list_without_items_is_empty(tmp_path: Path) -> None:
    async with asked(answering({"items": ["odd", 7]}, {"metadata": 7}), tmp_path) as (cluster, _):
        assert await list_objects(cluster, PODS) == []
        assert await list_objects(cluster, PODS) == []


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (401, Trouble.UNAUTHORIZED),
        (403, Trouble.FORBIDDEN),
        (404, Trouble.NOT_FOUND),
        (422, Trouble.REFUSED),
        (500, Trouble.BROKEN),
    ],
)
async def test_a_status_is_a_trouble_with_a_remedy(
    tmp_path: Path, status: int, trouble: Trouble
) -> None:
    said = {"message": "no"}
    async with asked(answering(said, status=status), tmp_path) as (cluster, _):
        with pytest.raises(ClusterError) as raised:
            await get_object(cluster, PODS)

    assert (raised.value.trouble, raised.value.status) == (trouble, status)
    assert raised.value.message == f"GET {PODS}: no ({status})"
    assert raised.value.hint


async def test_a_proxy_is_asked_to_connect(tmp_path: Path) -> None:
    heard: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with serve_connections(refuse) as port, asked(answering({}), tmp_path) as (_, server):
        proxy = f"http://user:word@127.0.0.1:{port}"
        file = server.write_kubeconfig(tmp_path / "config", proxy_url=proxy)
        async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
            with pytest.raises(ClusterError, match="403"):
                await cluster.ask(CREATE)

    assert heard[0].startswith(f"CONNECT {server.url.removeprefix('https://')} ")
    assert "Proxy-Authorization: Basic " in heard[0]


async def test_a_netrc_does_not_replace_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with asked(answering({}), tmp_path) as (cluster, server):
        await get_object(cluster, PODS)

    assert server.header("Authorization") == ["Bearer t-1"]


def test_an_outage_lets_one_request_through_from_time_to_time() -> None:
    now = 0.0
    outage = outages.Outage(clock=lambda: now)
    for _ in range(5):
        assert outage.lets_through()
        outage.note_silence()

    assert not outage.lets_through()
    now = 5.0
    assert [outage.lets_through(), outage.lets_through()] == [True, False]
    outage.note_answer()
    assert outage.lets_through()


def test_an_answer_without_a_message_shows_its_body() -> None:
    answer = ClusterAnswer(status=200, body=b'{"message": ""}')

    assert answer.message == '{"message": ""}'
