"""Is any finding as severe as `--fail-on` says?"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from webhook_fuzz.fuzzer.findings import Severity

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NEVER: Final = "never"


def fail_on_option(means: str) -> Callable[[_Command], _Command]:
    """Add --fail-on; the command gets `fail_on`."""
    return click.option(
        "--fail-on",
        type=click.Choice([*map(str, Severity), _NEVER]),
        default="error",
        show_default=True,
        help=means,
    )


def any_reaches(severities: Iterable[str], fail_on: str) -> bool:
    """Whether any of these is at least as severe as `fail_on`, which none is if that is `never`."""
    return fail_on != _NEVER and any(
        Severity(severity).at_least(Severity(fail_on)) for severity in severities
    )
