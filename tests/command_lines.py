"""Runs the command line as its users do: another process, its output and its exit code."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60.0
"""No command of a test takes longer, whatever the webhook does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended."""

    code: int | None
    out: str
    err: str


async def run_cli(*arguments: object, cwd: Path) -> Ran:
    """Run `python -m webhook_fuzz` with arguments; a traceback fails the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "webhook_fuzz",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    ran = Ran(code=process.returncode, out=out.decode(), err=err.decode())
    assert "Traceback" not in ran.err
    return ran
