"""What does a real Chromium make of a page?

Headless, through the DevTools protocol, because only that tells of policy violations and sets the
colour scheme and the width of a phone. The browser has a profile of its own that is thrown away.
"""

import asyncio
import base64
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

_FLAGS = (
    "--headless",
    "--no-sandbox",  # as root, in containers; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
Json: TypeAlias = Any  # the protocol is JSON, and these are tests
_PATIENCE = 30.0  # seconds until the browser listens


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page at one width: how wide and high its content is, and what the console said."""

    width: int
    content_width: int
    content_height: int
    problems: tuple[str, ...]
    png: bytes


@dataclass(slots=True)
class Page:
    """A tab, spoken to in DevTools commands."""

    socket: aiohttp.ClientWebSocketResponse
    problems: list[str] = field(default_factory=list[str])
    _last: int = 0

    async def command(self, method: str, **params: Json) -> dict[str, Any]:
        """Sends a command and waits for its answer; console problems on the way are kept."""
        self._last += 1
        await self.socket.send_json({"id": self._last, "method": method, "params": params})
        while True:
            message = await self._receive()
            if message.get("id") == self._last:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result

    async def wait_for(self, event: str) -> None:
        """Waits for an event."""
        while (await self._receive()).get("method") != event:
            pass

    async def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json(timeout=_PATIENCE)
        params = message.get("params", {})
        match message.get("method"):
            case "Log.entryAdded":
                self.problems.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.problems.append(str(params))
            case _:
                pass
        return message

    async def evaluate(self, expression: str) -> Json:
        """The value of a JavaScript expression; the debugger may run what the policy forbids."""
        answer = await self.command("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def open(self, address: str, *, width: int, dark: bool) -> None:
        """Loads an address at a width in CSS pixels."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        await self.command("Page.navigate", url=address)
        await self.wait_for("Page.loadEventFired")

    async def look(self, *, width: int, whole: bool = True) -> Look:
        """Measures and photographs the page: all of it, or the first screen."""
        sizes = await self.evaluate(
            "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
        )
        shot = await self.command("Page.captureScreenshot", captureBeyondViewport=whole)
        return Look(
            width=width,
            content_width=sizes[0],
            content_height=sizes[1],
            problems=tuple(self.problems),
            png=base64.b64decode(shot["data"]),
        )


@contextlib.asynccontextmanager
async def open_browser(program: str | None = None) -> AsyncGenerator[Page]:
    """A tab of a fresh Chromium; the browser ends with the block."""
    chromium = program or find_chromium()
    if chromium is None:
        raise FileNotFoundError("chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium,
            *_FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await asyncio.to_thread(_read_port, Path(profile) / "DevToolsActivePort")
            async with _connect(port) as page:
                yield page
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def find_chromium() -> str | None:
    """The Chromium or Chrome on this machine, None when there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def _read_port(file: Path) -> int:
    end = time.monotonic() + _PATIENCE
    while not (file.exists() and file.read_text()):
        if time.monotonic() > end:
            raise TimeoutError(f"Chromium wrote no {file}")
        time.sleep(0.05)
    return int(file.read_text().splitlines()[0])


@contextlib.asynccontextmanager
async def _connect(port: int) -> AsyncGenerator[Page]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            targets = await answer.json(content_type=None)
        address = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
        async with session.ws_connect(address, max_msg_size=0) as socket:
            page = Page(socket)
            for domain in ("Page", "Runtime", "Log"):
                await page.command(f"{domain}.enable")
            yield page
