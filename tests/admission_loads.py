"""An API server's traffic at a bounded rate, every call of which is accounted for.

Each review has a uid and a pod of its own. What was answered is compared with what the webhook says
it received and sent, so that nothing can be lost or altered without being seen.
"""

import asyncio
import contextlib
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from authorities import Credential
from digesting_webhook import ANSWER, DIGEST_HEADER, digest

_TEMPLATE: Final = (
    b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"%b",'
    b'"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1",'
    b'"resource":"pods"},"requestKind":{"group":"","version":"v1","kind":"Pod"},'
    b'"requestResource":{"group":"","version":"v1","resource":"pods"},"name":"%b",'
    b'"namespace":"shop","operation":"CREATE","userInfo":{"username":"kubernetes-admin",'
    b'"groups":["system:authenticated"]},"object":{"kind":"Pod","apiVersion":"v1","metadata":'
    b'{"name":"%b","namespace":"shop","labels":{"app":"shop","number":"%b"}},"spec":{'
    b'"containers":[%b]}},"oldObject":null,"dryRun":false,"options":{"kind":"CreateOptions",'
    b'"apiVersion":"meta.k8s.io/v1"}}}'
)
_CONTAINER: Final = (
    b'{"name":"c%d","image":"registry.example.com/shop/app:1.4.%d","ports":[{"containerPort":8080,'
    b'"protocol":"TCP"}],"resources":{"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":'
    b'"100m","memory":"128Mi"}},"volumeMounts":[{"name":"data","mountPath":"/data"}],'
    b'"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"IfNotPresent"}'
)


def uid_of(number: int) -> str:
    """The uid of a review, as long as a real one."""
    return f"{number:08x}-feed-4bee-8bad-c0ffee000000"


def body_of(number: int, containers: int) -> bytes:
    """The review of a number; 18 containers make 7 kB."""
    name = b"pod-%d" % number
    listed = b",".join(_CONTAINER % (index, index) for index in range(containers))
    return _TEMPLATE % (uid_of(number).encode(), name, name, b"%d" % number, listed)


@dataclass(slots=True, kw_only=True)
class Account:
    """What came of every call: the digest of the answer, or None where none came.

    `altered` are those in which a byte was not what the other side had sent.
    """

    answers: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    altered: list[str] = field(default_factory=list[str])

    @property
    def answered(self) -> int:
        """How many calls had an answer."""
        return sum(answer is not None for answer in self.answers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many reviews, how many a second at most, over how many connections."""

    exchanges: int
    per_second: float
    connections: int = 8
    containers: int = 18


class Caller:
    """Sends a load to a listener, and keeps the account."""

    def __init__(
        self,
        load: Load,
        *,
        address: tuple[str, int],
        name: str,
        ca_file: Path,
        path: str = "/mutate",
    ) -> None:
        self.account = Account()
        self.stopped = asyncio.Event()
        self._load = load
        self._address = address
        self._name = name
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._head = (
            f"POST {path}?timeout=10s HTTP/1.1\r\nHost: {name}:443\r\n"
            "User-Agent: kube-apiserver-admission\r\nContent-Type: application/json\r\n"
        ).encode()
        self._next = 0
        self._started = 0.0
        self._milestones: dict[int, asyncio.Event] = {}

    async def reached(self, number: int) -> None:
        """Wait until that many calls were begun."""
        if self._next <= number:
            await self._milestones.setdefault(number, asyncio.Event()).wait()

    async def run(self) -> None:
        """Until all are sent, or `stopped` is set."""
        self._started = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._load.connections):
                tasks.create_task(self._converse())

    async def _converse(self) -> None:
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while (number := await self._take()) is not None:
            uid, body = uid_of(number), body_of(number, self._load.containers)
            self.account.answers[uid] = None
            try:
                if streams is None:
                    streams = await asyncio.open_connection(
                        *self._address, ssl=self._context, server_hostname=self._name
                    )
                ends = await self._call(streams, uid, body)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                ends = True
                await asyncio.sleep(0.01)  # whoever is away is not hammered
            if ends and streams is not None:
                streams[1].transport.abort()
                streams = None
        if streams is not None:
            streams[1].transport.abort()

    async def _take(self) -> int | None:
        if self._next >= self._load.exchanges or self.stopped.is_set():
            return None
        number = self._next
        self._next += 1
        if (milestone := self._milestones.pop(number, None)) is not None:
            milestone.set()
        early = self._started + number / self._load.per_second - time.monotonic()
        if early > 0:
            await asyncio.sleep(early)
        return number

    async def _call(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], uid: str, body: bytes
    ) -> bool:
        """Whether the connection ends with this call."""
        reader, writer = streams
        writer.write(self._head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        answer = await reader.readexactly(int(_header(head, b"content-length")))
        if head.startswith(b"http/1.1 200"):
            expected = ANSWER % (uid.encode(), digest(body))
            if answer != expected or _header(head, DIGEST_HEADER) != digest(answer):
                self.account.altered.append(uid)
            self.account.answers[uid] = digest(answer)
        return b"connection: close" in head


def _header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


class DigestingWebhook:
    """The webhook's process, which can be killed and started again at the same port."""

    def __init__(self, host: str, port: int, credential: Credential) -> None:
        self._arguments = (host, str(port), str(credential.cert_file), str(credential.key_file))
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Until it listens."""
        script = Path(__file__).with_name("digesting_webhook.py")
        self._process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, str(script), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        output = self._process.stdout
        assert output is not None
        assert await asyncio.to_thread(output.readline) == b"listening\n"

    async def kill(self) -> None:
        """At once, whatever it is doing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.wait)
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    async def restart(self) -> None:
        """Killed, and started again."""
        await self.kill()
        await self.start()


@contextlib.asynccontextmanager
async def digesting_webhook(
    host: str, port: int, credential: Credential
) -> AsyncGenerator[DigestingWebhook]:
    """One that listens, until the end of the block."""
    webhook = DigestingWebhook(host, port, credential)
    await webhook.start()
    try:
        yield webhook
    finally:
        await webhook.kill()


def memory_of_family(pid: int) -> float:
    """MiB a process and its descendants have for themselves (Pss of smaps_rollup)."""
    return sum(_memory(each) for each in family(pid)) / 1024


def family(pid: int) -> list[int]:
    """A process and its descendants, parents first."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]
    return [pid, *(each for child in children for each in family(child))]


def _memory(pid: int) -> int:
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0
