"""What runs in the process of a sink?

One thread: it takes exchanges from the workers' connections as fast as the sink is, no faster, and
says how many it has taken. It runs at a lower priority, so that reviews come first on a busy core.
Signals of a terminal or a service manager do not end it: it ends when whoever started it says so
or is gone, after it has worked off what is in the connections.
"""

import contextlib
import logging
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import BinaryIO, Final

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.corpora.recordings.sinks import Count, Sink, SinkFactory
from webhook_fuzz.proxy.recorder.feeds import ACKNOWLEDGEMENT
from webhook_fuzz.proxy.recorder.frames import FrameError, FrameReader

LOGGER: Final = logging.getLogger(__name__)
LENGTH: Final = struct.Struct("<I")
READY: Final = "ready"
REFUSED: Final = "refused"
_NICENESS: Final = 10
_TICK_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 1.0
"""At the end: so long nothing came from a connection that is still open."""
_READ_BYTES: Final = 256 * 2**10


def main() -> None:
    """Run the sink that standard input describes; messages go to standard output."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    requests, reports = sys.stdin.buffer, _take_standard_output()
    # Standard input comes from the process that started this one, and from nobody else.
    search_path, address, packed = pickle.loads(_read_message(requests))  # noqa: S301
    sys.path[:] = search_path
    factory: SinkFactory = pickle.loads(packed)  # noqa: S301
    try:
        sink = factory()
        listener = _listen(Path(address))
    except InputError as error:
        _send(reports, (REFUSED, error.message, error.hint))
        return
    os.nice(_NICENESS)
    _send(reports, (READY, "", ""))
    _Server(sink, listener, requests, reports).run()


def _take_standard_output() -> BinaryIO:
    """Standard output for messages only; whatever prints does it on standard error."""
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return reports


def _listen(address: Path) -> socket.socket:
    address.unlink(missing_ok=True)  # of a process that died
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(address))
    except OSError as error:
        raise InputError(
            f"no socket can be made at {address}: {error}",
            hint="Set TMPDIR to a folder with a short path that can be written to.",
        ) from error
    address.chmod(0o600)
    listener.listen()
    listener.setblocking(False)  # noqa: FBT003 - positional only
    return listener


class _Server:
    """Reads connections in turns until it is told to end."""

    def __init__(
        self, sink: Sink, listener: socket.socket, requests: BinaryIO, reports: BinaryIO
    ) -> None:
        self._sink = sink
        self._listener = listener
        self._requests = requests
        self._reports = reports
        self._selector = selectors.DefaultSelector()
        self._connections: set[_Connection] = set()
        self._ending = False
        self._failed = 0

    def run(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._requests, selectors.EVENT_READ)
        self._report()  # the first, which whoever started this waits for
        next_tick = time.monotonic() + _TICK_SECONDS
        last_read = time.monotonic()
        while not self._is_done(last_read):
            if self._turn(max(0.0, min(next_tick - time.monotonic(), 0.1 if self._ending else 9))):
                last_read = time.monotonic()
            if time.monotonic() >= next_tick:
                self._tick()
                next_tick = time.monotonic() + _TICK_SECONDS
        self._sink.close()
        self._report()

    def _is_done(self, last_read: float) -> bool:
        if not self._ending:
            return False
        return not self._connections or time.monotonic() - last_read > _IDLE_SECONDS

    def _turn(self, seconds: float) -> bool:
        has_read = False
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._requests:
                # Anything that is said, and the end of whoever would say it, means to end.
                self._selector.unregister(self._requests)
                self._accept()
                self._ending = True
            else:
                has_read |= self._read(key.data)
        return has_read

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:  # nobody waits, or there are no more descriptors: later
                return
            accepted.setblocking(False)  # noqa: FBT003 - positional only
            connection = _Connection(accepted)
            self._connections.add(connection)
            self._selector.register(accepted, selectors.EVENT_READ, connection)

    def _read(self, connection: "_Connection") -> bool:
        chunk = connection.receive()
        if chunk is None:
            return False
        try:
            for exchange in connection.frames.feed(chunk):
                self._take(exchange)
                connection.taken += 1
        except FrameError as error:
            LOGGER.warning("a worker was cut off: it sent %s", error)
            chunk = b""
        if chunk:
            connection.acknowledge()
            return True
        connection.acknowledge()
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._connections.discard(connection)
        return False

    def _take(self, exchange: RawExchange) -> None:
        try:
            self._sink.take(exchange)
        # A sink promises not to raise; one that does loses the exchange, not the others.
        except Exception as error:  # noqa: BLE001
            self._failed += 1
            LOGGER.warning("an exchange could not be taken: %s", type(error).__name__)

    def _tick(self) -> None:
        self._sink.tick(time.time())
        self._report()

    def _report(self) -> None:
        failed = Count(name="exchanges_failed", value=self._failed)
        with contextlib.suppress(OSError):  # nobody is left to be told
            _send(self._reports, (*self._sink.counts(), failed))


class _Connection:
    """One worker's connection."""

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.frames = FrameReader()
        self.taken = 0
        self._acknowledged = 0

    def receive(self) -> bytes | None:
        """What has come: empty at the end, None where nothing has."""
        try:
            return self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def acknowledge(self) -> None:
        """Say how many were taken; a worker that does not read learns of it with the next."""
        if self.taken == self._acknowledged:
            return
        with contextlib.suppress(OSError):
            self.socket.send(ACKNOWLEDGEMENT.pack(self.taken))
            self._acknowledged = self.taken


def _read_message(stream: BinaryIO) -> bytes:
    (length,) = LENGTH.unpack(stream.read(LENGTH.size))
    return stream.read(length)


def _send(stream: BinaryIO, message: object) -> None:
    packed = pickle.dumps(message)
    stream.write(LENGTH.pack(len(packed)) + packed)
    stream.flush()


if __name__ == "__main__":
    main()
