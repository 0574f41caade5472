import asyncio
import datetime as dt
import gzip
import ssl
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import hostile_servers as hostile
from authorities import LOOPBACK, Authority
from hostile_servers import Behaviour, Conversation, HostileServer, serve_connections, serve_raw
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, Exchange, FailureKind
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport

REVIEW: JsonObject = {"kind": "AdmissionReview", "request": {"uid": "1", "object": {"a": "<&>"}}}
ANSWER = b'{"kind":"AdmissionReview"}'
Serving = Callable[[Behaviour], AbstractAsyncContextManager[HostileServer]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serving(authority: Authority) -> Serving:
    context = authority.issue(*LOOPBACK).server_context()

    def serve(behaviour: Behaviour) -> AbstractAsyncContextManager[HostileServer]:
        return serve_raw(behaviour, context)

    return serve


async def answers(talk: Conversation) -> None:
    await talk.answer(ANSWER, headers="Content-Type: application/json\r\n")


async def send_once(options: DirectOptions) -> Exchange:
    async with DirectTransport(options) as transport:
        return await transport.send(REVIEW)


async def failure_of(options: DirectOptions, kind: FailureKind) -> CallFailure:
    outcome = (await send_once(options)).outcome
    assert isinstance(outcome, CallFailure), outcome
    assert outcome.kind is kind, outcome
    assert "\n" not in outcome.detail
    return outcome


@asynccontextmanager
async def options_for(
    behaviour: Behaviour, serving: Serving, authority: Authority, seconds: float = 5.0
) -> AsyncGenerator[DirectOptions]:
    async with serving(behaviour) as server:
        yield DirectOptions(url=server.url(), ca_file=authority.ca_file, timeout_seconds=seconds)


class TestTheRequest:
    async def test_is_what_kube_apiserver_sends(
        self, serving: Serving, authority: Authority
    ) -> None:
        async with serving(answers) as server:
            options = DirectOptions(url=server.url("/mutate/"), ca_file=authority.ca_file)
            exchange = await send_once(options)
        assert exchange.outcome == Answered(
            status=200, content_type="application/json", body=ANSWER
        )
        head, body = server.requests[0]
        line, *headers = head.strip().split("\r\n")
        assert line == "POST /mutate?timeout=10s HTTP/1.1"
        assert sorted(headers) == [
            "Accept-Encoding: gzip",
            "Accept: application/json, */*",
            f"Content-Length: {len(body)}",
            "Content-Type: application/json",
            f"Host: 127.0.0.1:{server.port}",
            "User-Agent: kube-apiserver-admission",
        ]
        assert body.endswith(b"\n")
        assert b"\\u003c\\u0026\\u003e" in body

    async def test_carries_the_service_name_as_host_sni_and_verified_name(
        self, authority: Authority
    ) -> None:
        name = "vault-agent-injector.vault.svc"
        context = authority.issue(name).server_context()
        asked: list[str | None] = []
        context.sni_callback = lambda _socket, sni, _context: asked.append(sni)
        async with serve_raw(answers, context) as server:
            options = DirectOptions(url=server.url(), ca_file=authority.ca_file, server_name=name)
            assert isinstance((await send_once(options)).outcome, Answered)
        assert f"\r\nHost: {name}:443\r\n" in server.requests[0][0]
        assert asked == [name]

    async def test_rounds_the_timeout_up_to_whole_seconds(
        self, serving: Serving, authority: Authority
    ) -> None:
        async with serving(answers) as server:
            await send_once(
                DirectOptions(url=server.url(), ca_file=authority.ca_file, timeout_seconds=2.3)
            )
        assert server.requests[0][0].startswith("POST /mutate?timeout=3s ")

    async def test_uses_a_connection_again(self, serving: Serving, authority: Authority) -> None:
        async with (
            serving(answers) as server,
            DirectTransport(
                DirectOptions(url=server.url(), ca_file=authority.ca_file)
            ) as transport,
        ):
            for _ in range(5):
                await transport.send(REVIEW)
        assert (server.connections, len(server.requests)) == (1, 5)

    async def test_of_more_than_a_mebibyte_is_sent_whole(
        self, serving: Serving, authority: Authority
    ) -> None:
        review: JsonObject = {"object": "x" * 3_000_000}
        async with (
            serving(answers) as server,
            DirectTransport(
                DirectOptions(url=server.url(), ca_file=authority.ca_file)
            ) as transport,
        ):
            exchange = await transport.send(review)
        assert isinstance(exchange.outcome, Answered)
        assert len(server.requests[0][1]) > 3_000_000

    async def test_is_never_more_than_the_concurrency_at_a_time(
        self, serving: Serving, authority: Authority
    ) -> None:
        running, most = 0, 0

        async def slowly(talk: Conversation) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.02)
            running -= 1
            await talk.answer(ANSWER)

        async with (
            serving(slowly) as server,
            DirectTransport(
                DirectOptions(url=server.url(), ca_file=authority.ca_file, concurrency=3)
            ) as transport,
        ):
            exchanges = await asyncio.gather(*(transport.send(REVIEW) for _ in range(12)))
        assert most == 3
        assert all(isinstance(exchange.outcome, Answered) for exchange in exchanges)
        assert max(exchange.seconds for exchange in exchanges[3:]) < 0.08, "waiting is not counted"


