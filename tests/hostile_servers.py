"""TLS servers that misbehave below AdmissionReview: each takes a request and does one thing wrong.

`serve_raw(behaviour, context)` runs one on 127.0.0.1; a behaviour gets the stream after the
request (headers and body) has been read. What was received and sent is counted.
"""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass, field

Behaviour = Callable[["Conversation"], Awaitable[None]]
ConnectionHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Conversation:
    """One request on one connection, and the streams to answer it."""

    head: str
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "HostileServer"

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        self.server.bytes_sent += len(data)

    async def answer(self, body: bytes, *, status: str = "200 OK", headers: str = "") -> None:
        """A well-formed HTTP answer; `headers` are further lines, each ending in CRLF."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.send(head.encode() + body)


@dataclass(slots=True, kw_only=True)
class HostileServer:
    """A running server: its port and what it has seen."""

    port: int = 0
    connections: int = 0
    bytes_sent: int = 0
    requests: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    def url(self, path: str = "/mutate", host: str = "127.0.0.1") -> str:
        return f"https://{host}:{self.port}{path}"


@contextlib.asynccontextmanager
async def serve_connections(
    handler: ConnectionHandler,
    context: ssl.SSLContext | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncGenerator[int]:
    """The port of a server that hands every connection to `handler` and leaves nothing behind."""
    tasks, writers = set[asyncio.Task[None]](), list[asyncio.StreamWriter]()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(converse, host, port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # connection_lost of the aborted transports


@contextlib.asynccontextmanager
async def serve_raw(
    behaviour: Behaviour,
    context: ssl.SSLContext | None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncGenerator[HostileServer]:
    """Serve with `behaviour`, on a free port unless told; without `context` in plain text."""
    hostile = HostileServer()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hostile.connections += 1
        while not writer.is_closing():
            head, body = await _read_request(reader)
            hostile.requests.append((head, body))
            await behaviour(
                Conversation(head=head, body=body, reader=reader, writer=writer, server=hostile)
            )

    async with serve_connections(converse, context, host=host, port=port) as found:
        hostile.port = found
        yield hostile


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(
        (
            int(line[15:])
            for line in head.split("\r\n")
            if line.lower().startswith("content-length")
        ),
        0,
    )
    return head, await reader.readexactly(length)


@contextlib.contextmanager
def demanding_client_certificates(context: ssl.SSLContext) -> Generator[int]:
    """The port of a server that answers only those who show a certificate.

    In a thread, with blocking sockets: asyncio closes a failed handshake without the TLS alert
    that every other server sends.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_all, args=(listener, context), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def _answer_all(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return  # shut down: the test is over
        with plain:
            plain.settimeout(2)
            with contextlib.suppress(OSError):
                _answer_one(plain, context)


def _answer_one(plain: socket.socket, context: ssl.SSLContext) -> None:
    spare = plain.dup()
    with spare:
        try:
            with context.wrap_socket(plain, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except ssl.SSLError:
            spare.shutdown(socket.SHUT_WR)
            while spare.recv(65536):  # or the kernel would answer unread bytes with a reset
                pass


def closed_port() -> int:
    """A port on 127.0.0.1 nobody listens on (it was just free)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def never_answers(_: Conversation) -> None:
    await asyncio.sleep(60)


async def stalls_after_headers(talk: Conversation) -> None:
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await asyncio.sleep(60)


async def closes_before_answering(talk: Conversation) -> None:
    talk.writer.close()


async def resets_before_answering(talk: Conversation) -> None:
    """RST instead of FIN: SO_LINGER with 0 seconds."""
    raw = talk.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.writer.transport.abort()


async def closes_in_the_middle(talk: Conversation) -> None:
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    talk.writer.close()


async def closes_between_chunks(talk: Conversation) -> None:
    await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    talk.writer.close()


async def talks_garbage(talk: Conversation) -> None:
    await talk.send(b"\x00\x01\x02 this is not HTTP\r\n\r\n")
    talk.writer.close()


def answers_endlessly(total: int) -> Behaviour:
    """A chunked answer of `total` bytes, sent as fast as it is read."""

    async def behave(talk: Conversation) -> None:
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"x" * 65536
        for _ in range(total // len(piece)):
            await talk.send(b"10000\r\n" + piece + b"\r\n")
        await talk.send(b"0\r\n\r\n")

    return behave


def gzip_bomb(unpacked: int) -> Behaviour:
    """`unpacked` zero bytes, which gzip makes about a thousand times smaller."""
    packed = gzip.compress(bytes(unpacked))

    async def behave(talk: Conversation) -> None:
        await talk.answer(packed, headers="Content-Encoding: gzip\r\n")

    return behave
