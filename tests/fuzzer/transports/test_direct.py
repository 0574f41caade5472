import asyncio

import pytest

import hostile_servers as hostile
from authorities import Authority
from direct_calls import ANSWER, REVIEW, Serving, answers, failure_of, send_once
from hostile_servers import Conversation, serve_connections, serve_raw
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Answered, FailureKind
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport


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
