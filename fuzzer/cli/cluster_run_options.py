"""Which cluster does `run` try, and which parts of it?

What is asked for on the command line, as values: the options of a run on a cluster, and those that
any run has.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.versions import Minor

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)
PARTS = ("doctor", "lint", "webhooks", "chain")
"""doctor: readiness; lint: configurations; webhooks: each alone; chain: all of them in dry runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What any run is about; `target` is None for the newest, or a cluster's own.

    `chosen_triggers` says that `triggers` were named, instead of being all that are shipped.
    """

    target: Minor | None
    triggers: Sequence[Trigger]
    chosen_triggers: bool
    pods: Sequence[SeedPod]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCluster:
    """Which cluster, and what of it. `context` is None for the cluster this runs in.

    `namespace` is None for a temporary one; `webhooks` are names (`CONFIG/NAME`) or configurations,
    empty for all.
    """

    context: str | None
    kubeconfig: Path | None
    namespace: str | None
    webhooks: tuple[str, ...]
    parts: frozenset[str]
    allow_side_effects: bool
    offline_bundle: Path | None = None
    live: bool = False


def cluster_run_options(command: _Command) -> _Command:
    """Add the options of a run on a cluster; the command gets `on_cluster: OnCluster | None`."""

    @click.option(
        "--context",
        metavar="NAME",
        help="A context of the kubeconfig: try all webhooks of that cluster.",
    )
    @click.option("--in-cluster", is_flag=True, help="Try the cluster this runs in.")
    @click.option("--kubeconfig", type=_FILE, metavar="FILE", help="Kubeconfig file for --context.")
    @click.option(
        "--namespace",
        metavar="NS",
        help="Where pods are created in dry runs.  [default: a temporary one]",
    )
    @click.option(
        "--webhook",
        "webhooks",
        multiple=True,
        metavar="CONFIG/NAME",
        help="Try only this webhook of the cluster, or all of a configuration. Repeatable.",
    )
    @click.option(
        "--skip",
        multiple=True,
        type=click.Choice(PARTS),
        help="Leave out a part of a cluster's run. Repeatable.",
    )
    @click.option(
        "--live",
        is_flag=True,
        help="Also create some pods for real, behind a scheduling gate, and delete them again.",
    )
    @click.option(
        "--offline-bundle",
        type=_FILE,
        metavar="FILE",
        help="Keep all the cluster says in a file, without secrets, to judge it again.",
    )
    @click.option(
        "--allow-side-effects",
        is_flag=True,
        help="Also call webhooks whose sideEffects are not None or NoneOnDryRun.",
    )
    @functools.wraps(command)
    def with_cluster(  # noqa: PLR0913 - one argument an option is how click passes them
        *args: object,
        context: str | None,
        in_cluster: bool,
        kubeconfig: Path | None,
        namespace: str | None,
        webhooks: tuple[str, ...],
        skip: tuple[str, ...],
        allow_side_effects: bool,
        offline_bundle: Path | None,
        live: bool,
        **others: object,
    ) -> object:
        if context is None and not in_cluster:
            given = {
                "--kubeconfig": kubeconfig,
                "--namespace": namespace,
                "--webhook": webhooks,
                "--offline-bundle": offline_bundle,
                "--live": live,
            }
            lonely = [name for name, value in given.items() if value]
            if lonely:
                raise click.UsageError(f"{lonely[0]} goes with --context or --in-cluster.")
            return command(*args, on_cluster=None, **others)
        if context is not None and in_cluster:
            raise click.UsageError("Give --context or --in-cluster, not both.")
        chosen = OnCluster(
            context=context,
            kubeconfig=kubeconfig,
            namespace=namespace,
            webhooks=webhooks,
            parts=frozenset(PARTS) - frozenset(skip),
            allow_side_effects=allow_side_effects,
            offline_bundle=offline_bundle,
            live=live,
        )
        return command(*args, on_cluster=chosen, **others)

    return with_cluster  # type: ignore[return-value]  # click replaces the signature
