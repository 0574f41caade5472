"""What do `doctor`, `lint` and `webhooks` cost on a cluster of 1,000 nodes and 300 webhooks?

Whole processes, beside one that fetches the same answers over HTTP and drops them.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import yaml

from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit, alternate

_BOUNDS = ((Unit.SECONDS, 30.0), (Unit.MEBIBYTES, 300.0))
_SIZES = (1_000, 10_000)
_QUICK_SIZES = (20, 100)
_OTHER = "aiohttp client that drops the answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What a process cost: wall time, and its peak of resident memory."""

    seconds: float
    mebibytes: float


def measure(effort: Effort) -> Iterator[Figure]:
    """Seconds and MiB of a whole examination."""
    nodes, pods = _SIZES if effort.rounds > 1 else _QUICK_SIZES
    program = str(Path(sysconfig.get_path("scripts")) / "webhook-fuzz")
    with tempfile.TemporaryDirectory() as folder, _cluster(nodes, pods) as url:
        kubeconfig = _write_kubeconfig(Path(folder) / "kubeconfig", url)
        at = ["--kubeconfig", str(kubeconfig)]
        commands = {
            f"doctor on {nodes} nodes and {pods} pods": ["doctor", *at, "--fail-on", "never"],
            "lint of 300 webhooks": ["lint", *at, "--no-dial", "--fail-on", "never"],
            "webhooks, 300 of them": ["webhooks", *at, "--no-dial"],
        }
        for (name, command), (unit, bound) in product(commands.items(), _BOUNDS):
            ours = [program, *command]
            whole = command[0] == "doctor"
            other = [sys.executable, "-m", "benchmarks.fetching", url, str(nodes if whole else 0)]
            found = alternate(partial(_cost, ours, unit), partial(_cost, other, unit), effort)
            yield Figure(
                name=f"{name}, {unit}",
                other_name=_OTHER,
                unit=unit,
                ours=found[0],
                other=found[1],
                goal=Goal(of=Measured.OURS, bound=bound),
            )


def _cost(command: Sequence[str], unit: Unit) -> float:
    cost = _run(command)
    return cost.seconds if unit is Unit.SECONDS else cost.mebibytes


def _run(command: Sequence[str]) -> _Cost:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    # Linux counts in KiB.
    return _Cost(seconds=time.perf_counter() - started, mebibytes=usage.ru_maxrss / 1024)


@contextmanager
def _cluster(nodes: int, pods: int) -> Generator[str]:
    command = [sys.executable, "-m", "benchmarks.large_clusters", str(nodes), str(pods)]
    process = subprocess.Popen(  # noqa: S603 - our own
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        yield "http://" + line.partition("http://")[2].split()[0]
    finally:
        process.communicate()


def _write_kubeconfig(file: Path, url: str) -> Path:
    config: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "large",
        "clusters": [{"name": "large", "cluster": {"server": url}}],
        "users": [{"name": "large", "user": {}}],
        "contexts": [{"name": "large", "context": {"cluster": "large", "user": "large"}}],
    }
    file.write_text(yaml.safe_dump(config), "utf-8")
    return file
