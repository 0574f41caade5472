"""What can be said to `webhook-fuzz proxy`?

The options in groups, each a value of its own: where calls go, where they come from, what is kept
of them, what is found in them, and how the processes run.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, cast

import click

from webhook_fuzz.fuzzer.cli.quantities import DURATION, SIZE

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)
_MOST_WORKERS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOptions:
    """Where calls go, without a cluster."""

    upstream_url: str | None
    routes: Path | None
    upstream_ca: Path | None
    upstream_insecure: bool
    upstream_server_name: str | None
    upstream_client_cert: Path | None
    upstream_client_key: Path | None
    upstream_token_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningOptions:
    """Where calls come in, with which certificate, and from whom."""

    listen: tuple[str, ...]
    tls_cert: Path | None
    tls_key: Path | None
    tls_ca: Path | None
    tls_name: tuple[str, ...]
    certificates: Path | None
    client_ca: Path | None
    allow_from: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingOptions:
    """What is kept of the calls. Sizes in bytes, ages in seconds; 0 keeps everything."""

    recording: Path | None
    record_raw: bool
    rotate_size: int
    rotate_age: float
    retain_size: int
    retain_age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingOptions:
    """What is found in the calls while they pass."""

    judge: bool
    shadow: bool
    shadow_rate: float
    shadow_assume_no_side_effects: bool
    findings: Path | None
    target: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningOptions:
    """How the processes run."""

    workers: int
    metrics: str | None
    drain: float
    log_format: str


_Option: TypeAlias = Callable[[Any], Any]
# What click.option returns has a type only where it decorates something.
_option: Final = cast("Callable[..., _Option]", click.option)
_UPSTREAM: Final = (
    _option(
        "--upstream",
        "upstream_url",
        metavar="URL",
        help="The webhook, https://HOST:PORT; paths pass as they come.",
    ),
    _option(
        "--routes",
        type=_FILE,
        metavar="FILE",
        help="Several webhooks, as YAML; read again when it changes.",
    ),
    _option(
        "--upstream-ca",
        type=_FILE,
        metavar="FILE",
        help="The webhook's authority (its caBundle) as PEM; the system's otherwise.",
    ),
    _option("--upstream-insecure", is_flag=True, help="Do not verify the webhook's certificate."),
    _option(
        "--upstream-server-name",
        metavar="NAME",
        help="The name the webhook's certificate is for, such as web.shop.svc.",
    ),
    _option(
        "--upstream-client-cert",
        type=_FILE,
        metavar="FILE",
        help="The certificate the API server shows this webhook.",
    ),
    _option("--upstream-client-key", type=_FILE, metavar="FILE", help="And its key."),
    _option(
        "--upstream-token-file",
        type=_FILE,
        metavar="FILE",
        help="The token the API server sends this webhook, read again when it changes.",
    ),
)
_LISTENING: Final = (
    _option(
        "--listen",
        multiple=True,
        metavar="HOST:PORT",
        default=("127.0.0.1:8443",),
        help="Where calls come in; :8443 is all addresses. Repeatable.  [default: 127.0.0.1:8443]",
    ),
    _option(
        "--tls-cert",
        type=_FILE,
        metavar="FILE",
        help="Serve this certificate (a chain, PEM) instead of an own one.",
    ),
    _option("--tls-key", type=_FILE, metavar="FILE", help="And its key."),
    _option(
        "--tls-ca",
        type=_FILE,
        metavar="FILE",
        help="The authority of --tls-cert, where the chain does not hold it.",
    ),
    _option(
        "--tls-name",
        multiple=True,
        metavar="NAME",
        help="A name or address the own certificate is for as well. Repeatable.",
    ),
    _option(
        "--certificates",
        type=_FOLDER,
        metavar="DIR",
        help="Where the own authority is kept.  [default: webhook-fuzz/certificates in "
        "XDG_STATE_HOME]",
    ),
    _option(
        "--client-ca",
        type=_FILE,
        metavar="FILE",
        help="Take calls only from who has a certificate of this authority.",
    ),
    _option(
        "--allow-from",
        multiple=True,
        metavar="CIDR",
        help="Take calls only from these addresses. Repeatable.",
    ),
)
_KEEPING: Final = (
    _option(
        "--recording",
        type=_FOLDER,
        metavar="DIR",
        help="Record all calls there, without secrets.",
    ),
    _option(
        "--record-raw",
        is_flag=True,
        help="Record everything as it passes, SECRETS INCLUDED.",
    ),
    _option(
        "--rotate-size",
        type=SIZE,
        default="64MiB",
        show_default=True,
        help="Begin another file at this size.",
    ),
    _option(
        "--rotate-age",
        type=DURATION,
        default="1h",
        show_default=True,
        help="Begin another file after this time.",
    ),
    _option(
        "--retain-size",
        type=SIZE,
        default="0",
        help="Delete the oldest files beyond this size.  [default: keep all]",
    ),
    _option(
        "--retain-age",
        type=DURATION,
        default="0s",
        help="Delete files that are older than this.  [default: keep all]",
    ),
)
_FINDING: Final = (
    _option("--judge", is_flag=True, help="Judge all calls while they pass."),
    _option(
        "--shadow",
        is_flag=True,
        help="Send copies with new fields, as dry runs, and judge the answers.",
    ),
    _option(
        "--shadow-rate",
        type=click.FloatRange(min=0, min_open=True, max=100),
        default=1.0,
        show_default=True,
        metavar="N",
        help="Copies per second and webhook, at the most.",
    ),
    _option(
        "--shadow-assume-no-side-effects",
        is_flag=True,
        help="Shadow webhooks whose sideEffects are not known.",
    ),
    _option(
        "--findings",
        type=_FOLDER,
        metavar="DIR",
        help="Where the findings go.  [default: the folder of the recording]",
    ),
    _option(
        "--target", metavar="MINOR", help="Judge for this Kubernetes minor; the newest otherwise."
    ),
)
_RUNNING: Final = (
    _option(
        "--workers",
        type=click.IntRange(1, _MOST_WORKERS),
        default=1,
        show_default=True,
        metavar="N",
        help="Processes that forward.",
    ),
    _option(
        "--metrics",
        metavar="HOST:PORT",
        help="Where /metrics, /healthz and /readyz are, over plain HTTP.",
    ),
    _option(
        "--drain",
        type=DURATION,
        default="30s",
        show_default=True,
        help="How long calls under way may take when the proxy is stopped.",
    ),
    _option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How log lines on standard error look.",
    ),
)
_GROUPS: Final[Mapping[str, tuple[type[Any], tuple[_Option, ...]]]] = {
    "upstream": (UpstreamOptions, _UPSTREAM),
    "listening": (ListeningOptions, _LISTENING),
    "keeping": (KeepingOptions, _KEEPING),
    "finding": (FindingOptions, _FINDING),
    "running": (RunningOptions, _RUNNING),
}
SECTIONS: Final = {
    "The webhook, without a cluster": UpstreamOptions,
    "Where calls come in": ListeningOptions,
    "What is kept": KeepingOptions,
    "What is found": FindingOptions,
    "How it runs": RunningOptions,
}
"""How `--help` sorts them."""


def proxy_options(command: _Command) -> _Command:
    """Add all these options; the command gets one argument a group."""

    @functools.wraps(command)
    def with_groups(*args: object, **given: Any) -> object:  # noqa: ANN401 - as click has them
        for argument, (kind, _) in _GROUPS.items():
            given[argument] = kind(**{each.name: given.pop(each.name) for each in fields(kind)})
        return command(*args, **given)

    wrapped: Any = with_groups
    for _, options in reversed([*_GROUPS.values()]):
        for option in reversed(options):
            wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # click replaces the signature