class TestNoConnection:
    async def test_to_a_closed_port_is_refused(self, authority: Authority) -> None:
        url = f"https://127.0.0.1:{hostile.closed_port()}/mutate"
        failed = await failure_of(
            DirectOptions(url=url, ca_file=authority.ca_file), FailureKind.REFUSED
        )
        assert "nothing listens at 127.0.0.1:" in failed.detail

    async def test_to_a_closed_port_of_localhost_is_refused_on_both_families(
        self, authority: Authority
    ) -> None:
        url = f"https://localhost:{hostile.closed_port()}/mutate"
        await failure_of(DirectOptions(url=url, ca_file=authority.ca_file), FailureKind.REFUSED)

    async def test_to_a_name_that_does_not_resolve(self) -> None:
        failed = await failure_of(
            DirectOptions(url="https://no-such-webhook.invalid/mutate"), FailureKind.DNS
        )
        assert "no-such-webhook.invalid does not resolve" in failed.detail

    async def test_to_an_address_without_a_route(self) -> None:
        # Linux refuses to open a TCP connection to the broadcast address: ENETUNREACH.
        await failure_of(
            DirectOptions(url="https://255.255.255.255/mutate"), FailureKind.UNREACHABLE
        )

    async def test_that_is_never_accepted_times_out_as_a_connection(
        self, authority: Authority
    ) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)  # TCP is up, the TLS handshake never comes

        async with serve_connections(silent) as port:
            failed = await failure_of(
                DirectOptions(url=f"https://127.0.0.1:{port}/", timeout_seconds=0.3),
                FailureKind.TIMEOUT,
            )
        assert failed.detail == f"no connection to 127.0.0.1:{port} within 0.3 s"


