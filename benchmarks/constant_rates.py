"""How late are answers when requests come at a constant rate, whatever the server does?

h2load keeps the rate: a client of ours would take the processor the proxy is measured on. Each of
its connections sends again before the last answer is late for it only when answers take longer than
its interval; with as many connections as here that is some ten times the time that is aimed at, so
that no bad moment is left out that matters.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CONNECTIONS: Final = 128
_OK: Final = "200"
REVIEW_BYTES: Final = 7028
"""The size of a review of a usual pod, as the API server sends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """What came of a constant rate: requests sent and answered with 200, seconds until then."""

    sent: int
    answered: int
    median: float
    p99: float


def measure_lateness(
    program: str, url: str, body: Path, *, rate: float, seconds: float
) -> Lateness:
    """Send at this rate for so long; `program` is h2load. Raises RuntimeError for what fails."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [program, "--h1", "--data", str(body), "--log-file", str(log)]
        command += ["--header", "Content-Type: application/json"]
        command += ["--clients", str(_CONNECTIONS), "--duration", str(round(seconds))]
        command += ["--rps", f"{rate / _CONNECTIONS:.3f}", url]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed words
        rows = [line.split("\t") for line in log.read_text().splitlines()]
    return _lateness(rows)


def _lateness(rows: Sequence[Sequence[str]]) -> Lateness:
    """Rows are start, status and microseconds."""
    late = sorted(int(row[2]) / 1e6 for row in rows if row[1] == _OK)
    if not late:
        raise RuntimeError("h2load had no answer at all")
    return Lateness(
        sent=len(rows),
        answered=len(late),
        median=late[len(late) // 2],
        p99=late[len(late) * 99 // 100],
    )


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
