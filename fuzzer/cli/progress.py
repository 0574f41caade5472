"""What does the user see while a sweep is running?

On a terminal one line that moves; elsewhere a line whenever something is finished. All of it goes
to standard error: standard output is for results.
"""

import sys
import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from webhook_fuzz.fuzzer.events import (
    CaseJudged,
    ConfirmationsStarted,
    Event,
    TriggerFinished,
    WebhookFinished,
    WebhookStarted,
)

_QUIET_SECONDS = 2.0
"""Without a terminal, a run says something at least this often."""


class SweepProgress:
    """Consumes events and shows them; used as a context manager."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._calls = 0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TextColumn("{task.fields[calls]} calls"),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case WebhookStarted():
                self._name, self._calls = event.webhook.name, 0
                self._describe(f"{self._name}: {event.cases} pods, {event.triggers} triggers")
            case CaseJudged():
                self._calls += 1
                self._tick()
            case TriggerFinished():
                self._describe(f"{self._name}: trigger {event.trigger} {event.effect.value}")
            case ConfirmationsStarted():
                self._describe(f"{self._name}: confirming {event.count} broken fields alone")
            case WebhookFinished():
                self._describe(f"{self._name}: done")

    def _describe(self, text: str) -> None:
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task(text, calls=0, total=None)
            self._bar.update(self._task, description=text, calls=self._calls)

    def _tick(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, calls=self._calls)
        elif self._bar is None and time.monotonic() - self._last > _QUIET_SECONDS:
            self._last = time.monotonic()
            click.echo(f"{self._name}: {self._calls} calls so far", err=True)
