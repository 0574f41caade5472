"""When does a control plane answer, and why does it not?"""

import http.client
import json
import os
import select
import ssl
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.fuzzer.control_planes.leashes import Ending
from webhook_fuzz.fuzzer.control_planes.processes import log_tail

START_SECONDS = 60.0
"""Three or four are enough on an idle machine."""
POLL_SECONDS = 0.05
REQUEST_SECONDS = 5.0
READY_PATHS = ("/readyz", "/api/v1/namespaces/default")
"""The system namespaces are created shortly after `/readyz` is content."""
SERVICE_ACCOUNT_PATH = "/api/v1/namespaces/default/serviceaccounts/default"
TAKEN = "address already in use"


class ControlPlaneError(IncompleteRunError):
    """The control plane did not come up."""


class PortTakenError(ControlPlaneError):
    """Somebody else took the port in between: another one may do."""


class _Version(TypedDict):
    gitVersion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """A control plane on its way up: where it will answer, to which token, and who holds it.

    `logs` are those of the programs, in the order in which the leash was given them.
    """

    host: str
    port: int
    ca: Path
    token: str
    leash: subprocess.Popen[bytes]
    logs: Sequence[Path]


def wait_until_ready(starting: Starting, *paths: str) -> str:
    """Wait until all paths (and those of every control plane) answer 200; return the version.

    Raises PortTakenError or ControlPlaneError, with the end of the log that tells why.
    """
    deadline = time.monotonic() + START_SECONDS
    for path in (*READY_PATHS, *paths):
        while _get(starting, path) is None:
            _check_that_all_run(starting)
            if time.monotonic() > deadline:
                raise _late(starting, path)
            time.sleep(POLL_SECONDS)
    found = cast("_Version", json.loads(_get(starting, "/version") or b'{"gitVersion": ""}'))
    return found["gitVersion"]


def _get(starting: Starting, path: str) -> bytes | None:
    """The body of a 200, or nothing: until then every kind of failure is to be expected."""
    try:
        context = ssl.create_default_context(cafile=str(starting.ca))
        connection = http.client.HTTPSConnection(
            starting.host, starting.port, timeout=REQUEST_SECONDS, context=context
        )
        try:
            headers = {"Authorization": f"Bearer {starting.token}"}
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.read() if response.status == http.HTTPStatus.OK else None
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return None


def _check_that_all_run(starting: Starting) -> None:
    output = starting.leash.stdout
    if output is None or not select.select([output], [], [], 0)[0]:
        return
    said = os.read(output.fileno(), 4096)
    if not said:
        names = " and ".join(log.stem for log in starting.logs)
        raise ControlPlaneError(f"{names} ended before serving.\n{_tails(starting)}", hint=_HINT)
    raise _ended(starting, cast("Ending", json.loads(said)))


def _ended(starting: Starting, ending: Ending) -> ControlPlaneError:
    log = starting.logs[ending["program"]]
    tail = log_tail(log)
    kind = PortTakenError if TAKEN in tail else ControlPlaneError
    return kind(
        f"{log.stem} ended with status {ending['status']} instead of serving. "
        f"The end of its log:\n{tail}",
        hint=_HINT,
    )


def _late(starting: Starting, path: str) -> ControlPlaneError:
    return ControlPlaneError(
        f"The control plane did not answer {path} within {START_SECONDS:.0f} s.\n"
        f"{_tails(starting)}",
        hint=_HINT,
    )


def _tails(starting: Starting) -> str:
    return "\n".join(f"The end of {log.stem}'s log:\n{log_tail(log)}" for log in starting.logs)


_HINT = (
    "The log says why: an unknown flag or feature gate in the options, or a program of another "
    "version or platform than expected. On a machine that is very busy, try again."
)
