"""How does a command call webhooks at URLs?

The options that commands share, so that they mean the same everywhere.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook_fuzz.fuzzer.transports.direct import DirectOptions

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)

TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=30),
    default=10.0,
    show_default=True,
    help="Its timeoutSeconds.",
)
CONCURRENCY = click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Calls under way at once.",
)
SEED = click.option(
    "--seed", type=int, default=0, show_default=True, help="Makes the uids of the reviews."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """How connections to webhooks are made, and whether they are what they say they are."""

    ca: Path | None
    insecure_skip_verify: bool
    client_cert: Path | None
    client_key: Path | None
    server_name: str | None

    def to(self, url: str, *, timeout: float, concurrency: int) -> DirectOptions:
        """Everything about calling the webhook at this URL."""
        return DirectOptions(
            url=url,
            ca_file=self.ca,
            insecure_skip_verify=self.insecure_skip_verify,
            client_cert=self.client_cert,
            client_key=self.client_key,
            server_name=self.server_name,
            timeout_seconds=timeout,
            concurrency=concurrency,
        )


def connecting_options(
    *, ca: str, insecure_skip_verify: str, client_cert: str
) -> Callable[[_Command], _Command]:
    """Add the options of TLS, with the help of some; the command gets `connecting: Connecting`."""
    options = (
        click.option("--ca", type=_FILE, metavar="FILE", help=ca),
        click.option("--insecure-skip-verify", is_flag=True, help=insecure_skip_verify),
        click.option("--client-cert", type=_FILE, metavar="FILE", help=client_cert),
        click.option(
            "--client-key", type=_FILE, metavar="FILE", help="Key of the client certificate (PEM)."
        ),
        click.option(
            "--server-name",
            metavar="NAME",
            help="The service it believes to be, such as injector.vault.svc: SNI, Host and "
            "verified name.",
        ),
    )

    def add(command: _Command) -> _Command:
        @functools.wraps(command)
        def with_connecting(
            *args: object,
            ca: Path | None,
            insecure_skip_verify: bool,
            client_cert: Path | None,
            client_key: Path | None,
            server_name: str | None,
            **others: object,
        ) -> object:
            connecting = Connecting(
                ca=ca,
                insecure_skip_verify=insecure_skip_verify,
                client_cert=client_cert,
                client_key=client_key,
                server_name=server_name,
            )
            return command(*args, connecting=connecting, **others)

        decorated = with_connecting
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[return-value]  # click replaces the signature

    return add
