"""Which cluster does a command talk to?

The options every cluster command shares, so that they mean the same everywhere.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions

_Command = TypeVar("_Command", bound=Callable[..., Any])


def cluster_options(command: _Command) -> _Command:
    """Add --context, --kubeconfig and --concurrency; the command gets `cluster: ClusterOptions`."""

    @click.option(
        "--context", metavar="NAME", help="Context of the kubeconfig; the current one otherwise."
    )
    @click.option(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Kubeconfig file; KUBECONFIG or ~/.kube/config otherwise.",
    )
    @click.option(
        "--concurrency",
        type=click.IntRange(min=1),
        default=ClusterOptions().concurrency,
        show_default=True,
        metavar="N",
        help="Requests to the API server at once.",
    )
    @functools.wraps(command)
    def with_cluster(
        *args: object,
        context: str | None,
        kubeconfig: Path | None,
        concurrency: int,
        **others: object,
    ) -> object:
        chosen = ClusterOptions(context=context, kubeconfig=kubeconfig, concurrency=concurrency)
        return command(*args, cluster=chosen, **others)

    return with_cluster  # type: ignore[return-value]  # click replaces the signature