class TestTls:
    async def test_with_a_certificate_for_another_name(self, authority: Authority) -> None:
        context = authority.issue("other.ns.svc").server_context()
        async with serve_raw(answers, context) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file), FailureKind.TLS_NAME
            )
        assert "not valid for 127.0.0.1" in failed.detail

    async def test_with_a_name_only_in_the_common_name(self, authority: Authority) -> None:
        context = authority.issue(common_name="hook.ns.svc").server_context()
        async with serve_raw(answers, context) as server:
            await failure_of(
                DirectOptions(
                    url=server.url(), ca_file=authority.ca_file, server_name="hook.ns.svc"
                ),
                FailureKind.TLS_NAME,
            )

    @pytest.mark.parametrize(
        ("age", "words"),
        [
            (dt.timedelta(days=2), "has expired"),
            (dt.timedelta(days=-1), "is not valid yet"),
        ],
    )
    async def test_with_a_certificate_outside_its_time(
        self, authority: Authority, age: dt.timedelta, words: str
    ) -> None:
        context = authority.issue(*LOOPBACK, age=age).server_context()
        async with serve_raw(answers, context) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file),
                FailureKind.TLS_EXPIRED,
            )
        assert words in failed.detail

    async def test_with_a_self_signed_certificate(self, authority: Authority) -> None:
        context = authority.issue(*LOOPBACK, self_signed=True).server_context()
        async with serve_raw(answers, context) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file),
                FailureKind.TLS_UNTRUSTED,
            )
        assert "self-signed" in failed.detail

    async def test_with_an_unknown_authority_and_the_system_roots(self, serving: Serving) -> None:
        async with serving(answers) as server:
            await failure_of(DirectOptions(url=server.url()), FailureKind.TLS_UNTRUSTED)

    async def test_with_the_serving_certificate_itself_as_ca_file(
        self, authority: Authority
    ) -> None:
        credential = authority.issue(*LOOPBACK)
        async with serve_raw(answers, credential.server_context()) as server:
            exchange = await send_once(
                DirectOptions(url=server.url(), ca_file=credential.cert_file)
            )
        assert isinstance(exchange.outcome, Answered)

    async def test_is_not_verified_when_told_so(self, authority: Authority) -> None:
        context = authority.issue("other", self_signed=True).server_context()
        async with serve_raw(answers, context) as server:
            exchange = await send_once(DirectOptions(url=server.url(), insecure_skip_verify=True))
        assert isinstance(exchange.outcome, Answered)

    async def test_to_a_plain_http_port(self, authority: Authority) -> None:
        async def refuses_binary(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            await writer.drain()

        async with serve_connections(refuses_binary) as port:
            failed = await failure_of(
                DirectOptions(url=f"https://127.0.0.1:{port}/", ca_file=authority.ca_file),
                FailureKind.TLS,
            )
        assert "does not speak TLS" in failed.detail

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_that_demands_a_client_certificate(
        self, authority: Authority, version: ssl.TLSVersion
    ) -> None:
        context = authority.issue(*LOOPBACK).server_context(client_ca=authority.ca_file)
        context.maximum_version = version
        client = authority.issue("client")
        with hostile.demanding_client_certificates(context) as port:
            url = f"https://127.0.0.1:{port}/mutate"
            refused = await send_once(DirectOptions(url=url, ca_file=authority.ca_file))
            exchange = await send_once(
                DirectOptions(
                    url=url,
                    ca_file=authority.ca_file,
                    client_cert=client.cert_file,
                    client_key=client.key_file,
                )
            )
        assert isinstance(refused.outcome, CallFailure)
        # With TLS 1.3 the alert may come while the request is being written, and be lost.
        assert refused.outcome.kind in {FailureKind.TLS, FailureKind.RESET}
        assert "client certificate" in refused.outcome.detail
        assert isinstance(exchange.outcome, Answered)

    async def test_hung_up_in_the_handshake_is_a_reset(self, authority: Authority) -> None:
        async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)

        async with serve_connections(hangs_up) as port:
            failed = await failure_of(
                DirectOptions(url=f"https://127.0.0.1:{port}/", ca_file=authority.ca_file),
                FailureKind.RESET,
            )
        assert "during the TLS handshake" in failed.detail


