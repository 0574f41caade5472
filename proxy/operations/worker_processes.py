"""How is a worker process started, and what is known of it?"""

import asyncio
import socket
import sys
import time
from collections.abc import Sequence

from webhook_fuzz.corpora.errors import IncompleteRunError, InputError
from webhook_fuzz.proxy.operations.channels import Channel
from webhook_fuzz.proxy.operations.messages import (
    Configuration,
    Failed,
    FromWorker,
    Listening,
    Report,
    ToWorker,
)

_MODULE = "webhook_fuzz.proxy.operations.workers"


class WorkerProcess:
    """A worker that runs, or ran. `report` is the newest it sent; `heard_at` is monotonic."""

    def __init__(
        self, process: asyncio.subprocess.Process, channel: Channel[ToWorker, FromWorker]
    ) -> None:
        self._process, self._channel = process, channel
        self._listening = asyncio.Event()
        self._failure: Failed | None = None
        self.report: Report | None = None
        self.started_at = self.heard_at = time.monotonic()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def spawn(
        cls, configuration: Configuration, sockets: Sequence[socket.socket]
    ) -> "WorkerProcess":
        """Start one; it says itself when it listens."""
        ours, theirs = socket.socketpair()
        inherited = [theirs.fileno(), *(each.fileno() for each in sockets)]
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _MODULE,
                *map(str, inherited),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=inherited,
            )
        except OSError as error:
            ours.close()
            raise IncompleteRunError(
                f"a worker cannot be started: {error.strerror}",
                hint="Take fewer --workers, or look at the limits of this machine.",
            ) from error
        finally:
            theirs.close()
        worker = cls(process, await Channel[ToWorker, FromWorker].open(ours))
        worker.send(configuration)
        return worker

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_listening(self) -> bool:
        """Whether it takes connections, or took them until it ended."""
        return self._listening.is_set()

    def send(self, message: ToWorker) -> None:
        """Tell it, if it is still there."""
        self._channel.send(message)

    async def wait_until_listening(self) -> None:
        """Raises InputError for what it cannot be started with, IncompleteRunError otherwise."""
        listening = asyncio.create_task(self._listening.wait())
        try:
            await asyncio.wait({listening, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            listening.cancel()
        if self._failure is not None:
            raise InputError(self._failure.message, hint=self._failure.hint)
        if not self.is_listening:
            raise IncompleteRunError(
                "a worker ended before it listened",
                hint="What it wrote to standard error says why.",
            )

    async def wait(self) -> int:
        """Its exit status, once it has ended and all it said was heard."""
        status = await self._process.wait()
        await self._reading
        return status

    def kill(self) -> None:
        """End it at once."""
        if self._process.returncode is None:
            self._process.kill()

    async def _read(self) -> None:
        while True:
            message = await self._channel.receive()
            self.heard_at = time.monotonic()
            match message:
                case Listening():
                    self._listening.set()
                case Report():
                    self.report = message
                case Failed():
                    self._failure = message
                case None:
                    self._channel.close()
                    return
