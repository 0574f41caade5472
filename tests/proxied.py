"""The proxy as its users run it: another process, started, listening, stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from admission_loads import family
from authorities import Credential
from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.proxy.routes import RouteTable
from webhook_fuzz.proxy.routes_files import dump_routes

START_SECONDS = 20.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProxy:
    """A proxy that listens; `log` is everything it prints."""

    process: subprocess.Popen[bytes]
    recording: Path
    log: Path

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STOP_SECONDS)

    def kill_family(self) -> None:
        """SIGKILL to every process of it, workers and recorder included."""
        for pid in reversed(family(self.process.pid)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def readable(self) -> Iterator[RecordedExchange]:
        """What can be read of the recording, damaged or not."""
        return iterate_recordings([self.recording], on_damage=lambda damage: None)

    def recorded(self) -> Iterator[RecordedExchange]:
        """What the recording holds; damage fails the test."""

        def on_damage(damage: object) -> None:
            raise AssertionError(f"the recording is damaged: {damage}")

        return iterate_recordings([self.recording], on_damage=on_damage)


@contextlib.contextmanager
def running_proxy(
    routes: RouteTable,
    *,
    folder: Path,
    address: tuple[str, int],
    credential: Credential,
    options: Sequence[str] = (),
) -> Generator[RunningProxy]:
    """`webhook-fuzz proxy` in front of the routes' webhooks, until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    routes_file, log, recording = folder / "routes.yaml", folder / "log", folder / "recording"
    routes_file.write_text(dump_routes(routes))
    host, port = address
    command: list[str | Path] = [
        *(sys.executable, "-m", "webhook_fuzz", "proxy"),
        *("--routes", routes_file, "--listen", f"{host}:{port}", "--recording", recording),
        *("--tls-cert", credential.cert_file, "--tls-key", credential.key_file),
        *options,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)  # noqa: S603 - ours
    proxy = RunningProxy(process=process, recording=recording, log=log)
    try:
        _wait(proxy, address)
        yield proxy
        if process.poll() is None:
            assert proxy.stop() == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait(proxy: RunningProxy, address: tuple[str, int]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
            return
        if proxy.process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the proxy does not listen:\n{proxy.log.read_text()}")
        time.sleep(0.05)