class TestBrokenAnswers:
    @pytest.mark.parametrize(
        ("behaviour", "words"),
        [
            (hostile.never_answers, "took the request and did not answer within 0.3 s"),
            (hostile.stalls_after_headers, "began to answer and did not finish within 0.3 s"),
        ],
    )
    async def test_that_never_come(
        self, serving: Serving, authority: Authority, behaviour: Behaviour, words: str
    ) -> None:
        started = time.perf_counter()
        async with options_for(behaviour, serving, authority, seconds=0.3) as options:
            failed = await failure_of(options, FailureKind.TIMEOUT)
        assert words in failed.detail
        assert 0.25 < time.perf_counter() - started < 2

    @pytest.mark.parametrize(
        ("behaviour", "words"),
        [
            (hostile.closes_before_answering, "after the request, before any answer"),
            (hostile.resets_before_answering, "after the request, before any answer"),
            (hostile.closes_in_the_middle, "in the middle of the answer"),
            (hostile.closes_between_chunks, "in the middle of the answer"),
        ],
    )
    async def test_cut_off_are_resets_and_the_review_is_not_repeated(
        self, serving: Serving, authority: Authority, behaviour: Behaviour, words: str
    ) -> None:
        async with serving(behaviour) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file), FailureKind.RESET
            )
        assert words in failed.detail
        assert len(server.requests) == 1

    async def test_cut_off_on_a_used_connection_are_not_repeated_either(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def answers_once(talk: Conversation) -> None:
            if len(talk.server.requests) == 1:
                await talk.answer(ANSWER)
            else:
                talk.writer.close()

        async with (
            serving(answers_once) as server,
            DirectTransport(
                DirectOptions(url=server.url(), ca_file=authority.ca_file)
            ) as transport,
        ):
            assert isinstance((await transport.send(REVIEW)).outcome, Answered)
            second = (await transport.send(REVIEW)).outcome
        assert isinstance(second, CallFailure)
        assert second.kind is FailureKind.RESET
        assert (server.connections, len(server.requests)) == (1, 2)

    async def test_that_are_not_http(self, serving: Serving, authority: Authority) -> None:
        async with options_for(hostile.talks_garbage, serving, authority) as options:
            await failure_of(options, FailureKind.MALFORMED_HTTP)

    async def test_with_a_bad_chunk_size_are_malformed(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def bad_chunk(talk: Conversation) -> None:
            await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")

        async with options_for(bad_chunk, serving, authority) as options:
            await failure_of(options, FailureKind.MALFORMED_HTTP)

    async def test_that_are_html_with_status_200_are_answers(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def html(talk: Conversation) -> None:
            await talk.answer(b"<html>", headers="Content-Type: text/html\r\n")

        async with options_for(html, serving, authority) as options:
            exchange = await send_once(options)
        assert exchange.outcome == Answered(status=200, content_type="text/html", body=b"<html>")

    @pytest.mark.parametrize("status", ["201 Created", "206 Partial Content"])
    async def test_up_to_206_are_answers(
        self, serving: Serving, authority: Authority, status: str
    ) -> None:
        async def behave(talk: Conversation) -> None:
            await talk.answer(ANSWER, status=status)

        async with options_for(behave, serving, authority) as options:
            assert isinstance((await send_once(options)).outcome, Answered)

    async def test_without_a_body_are_answers(self, serving: Serving, authority: Authority) -> None:
        async def empty(talk: Conversation) -> None:
            await talk.send(b"HTTP/1.1 204 No Content\r\n\r\n")

        async with options_for(empty, serving, authority) as options:
            exchange = await send_once(options)
        assert exchange.outcome == Answered(status=204, content_type="", body=b"")


class TestRefusedStatus:
    async def test_keeps_the_beginning_of_an_error_page_without_control_characters(
        self, serving: Serving, authority: Authority
    ) -> None:
        page = b"<html>\x1b[31mboom\x00\xff\n" + b"x" * 2000

        async def fails(talk: Conversation) -> None:
            await talk.answer(page, status="500 Internal Server Error")

        async with options_for(fails, serving, authority) as options:
            failed = await failure_of(options, FailureKind.STATUS)
        assert failed.status == 500
        assert failed.detail == "HTTP status 500"
        assert failed.body.startswith(b"<html>[31mboom\xef\xbf\xbd\nxxx")
        assert len(failed.body) <= 512

    async def test_leaves_the_connection_usable(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def fails(talk: Conversation) -> None:
            await talk.answer(b"no" * 5000, status="503 Unavailable", headers="Retry-After: 0\r\n")

        async with (
            serving(fails) as server,
            DirectTransport(
                DirectOptions(url=server.url(), ca_file=authority.ca_file)
            ) as transport,
        ):
            outcome = (await transport.send(REVIEW)).outcome
            await transport.send(REVIEW)
        assert (server.connections, len(server.requests)) == (1, 2)
        assert isinstance(outcome, CallFailure)
        assert "Retry-After" in outcome.detail

    async def test_with_an_endless_error_page_is_not_read_to_the_end(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def fails(talk: Conversation) -> None:
            await talk.send(b"HTTP/1.1 500 Oops\r\nContent-Length: 200000000\r\n\r\n")
            for _ in range(3000):
                await talk.send(b"x" * 65536)

        async with serving(fails) as server:
            await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file), FailureKind.STATUS
            )
        assert server.bytes_sent < 20_000_000


class TestSize:
    async def test_an_endless_answer_is_dropped_at_the_limit(
        self, serving: Serving, authority: Authority
    ) -> None:
        async with serving(hostile.answers_endlessly(200_000_000)) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file, answer_limit=1_000_000),
                FailureKind.TOO_LARGE,
            )
        assert failed.detail == "the answer is larger than 1000000 bytes"
        assert server.bytes_sent < 20_000_000, "the connection was not dropped"

    async def test_an_announced_large_answer_is_not_read_at_all(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def announces(talk: Conversation) -> None:
            await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
            await asyncio.sleep(60)

        async with options_for(announces, serving, authority) as options:
            await failure_of(options, FailureKind.TOO_LARGE)

    async def test_a_gzip_bomb_is_dropped_at_the_limit(
        self, serving: Serving, authority: Authority
    ) -> None:
        async with serving(hostile.gzip_bomb(100_000_000)) as server:
            await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file, answer_limit=1_000_000),
                FailureKind.TOO_LARGE,
            )

    async def test_an_answer_of_exactly_the_limit_is_read(
        self, serving: Serving, authority: Authority
    ) -> None:
        async with serving(answers) as server:
            exchange = await send_once(
                DirectOptions(url=server.url(), ca_file=authority.ca_file, answer_limit=len(ANSWER))
            )
        assert isinstance(exchange.outcome, Answered)

    async def test_gzip_is_unpacked(self, serving: Serving, authority: Authority) -> None:
        body = bytes(range(256)) * 4000

        async def packs(talk: Conversation) -> None:
            await talk.answer(gzip.compress(body), headers="Content-Encoding: GZIP\r\n")

        async with options_for(packs, serving, authority) as options:
            exchange = await send_once(options)
        assert isinstance(exchange.outcome, Answered)
        assert exchange.outcome.body == body

    @pytest.mark.parametrize("packed", [b"not gzip", gzip.compress(b"cut off", mtime=0)[:-9]])
    async def test_broken_gzip_is_malformed(
        self, serving: Serving, authority: Authority, packed: bytes
    ) -> None:
        async def lies(talk: Conversation) -> None:
            await talk.answer(packed, headers="Content-Encoding: gzip\r\n")

        async with options_for(lies, serving, authority) as options:
            await failure_of(options, FailureKind.MALFORMED_HTTP)

    async def test_gzip_of_several_members_is_unpacked_as_go_does(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def packs(talk: Conversation) -> None:
            packed = gzip.compress(b"a" * 1000) + gzip.compress(b"b", mtime=0)
            await talk.answer(packed, headers="Content-Encoding: gzip\r\n")

        async with options_for(packs, serving, authority) as options:
            exchange = await send_once(options)
        assert isinstance(exchange.outcome, Answered)
        assert exchange.outcome.body == b"a" * 1000 + b"b"

    async def test_another_encoding_stays_as_it_is(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def deflates(talk: Conversation) -> None:
            await talk.answer(zlib.compress(ANSWER), headers="Content-Encoding: deflate\r\n")

        async with options_for(deflates, serving, authority) as options:
            exchange = await send_once(options)
        assert isinstance(exchange.outcome, Answered)
        assert exchange.outcome.body == zlib.compress(ANSWER)


class TestRedirects:
    async def test_to_another_path_of_the_webhook_is_followed_with_the_review(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def moved(talk: Conversation) -> None:
            if talk.head.startswith("POST /mutate?"):
                await talk.answer(b"", status="307 Go", headers="Location: /v2/mutate\r\n")
            else:
                await talk.answer(ANSWER)

        async with serving(moved) as server:
            exchange = await send_once(DirectOptions(url=server.url(), ca_file=authority.ca_file))
        assert isinstance(exchange.outcome, Answered)
        assert [head.split(" HTTP")[0] for head, _ in server.requests] == [
            "POST /mutate?timeout=10s",
            "POST /v2/mutate",
        ]
        assert server.requests[0][1] == server.requests[1][1]

    async def test_loop_ends_after_ten_requests(
        self, serving: Serving, authority: Authority
    ) -> None:
        async def loops(talk: Conversation) -> None:
            await talk.answer(b"", status="307 Loop", headers="Location: /mutate\r\n")

        async with serving(loops) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file), FailureKind.STATUS
            )
        assert (failed.status, len(server.requests)) == (307, 10)

    @pytest.mark.parametrize(
        ("status", "location"),
        [
            ("307 Go", "https://elsewhere.example/mutate"),
            ("308 Go", "http://127.0.0.1/mutate"),
            ("302 Found", "/login"),
            ("307 Go", "https://[/"),
        ],
    )
    async def test_elsewhere_is_a_failure_that_says_where(
        self, serving: Serving, authority: Authority, status: str, location: str
    ) -> None:
        async def moved(talk: Conversation) -> None:
            await talk.answer(b"", status=status, headers=f"Location: {location}\r\n")

        async with serving(moved) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file), FailureKind.STATUS
            )
        assert location in failed.detail
        assert len(server.requests) == 1


