"""How does a long command of the build report progress, and what does its failure tell?"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.progress import Clock, Progress

POLL_SECONDS = 0.2
TAIL_LINES = 15
NETWORK_MARKS = (
    "dial tcp",
    "no such host",
    "i/o timeout",
    "TLS handshake timeout",
    "connection refused",
    "network is unreachable",
    "Max retries exceeded",
    "Failed to establish a new connection",
    "module lookup disabled by GOPROXY=off",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a command ended: exit status, what it printed (both streams), seconds it took."""

    status: int
    output: str
    seconds: float

    @property
    def tail(self) -> str:
        """The last lines of the output: where compilers and pip say what is wrong."""
        return "\n".join(self.output.strip().splitlines()[-TAIL_LINES:])

    @property
    def lacks_network(self) -> bool:
        """Whether the output reads like a download that could not be made."""
        return any(mark in self.output for mark in NETWORK_MARKS)


def run(
    command: Sequence[str | Path],
    *,
    doing: str,
    progress: Progress,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run a command to its end, saying `doing` with the elapsed time while it lasts.

    It is killed with this call (Ctrl-C, a test's timeout), so that no compiler is left running.
    """
    clock = Clock(doing, progress)
    with tempfile.TemporaryFile() as output:
        with subprocess.Popen(  # noqa: S603 - go and pip
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                status = _wait(process, clock)
            except BaseException:
                process.kill()
                raise
        output.seek(0)
        text = output.read().decode(errors="replace")
    clock.finish(f"{doing}: {'done' if status == 0 else 'failed'}")
    return Finished(status=status, output=text, seconds=clock.seconds)


def _wait(process: subprocess.Popen[bytes], clock: Clock) -> int:
    while True:
        try:
            return process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            clock.tick()
