"""A forwarding server on a free port, with a raw client before it and any webhook behind it."""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from authorities import LOOPBACK, Authority
from hostile_servers import serve_connections
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.forwarding.servers import ForwardingServer
from webhook_fuzz.proxy.observers import Observer
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream

IDENTITY = WebhookIdentity(
    configuration="injector", name="inject.example.com", url="https://inject.example.com/mutate"
)
REVIEW = b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1"}}\n'


@dataclass(slots=True)
class Seeing:
    """Keeps what it is told."""

    exchanges: list[RawExchange] = field(default_factory=list[RawExchange])

    def observe(self, exchange: RawExchange) -> None:
        self.exchanges.append(exchange)


@dataclass(frozen=True, slots=True)
class Authorities:
    """One for the proxy's certificate, one for the webhooks', and contexts for both."""

    proxy: Authority
    webhook: Authority

    @classmethod
    def make(cls, folder: Path) -> "Authorities":
        return cls(Authority(folder / "proxy"), Authority(folder / "webhook"))

    def webhook_context(self, *names: str) -> ssl.SSLContext:
        return self.webhook.issue(*(names or LOOPBACK)).server_context()

    def upstream(self, port: int, *, webhook: WebhookIdentity = IDENTITY) -> Upstream:
        """The webhook at a port of 127.0.0.1."""
        return Upstream(
            webhook=webhook,
            host="127.0.0.1",
            port=port,
            server_name="localhost",
            ca_pem=self.webhook.ca_file.read_bytes(),
        )

    def route(self, port: int) -> Route:
        """Everything, to the webhook at a port of 127.0.0.1."""
        return Route(upstream=self.upstream(port))


@dataclass(slots=True, kw_only=True)
class Answered:
    """An answer as it came: the head's lines, and the body without its framing."""

    status_line: bytes
    headers: list[bytes]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.status_line.split(b" ")[1])


class RawClient:
    """A connection to the proxy that sends exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, data: bytes) -> Answered:
        await self.send(data)
        return await self.answer()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Answered:
        """The next answer; its body has to have a length."""
        head = (await self.reader.readuntil(b"\r\n\r\n"))[:-4]
        status_line, *headers = head.split(b"\r\n")
        lengths = [line for line in headers if line.lower().startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        body = await self.reader.readexactly(length)
        return Answered(status_line=status_line, headers=headers, body=body)

    async def ended(self) -> bytes | None:
        """Everything until the connection ends; None when it ends with a reset."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return None


@dataclass(slots=True)
class Forwarded:
    """A server that forwards, and everything it told its observer."""

    server: ForwardingServer
    seen: Seeing
    port: int
    authorities: Authorities

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authorities.proxy.ca_file)

    @contextlib.asynccontextmanager
    async def client(self, server_name: str = "localhost") -> AsyncGenerator[RawClient]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.client_context(), server_hostname=server_name
        )
        try:
            yield RawClient(reader, writer)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    async def until(self, count: int) -> list[RawExchange]:
        """The exchanges, when there are so many."""
        async with asyncio.timeout(5):
            while len(self.seen.exchanges) < count:  # noqa: ASYNC110 - observers set no event
                await asyncio.sleep(0.002)
        return self.seen.exchanges


@dataclass(slots=True)
class RawWebhook:
    """A webhook that answers with the next of `answers` (the last one for ever), as raw bytes."""

    answers: list[bytes]
    port: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = re.findall(rb"(?im)^content-length: *(\d+)", head)
            body = await reader.readexactly(int(lengths[0]) if lengths else 0)
            self.requests.append(head + body)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            writer.write(answer)
            await writer.drain()
            if b"\r\nConnection: close" in answer:
                return


@contextlib.asynccontextmanager
async def raw_webhook(
    authorities: Authorities, *answers: bytes, names: Sequence[str] = LOOPBACK
) -> AsyncGenerator[RawWebhook]:
    """A webhook on a free port that sends exactly these answers."""
    webhook = RawWebhook([*answers])
    context = authorities.webhook_context(*names)
    async with serve_connections(webhook.converse, context) as webhook.port:
        yield webhook


def ok(body: bytes = b'{"response":{}}', *, headers: Sequence[bytes] = ()) -> bytes:
    """An answer as a webhook sends it, with further headers."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def post(
    path: str = "/mutate?timeout=5s", body: bytes = REVIEW, headers: Sequence[bytes] = ()
) -> bytes:
    """A request as the API server sends it, with further headers."""
    lines = [
        b"POST %b HTTP/1.1" % path.encode(),
        b"Host: inject.example.svc:443",
        b"User-Agent: kube-apiserver-admission",
        b"Content-Length: %d" % len(body),
        b"Accept: application/json, */*",
        b"Content-Type: application/json",
        b"Accept-Encoding: gzip",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def everybody(_: str) -> bool:
    return True


@contextlib.asynccontextmanager
async def forwarding(
    authorities: Authorities,
    *routes: Route,
    observers: Sequence[Observer] = (),
    options: ForwardingOptions | None = None,
    admits: Callable[[str], bool] = everybody,
    names: Sequence[str] = LOOPBACK,
) -> AsyncGenerator[Forwarded]:
    """A server with these routes until the end of the block; nothing of it is left then."""
    seen = Seeing()
    server = ForwardingServer(
        routes=RouteTable.of(routes),
        observers=(*observers, seen),
        options=options or ForwardingOptions(),
    )
    listening = socket.create_server(("127.0.0.1", 0))
    port: int = listening.getsockname()[1]
    context = authorities.proxy.issue(*names).server_context()
    await server.start([listening], context, admits=admits)
    try:
        yield Forwarded(server, seen, port, authorities)
    finally:
        await server.drain(0.05)
