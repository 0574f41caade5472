"""How does a sink get a process of its own, and how is it heard from?

Started with the sink's factory on standard input, told to end by closing it: so it also ends when
whoever started it is gone. What it counts comes back over its standard output.
"""

import asyncio
import contextlib
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.recordings.sinks import Count, SinkFactory
from webhook_fuzz.proxy.recorder.sink_programs import LENGTH, READY

_PROGRAM: Final = "webhook_fuzz.proxy.recorder.sink_programs"
_START_SECONDS: Final = 30.0
_KILL_SECONDS: Final = 5.0


class SinkProcess:
    """One sink in a process of its own; `folder` is private and holds its socket.

    A process made again with the same name and folder has the same `address`.
    """

    def __init__(self, name: str, factory: SinkFactory, *, folder: Path) -> None:
        self._factory = factory
        self.address = folder / f"{name}.sock"
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._counts: tuple[Count, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Until feeds can connect. Raises InputError where the sink cannot be opened."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends it in order
        )
        packed = pickle.dumps((sys.path, str(self.address), pickle.dumps(self._factory)))
        try:
            async with asyncio.timeout(_START_SECONDS):
                _input(process).write(LENGTH.pack(len(packed)) + packed)
                await _input(process).drain()
                state, message, hint = cast("tuple[str, str, str]", await self._read())
                if state == READY:
                    self._counts = cast("tuple[Count, ...]", await self._read())
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            await self._kill()
            raise InputError(
                f"the process of the sink {self.address.stem} did not start",
                hint="What it printed stands above; report it if it is no fault of this machine.",
            ) from error
        except BaseException:
            await self._kill()
            raise
        if state != READY:
            await process.wait()
            raise InputError(message, hint=hint)
        self._listening = asyncio.create_task(self._listen())

    def counts(self) -> Sequence[Count]:
        """What it reported last, about a second ago at most."""
        return self._counts

    async def stop(self, *, seconds: float) -> Sequence[Count]:
        """Let it work off what it was handed and close the sink; 0 seconds: end it at once."""
        process = self._process
        if process is None:
            return self._counts
        with contextlib.suppress(OSError):
            _input(process).close()
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            await self._kill()
        if self._listening is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._listening, _KILL_SECONDS)
        self.address.unlink(missing_ok=True)
        return self._counts

    async def _listen(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                self._counts = cast("tuple[Count, ...]", await self._read())

    async def _read(self) -> object:
        """One message of the process, which is this program itself."""
        output = self._process.stdout if self._process is not None else None
        if output is None:
            raise OSError("the process has no standard output")
        (length,) = LENGTH.unpack(await output.readexactly(LENGTH.size))
        found: object = pickle.loads(await output.readexactly(length))  # noqa: S301 - our own
        return found

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def _input(process: asyncio.subprocess.Process) -> asyncio.StreamWriter:
    if process.stdin is None:
        raise OSError("the process has no standard input")
    return process.stdin
