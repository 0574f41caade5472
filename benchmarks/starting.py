"""How long does the command line take to start?

Wall time of whole processes, beside a Python that does nothing: what is above that is ours.
"""

import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit, alternate

_COMMANDS = ("--help", "version")


def measure(effort: Effort) -> Iterator[Figure]:
    """Seconds from start to end, once a round."""
    program = str(Path(sysconfig.get_path("scripts")) / "webhook-fuzz")
    for argument in _COMMANDS:
        ours, other = alternate(
            partial(_seconds, [program, argument]),
            partial(_seconds, [sys.executable, "-c", "pass"]),
            effort,
        )
        yield Figure(
            name=f"webhook-fuzz {argument}",
            other_name="python -c pass",
            unit=Unit.SECONDS,
            ours=ours,
            other=other,
            goal=Goal(of=Measured.OURS, bound=0.3),
        )


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    return time.perf_counter() - started
