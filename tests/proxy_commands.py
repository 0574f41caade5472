"""`webhook-fuzz proxy` as its users run it: another process, with log lines for machines."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from webhook_fuzz.proxy.certificates.own_certificates import CA_FILE

SECONDS = 30.0
"""No proxy of a test takes longer to start, or to stop."""
_MEASURING = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


@dataclass(slots=True, kw_only=True)
class StartedProxy:
    """A proxy that listens; `lines` are what it has logged so far."""

    process: asyncio.subprocess.Process
    ca_pem: bytes
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def address(self) -> str:
        """Where it listens."""
        return str(self._start["addresses"][0])

    @property
    def admin_address(self) -> str:
        """Where its metrics are."""
        return str(self._start["metrics"])

    @property
    def _start(self) -> dict[str, Any]:
        return next(line for line in self.lines if "addresses" in line)

    async def read(self, until: str = "") -> None:
        """Read log lines until one begins so, or to the end."""
        assert self.process.stderr is not None
        while line := await asyncio.wait_for(self.process.stderr.readline(), SECONDS):
            assert line.startswith(b"{"), line + await self.process.stderr.read()
            self.lines.append(orjson.loads(line))
            if until and self.lines[-1]["message"].startswith(until):
                return

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        await self.read()
        return await asyncio.wait_for(self.process.wait(), SECONDS)


@asynccontextmanager
async def start_proxy(
    folder: Path, *arguments: object, limits: str = ""
) -> AsyncGenerator[StartedProxy]:
    """A proxy with its certificates and on a port of its own, killed at the end of the block.

    `limits` are what `ulimit` is given before it starts: `-f 64`. They would hold for the file
    coverage writes at its end too, so that it is not measured then.
    """
    left_out = _MEASURING if limits else ()
    environment = {name: text for name, text in os.environ.items() if name not in left_out}
    certificates = folder / "certificates"
    given = ["--listen", "127.0.0.1:0", "--certificates", certificates, "--log-format", "json"]
    process = await asyncio.create_subprocess_exec(
        *(("bash", "-c", f'ulimit {limits}; exec "$0" "$@"') if limits else ()),
        *(sys.executable, "-m", "webhook_fuzz", "proxy", *map(str, (*given, *arguments))),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=environment,
    )
    try:
        started = StartedProxy(process=process, ca_pem=b"")
        await started.read("listening")
        started.ca_pem = (certificates / CA_FILE).read_bytes()
        yield started
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
