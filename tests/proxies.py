"""Proxies that run with all their processes, before a webhook of the test, and calls to them."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
import orjson

from authorities import Authority
from served_webhooks import serve_at
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.sinks import Sink
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program
from webhook_fuzz.fuzzer.specimens.replies import build_response, reply
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream

SECRET = "hunter2-of-a-pod"
"""In every review that is sent."""


def review(uid: str) -> bytes:
    """A review of a pod with a secret."""
    environment = [{"name": "PASSWORD", "value": SECRET}]
    pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "env": environment}]}}
    request = {"uid": uid, "operation": "CREATE", "object": pod}
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return orjson.dumps(body)


def allow(sent: JsonObject) -> Answer:
    """A webhook that allows everything and changes nothing."""
    return reply(build_response(sent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook that is served, and the uids it was asked with."""

    port: int
    ca_file: Path
    uids: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://127.0.0.1:{self.port}"

    def routes(self, name: str = "web") -> RouteTable:
        """All paths to it."""
        identity = WebhookIdentity(configuration="direct", name=name, url=self.url)
        upstream = Upstream(
            webhook=identity,
            host="127.0.0.1",
            port=self.port,
            server_name="127.0.0.1",
            ca_pem=self.ca_file.read_bytes(),
        )
        return RouteTable.of([Route(upstream=upstream)])


@asynccontextmanager
async def serve_webhook(folder: Path, program: Program = allow) -> AsyncGenerator[Webhook]:
    """A webhook on a free port of 127.0.0.1."""
    authority = Authority(folder)
    uids: list[str] = []

    def remember(sent: JsonObject) -> Answer:
        request = sent.get("request")
        uids.append(str(request.get("uid")) if isinstance(request, dict) else "")
        return program(sent)

    names = ("127.0.0.1", "localhost")
    async with serve_at("127.0.0.1", 0, remember, authority=authority, names=names) as port:
        yield Webhook(port=port, ca_file=authority.ca_file, uids=uids)


@dataclass(slots=True, kw_only=True)
class Caller:
    """Calls a proxy as an API server does; `answered` are the uids that had an answer of 200."""

    url: str
    session: aiohttp.ClientSession
    tls: ssl.SSLContext
    answered: list[str] = field(default_factory=list[str])

    @classmethod
    @asynccontextmanager
    async def open(cls, address: object, ca_pem: bytes) -> AsyncGenerator[Self]:
        """Calls to `address`, verified against the authority."""
        tls = ssl.create_default_context(cadata=ca_pem.decode())
        async with aiohttp.ClientSession() as session:
            yield cls(url=f"https://{address}/mutate?timeout=5s", session=session, tls=tls)

    async def call(self, uid: str) -> int:
        """The status of one call."""
        async with self.session.post(self.url, data=review(uid), ssl=self.tls) as answer:
            body = await answer.read()
        if answer.status == 200 and orjson.loads(body)["response"]["uid"] == uid:
            self.answered.append(uid)
        return answer.status

    async def call_on(self, name: str) -> None:
        """One call after the other until the proxy takes no more."""
        number = 0
        with suppress(aiohttp.ClientError, ConnectionError):
            while True:
                number += 1
                if await self.call(f"{name}-{number}") != 200:
                    return


async def get(address: object, path: str) -> tuple[int, str]:
    """What the admin server answers."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as answer:
        return answer.status, await answer.text()


async def until(holds: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def children_of(pid: int) -> set[int]:
    """The processes whose parent is `pid`, as the kernel lists them."""
    found: set[int] = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.add(int(file.parent.name))
    return found


def refuse() -> Sink:
    """A sink factory that has a reason; importable, so that it can be pickled."""
    raise InputError("this recording is of another version", hint="Choose another folder.")


def read_recording(folder: Path) -> list[RecordedExchange]:
    """What a recording holds, which must be readable to its end; nothing if it was never begun."""
    if not any(folder.glob("*.zst*")):
        return []
    damages: list[object] = []
    found = [*iterate_recordings([folder], on_damage=damages.append)]
    assert damages == []
    return found


def recorded_uids(folder: Path) -> list[str]:
    """The uids of the reviews in it."""
    requests = (each.exchange.review.get("request") for each in read_recording(folder))
    return [str(each.get("uid")) if isinstance(each, dict) else "" for each in requests]
