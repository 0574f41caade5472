"""How is a webhook served so that it takes no time from the program that calls it?

In a process of its own: `python -m benchmarks.serving NAME` serves the specimen of that name over
TLS, says where in one line of JSON, and ends when its standard input does, so that it cannot
outlive the run that started it.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.fuzzer.specimens.serving import serve

_ROOT = Path(__file__).parents[1]
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where a specimen is served, and the certificate of its authority."""

    url: str
    ca_file: Path


@contextmanager
def served_elsewhere(name: str) -> Generator[Served]:
    """A specimen served by another process for the time of the block."""
    command = [sys.executable, "-m", "benchmarks.serving", name]
    with subprocess.Popen(  # noqa: S603 - this Python, this module
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield _read_served(process)
        finally:
            _stop(process)


def _read_served(process: subprocess.Popen[bytes]) -> Served:
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise RuntimeError("the specimen's process ended before it was listening")
    said = json.loads(line)
    return Served(url=said["url"], ca_file=Path(said["ca_file"]))


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


async def _serve(name: str) -> None:
    async with serve(get_specimen(name)) as running:
        print(json.dumps({"url": running.url, "ca_file": str(running.ca_file)}), flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
