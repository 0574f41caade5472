"""How late are answers when requests come at a constant rate, whatever the server does?

A request's time counts from when it was to be sent: one that had to wait because those before it
were late is late itself. (A client that only sends when it has its answer would leave out exactly
the bad moments.) A process of its own: `python -m benchmarks.constant_rates PORT CA RATE SECONDS`
writes one line of JSON.
"""

import asyncio
import gc
import json
import ssl
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

_ROOT: Final = Path(__file__).parents[1]
_CONNECTIONS: Final = 32
_TICK_SECONDS: Final = 0.001
_PATIENCE_SECONDS: Final = 5.0
REVIEW_BYTES: Final = 7028
"""The size of a review of a usual pod, as the API server sends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """What came of a constant rate: answers, those that never came, and seconds until them."""

    sent: int
    answered: int
    median: float
    p99: float


def measure_lateness(port: int, ca_file: Path, *, rate: float, seconds: float) -> Lateness:
    """Send at this rate, in another process."""
    command = [sys.executable, "-m", "benchmarks.constant_rates"]
    command += [str(port), str(ca_file), str(rate), str(seconds)]
    done = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE)  # noqa: S603 - ours
    return Lateness(**json.loads(done.stdout))


def build_review() -> bytes:
    """The body of a review of the usual size: a pod with one long environment variable."""
    uid = "00000000-0000-4000-8000-000000000000"
    container = {"name": "app", "image": "app:1", "env": [{"name": "A", "value": ""}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [container]}}
    request = {"uid": uid, "operation": "CREATE", "namespace": "default", "object": pod}
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    missing = REVIEW_BYTES - len(json.dumps(review))
    container["env"] = [{"name": "A", "value": "x" * missing}]
    return json.dumps(review).encode()


class _Connection(asyncio.Protocol):
    """Sends one request at a time; all answers are as long as the first."""

    def __init__(self, on_answer: Callable[["_Connection"], None]) -> None:
        self.intended = 0.0
        self._on_answer = on_answer
        self._expected = self._received = 0
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, data: bytes, intended: float) -> None:
        self.intended = intended
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if not self._expected:
            self._head += data
            self._expected = _length_of(self._head)
        if self._expected and self._received >= self._expected:
            self._received = 0
            self._on_answer(self)


def _length_of(answer: bytes) -> int:
    head, end, _ = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if end and line.startswith(b"content-length:"):
            return len(head) + len(end) + int(line[15:])
    return 0


class _Load:
    """Requests that are due, and connections that are free."""

    def __init__(self, request: bytes) -> None:
        self.late = list[float]()
        self.free = list[_Connection]()
        self._due = deque[float]()
        self._request = request

    def add(self, intended: float) -> None:
        self._due.append(intended)
        self._send()

    def answered(self, connection: _Connection) -> None:
        self.late.append(time.perf_counter() - connection.intended)
        self.free.append(connection)
        self._send()

    def _send(self) -> None:
        while self._due and self.free:
            self.free.pop().send(self._request, self._due.popleft())


async def _run(port: int, ca_file: str, rate: float, seconds: float) -> Lateness:
    body = build_review()
    head = (
        f"POST /mutate?timeout=10s HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "User-Agent: kube-apiserver-admission\r\nAccept: application/json, */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Accept-Encoding: gzip\r\n\r\n"
    )
    load = _Load(head.encode() + body)
    context = ssl.create_default_context(cafile=ca_file)
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []
    for _ in range(_CONNECTIONS):
        _, connection = await loop.create_connection(
            lambda: _Connection(load.answered), "127.0.0.1", port, ssl=context
        )
        connections.append(connection)
    load.free += connections
    sent = await _send_at(load, rate, seconds)
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    while len(load.late) < sent and time.perf_counter() < deadline:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.01)
    for connection in connections:
        connection.close()
    late = sorted(load.late) or [float("inf")]
    return Lateness(
        sent=sent,
        answered=len(load.late),
        median=late[len(late) // 2],
        p99=late[len(late) * 99 // 100],
    )


async def _send_at(load: _Load, rate: float, seconds: float) -> int:
    start, total, sent = time.perf_counter(), int(rate * seconds), 0
    while sent < total:
        due = min(total, int((time.perf_counter() - start) * rate) + 1)
        for number in range(sent, due):
            load.add(start + number / rate)
        sent = max(sent, due)
        await asyncio.sleep(_TICK_SECONDS)
    return sent


def _main(port: str, ca_file: str, rate: str, seconds: str) -> None:
    import uvloop  # noqa: PLC0415 - not there for every system

    gc.disable()  # a pause of the client's is not the server's
    work = _run(int(port), ca_file, float(rate), float(seconds))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(work))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
