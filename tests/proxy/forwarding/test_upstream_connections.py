"""Answers read from bytes alone, in any pieces, sound and spoilt."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from forwarded import ok
from webhook_fuzz.corpora.exchanges import CallFailure
from webhook_fuzz.proxy.forwarding.failures import Failed, Manner
from webhook_fuzz.proxy.forwarding.messages import Answer
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.forwarding.upstream_connections import UpstreamConnection


class FakeTransport(asyncio.Transport):
    """Takes everything, and notes that it was ended."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: object) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self if name == "socket" else default

    def fileno(self) -> int:
        return 0


@dataclass(slots=True)
class Endings:
    """What a call is told, in the order it is told."""

    answers: list[Answer] = field(default_factory=list[Answer])
    lost_ones: list[tuple[Failed, bytes]] = field(default_factory=list[tuple[Failed, bytes]])
    passed: bytes = b""
    relays: list[Manner] = field(default_factory=list[Manner])

    def answered(self, answer: Answer) -> None:
        self.answers.append(answer)

    def lost(self, failed: Failed, begun: bytes) -> None:
        self.lost_ones.append((failed, begun))

    def relayed(self, data: bytes, why: CallFailure) -> None:
        self.passed += data

    def relay_ended(self, manner: Manner) -> None:
        self.relays.append(manner)

    @property
    def count(self) -> int:
        return len(self.answers) + len(self.lost_ones) + len(self.relays)


def read(*pieces: bytes, options: ForwardingOptions | None = None) -> Endings:
    """What comes of an answer that arrives in these pieces, and then the connection ends."""
    endings = Endings()
    connection = UpstreamConnection(
        "webhook:443",
        options or ForwardingOptions(),
        authorization=None,
        on_lost=lambda _: None,
        on_free=lambda _: None,
    )
    transport = FakeTransport()
    connection.connection_made(transport)
    connection.ask(endings, b"", to_head=False)
    for piece in pieces:
        if not transport.aborted:
            connection.data_received(piece)
    connection.connection_lost(None)
    return endings


BODY = b'{"response":{"uid":"1","allowed":true}}'
SOUND = [
    ok(BODY, headers=[b"X-A: 1", b"Connection: keep-alive"]),
    b"HTTP/1.1 100 Continue\r\n\r\n" + ok(BODY),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (39, BODY),
    b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n" + BODY,
    b"HTTP/1.1 200 OK\nContent-Length: 39\n\n" + BODY,
]


@pytest.mark.parametrize("whole", SOUND)
@pytest.mark.parametrize("size", [1, 2, 7, 50, 1000])
async def test_an_answer_is_the_same_in_whatever_pieces_it_comes(whole: bytes, size: int) -> None:
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    (answer,) = read(*pieces).answers
    assert (answer.status, answer.reason, answer.body) == (200, b"OK", BODY)
    assert b"Content-Length: 39\r\n" in answer.block


async def test_ten_thousand_spoilt_answers_end_once_each_and_lose_no_byte() -> None:
    chance = random.Random(7)  # noqa: S311 - to be the same every time
    for _ in range(10_000):
        spoilt = bytearray(chance.choice(SOUND))
        for _ in range(chance.randrange(4)):
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        data = bytes(spoilt[: chance.randrange(len(spoilt) + 1)])
        cut = chance.randrange(len(data) + 1)
        endings = read(data[:cut], data[cut:])
        assert endings.count == 1
        if endings.lost_ones:
            assert endings.lost_ones[0][1] == data
        if endings.relays:
            assert data.startswith(endings.passed)


async def test_endless_headers_are_passed_on_and_not_kept() -> None:
    options = ForwardingOptions(head_limit=10_000)
    line = b"X-A: " + b"a" * 995 + b"\r\n"
    endings = read(b"HTTP/1.1 200 OK\r\n", *([line] * 50), options=options)
    assert endings.passed == b"HTTP/1.1 200 OK\r\n" + line * 50
    assert endings.relays == [Manner.CLOSE]
