"""Where do results go, and what is said about them?"""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.reports.files import save_run, save_text
from webhook_fuzz.reports.formats import FORMATS
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.terminal import render_summary

FORMAT_NAMES = ("html", "junit", "sarif", "markdown", "json", "terminal")


_ALWAYS_SHOWN = {"json", "terminal"}


def prepare_folder(folder: Path) -> None:
    """Make the folder for the results, before anything is sent.

    Raises InputError if nothing can be written there: better now than after the sweep.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"results cannot be written to {folder}: {error.strerror}",
            hint="Choose another folder with --output.",
        ) from error


def write_outputs(run: RunResult, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write run.json, report.html and what else was asked for; the files written."""
    written = [save_run(run, folder)]
    for name in dict.fromkeys(("html", *formats)):
        if name not in _ALWAYS_SHOWN:
            form = FORMATS[name]
            written.append(save_text(form.render(run), folder / form.file_name))
    return written


def show_summary(run: RunResult, written: Sequence[Path]) -> None:
    """What fits a screen, on standard output."""
    is_terminal = sys.stdout.isatty()
    text = render_summary(
        run,
        width=min(shutil.get_terminal_size().columns, 120) if is_terminal else 100,
        colour=is_terminal and "NO_COLOR" not in os.environ,
        report=str(written[1]),
    )
    click.echo(text, nl=not text.endswith("\n"))
    others = [str(path) for path in written[2:]]
    if others:
        click.echo(f"Also     {', '.join(others)}")
