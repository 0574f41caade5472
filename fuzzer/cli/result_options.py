"""What is judged for, and where do the results go?

The options that commands share, so that they mean the same everywhere.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook_fuzz.fuzzer.cli.outputs import FORMAT_NAMES

_Command = TypeVar("_Command", bound=Callable[..., Any])

TARGET = click.option(
    "--target",
    metavar="MINOR",
    help="Judge for this Kubernetes version.  [default: the newest known]",
)
OUTPUT = click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("webhook-fuzz-out"),
    show_default=True,
    metavar="DIR",
    help="Where the results go.",
)


def formats_option(beside: str) -> Callable[[_Command], _Command]:
    """Add --format, for more than what is written anyway; the command gets `formats`."""
    return click.option(
        "--format",
        "formats",
        multiple=True,
        type=click.Choice(FORMAT_NAMES),
        help=f"More formats beside {beside}. Repeatable.",
    )