class TestOptions:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("http://127.0.0.1/mutate", "does not start with https://"),
            ("127.0.0.1:8443", "does not start with https://"),
            ("https:///mutate", "no usable host"),
            ("https://user:secret@host/mutate", "user name or password"),
            ("https://host/mutate?a=b", "query or a fragment"),
            ("https://host/mutate#x", "query or a fragment"),
            ("https://host:port/mutate", "not a URL"),
        ],
    )
    def test_reject_urls_the_api_server_rejects(self, url: str, words: str) -> None:
        with pytest.raises(InputError, match=words) as caught:
            DirectTransport(DirectOptions(url=url))
        assert "secret" not in str(caught.value)
        assert caught.value.hint

    @pytest.mark.parametrize("seconds", [0, -1, 31])
    def test_reject_timeouts_the_api_server_rejects(self, seconds: float) -> None:
        with pytest.raises(InputError, match="timeout"):
            DirectTransport(DirectOptions(url="https://host/", timeout_seconds=seconds))

    @pytest.mark.parametrize(("concurrency", "answer_limit"), [(0, 1), (1, 0)])
    def test_reject_limits_below_one(self, concurrency: int, answer_limit: int) -> None:
        options = DirectOptions(
            url="https://host/", concurrency=concurrency, answer_limit=answer_limit
        )
        with pytest.raises(InputError, match="at least 1"):
            DirectTransport(options)

    async def test_are_of_no_use_outside_of_the_block(self) -> None:
        with pytest.raises(RuntimeError, match="async with"):
            await DirectTransport(DirectOptions(url="https://host/")).send(REVIEW)

    def test_name_the_webhook_by_its_service_or_url(self) -> None:
        named = DirectOptions(url="https://host/", server_name="a.b.svc").identity()
        plain = DirectOptions(url="https://host/").identity()
        assert (named.name, plain.name) == ("a.b.svc", "https://host/")


