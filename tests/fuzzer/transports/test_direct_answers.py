import asyncio
import gzip
import time
import zlib

import pytest

import hostile_servers as hostile
from authorities import Authority
from direct_calls import ANSWER, REVIEW, Serving, answers, failure_of, options_for, send_once
from hostile_servers import Behaviour, Conversation
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, FailureKind
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport


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
