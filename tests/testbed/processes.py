"""How does a test start a real program and be sure that it is gone afterwards?

Starting and stopping is the product's own (control_planes/processes.py): every program here ends
when its standard input closes, which is what happens by itself when the test run is killed. This
module knows when a webhook of the testbed is up.
"""

import http.client
import os
import select
import ssl
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.fuzzer.control_planes.processes import log_tail

START_SECONDS = 20.0
POLL_SECONDS = 0.02


class StartError(IncompleteRunError):
    """A program of the testbed did not start, or did not answer in time."""


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
    return StartError(
        f"{process.args!r}: {what} within {START_SECONDS:.0f} s and {state}.\n{log_tail(log)}",
        hint=f"The whole log is in {log}; run the command by hand to see more.",
    )