class TestFiles:
    def test_a_missing_ca_file(self, tmp_path: Path) -> None:
        self.rejects("cannot be read", ca_file=tmp_path / "absent")

    def test_a_ca_file_that_is_a_folder(self, tmp_path: Path) -> None:
        self.rejects("cannot be read", ca_file=tmp_path)

    def test_a_ca_file_without_a_certificate(self, tmp_path: Path) -> None:
        (tmp_path / "ca").write_text("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t")
        with pytest.raises(InputError) as caught:
            DirectTransport(DirectOptions(url="https://host/", ca_file=tmp_path / "ca"))
        assert "base64" in caught.value.hint

    def test_a_ca_file_and_no_verification(self, authority: Authority) -> None:
        with pytest.raises(InputError, match="switched off"):
            DirectTransport(
                DirectOptions(
                    url="https://host/", ca_file=authority.ca_file, insecure_skip_verify=True
                )
            )

    def test_a_key_of_another_certificate(self, authority: Authority) -> None:
        one, two = authority.issue("a"), authority.issue("b")
        self.rejects("does not belong", client_cert=one.cert_file, client_key=two.key_file)

    def test_a_missing_key(self, authority: Authority, tmp_path: Path) -> None:
        self.rejects(
            "client key .* cannot be read",
            client_cert=authority.issue("a").cert_file,
            client_key=tmp_path / "absent",
        )

    def test_a_key_without_its_certificate(self, authority: Authority) -> None:
        self.rejects("without its certificate", client_key=authority.issue("a").key_file)

    def test_a_certificate_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "cert").write_text("nothing")
        self.rejects("are no client certificate", client_cert=tmp_path / "cert")

    @staticmethod
    def rejects(
        words: str,
        *,
        ca_file: Path | None = None,
        client_cert: Path | None = None,
        client_key: Path | None = None,
    ) -> None:
        with pytest.raises(InputError, match=words):
            DirectTransport(
                DirectOptions(
                    url="https://host/",
                    ca_file=ca_file,
                    client_cert=client_cert,
                    client_key=client_key,
                )
            )

    def test_an_encrypted_key_is_refused_without_asking(
        self, authority: Authority, tmp_path: Path
    ) -> None:
        credential = authority.issue("a")
        key = serialization.load_pem_private_key(credential.key_file.read_bytes(), None)
        locked = tmp_path / "locked.key"
        locked.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"passphrase"),
            )
        )
        self.rejects("is encrypted", client_cert=credential.cert_file, client_key=locked)
