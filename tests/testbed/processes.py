"""How does a test start a real program and be sure that it is gone afterwards?

Every program here ends when its standard input closes (see leashes.py for those that would not
by themselves): closing the pipe is the polite way to stop it, and what happens by itself when the
test run is killed.
"""

import http.client
import os
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from webhook_fuzz.corpora.errors import IncompleteRunError

START_SECONDS = 20.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02
LOG_LINES = 15
LEASH = Path(__file__).with_name("leashes.py")


class StartError(IncompleteRunError):
    """A program of the testbed did not start, or did not answer in time."""


def leashed(command: Sequence[str | Path]) -> list[str | Path]:
    """The command for a program that does not watch its standard input itself."""
    return [sys.executable, "-I", LEASH, *command]


@contextmanager
def started(command: Sequence[str | Path], *, log: Path) -> Generator[subprocess.Popen[bytes]]:
    """Run a program while the block lasts; its standard error goes to `log`."""
    with log.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - what we built
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    if not _ends(process):
        process.terminate()
        if not _ends(process):
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _ends(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def first_line(process: subprocess.Popen[bytes], *, log: Path) -> bytes:
    """The first line a program prints. Raises StartError when it prints none in time."""
    output = process.stdout
    if output is None:
        raise ValueError("the program's standard output is not a pipe")
    line = b""
    deadline = time.monotonic() + START_SECONDS
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
        read = os.read(output.fileno(), 65536) if ready else b""
        if not read:
            raise start_error(process, "printed no address", log=log)
        line += read
    return line


def wait_until_healthy(
    process: subprocess.Popen[bytes], base_url: str, context: ssl.SSLContext, *, log: Path
) -> None:
    """Wait until `/healthz` answers 200. Raises StartError when the program ends or it lasts."""
    deadline = time.monotonic() + START_SECONDS
    while not _healthy(base_url, context):
        if process.poll() is not None or time.monotonic() > deadline:
            raise start_error(process, f"did not answer at {base_url}/healthz", log=log)
        time.sleep(POLL_SECONDS)


def _healthy(base_url: str, context: ssl.SSLContext) -> bool:
    address = urlsplit(base_url)
    connection = http.client.HTTPSConnection(
        address.hostname or "", address.port, timeout=1, context=context
    )
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def start_error(process: subprocess.Popen[bytes], what: str, *, log: Path) -> StartError:
    """An error with the end of the program's log."""
    status = process.poll()
    state = "is still running" if status is None else f"ended with status {status}"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    return StartError(
        f"{process.args!r}: {what} within {START_SECONDS:.0f} s and {state}.\n{tail}",
        hint=f"The whole log is in {log}; run the command by hand to see more.",
    )
