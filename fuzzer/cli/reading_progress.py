"""What does the user see while recordings are read?

All of it goes to standard error: standard output is for results.
"""

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager

import click

from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange

_QUIET_SECONDS = 2.0


class ReadingLines:
    """A line that says how many exchanges are `done`, whenever it takes a while."""

    def __init__(self, done: str) -> None:
        self._done = done
        self._last = time.monotonic()

    def __call__(self, number: int) -> None:
        """So many are done."""
        if time.monotonic() - self._last > _QUIET_SECONDS:
            self._last = time.monotonic()
            click.echo(f"{number:,} recorded exchanges {self._done} so far", err=True)


@contextmanager
def reading_progress(done: str) -> Generator[Callable[[int], None]]:
    """A line that moves on a terminal, else a line whenever it takes a while."""
    if not sys.stderr.isatty():
        yield ReadingLines(done)
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the recording", total=None)

        def show(number: int) -> None:
            bar.update(task, description=f"{number:,} recorded exchanges {done}")

        yield show


def shown(
    recorded: Iterable[RecordedExchange], show: Callable[[int], None], *, every: int
) -> Iterator[RecordedExchange]:
    """The same exchanges; `show` is told how many they are, once in `every`."""
    for number, each in enumerate(recorded, 1):
        if number % every == 0:
            show(number)
        yield each
