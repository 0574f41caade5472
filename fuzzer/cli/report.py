"""`webhook-fuzz report`."""

from pathlib import Path

import click

from webhook_fuzz.fuzzer.cli.outputs import FORMAT_NAMES
from webhook_fuzz.reports.files import load_run, save_text
from webhook_fuzz.reports.formats import FORMATS


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN.JSON")
@click.option(
    "--format", "form", type=click.Choice(FORMAT_NAMES), default="terminal", show_default=True
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to a file instead of standard output.",
)
def command(run: Path, *, form: str, output: Path | None) -> None:
    """Render the result of a run in another format."""
    text = FORMATS[form].render(load_run(run))
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        click.echo(f"Written: {save_text(text, output)}", err=True)
