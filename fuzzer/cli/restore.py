"""`webhook-fuzz restore`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.proxy.interception.options import default_backup_folder
from webhook_fuzz.proxy.interception.restoring import (
    Outcome,
    Places,
    Result,
    Selection,
    describe_outcome,
    restore,
)

_EPILOG: Final = """\b
Examples:
  webhook-fuzz restore --context staging
  webhook-fuzz restore --context staging --force

\b
Exit codes: 0 everything is as it was, or there was nothing to do, 2 usage or input error,
3 something is left: it is in use, damaged, or the API server refused.
"""


@click.command("restore", epilog=_EPILOG)
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Kubeconfig file; KUBECONFIG or ~/.kube/config otherwise.",
)
@click.option("--in-cluster", is_flag=True, help="The cluster this runs in.")
@click.option("--force", is_flag=True, help="Also what a living proxy uses.")
@click.option("--expired", is_flag=True, help="Only what nobody uses any more; say nothing else.")
@click.option(
    "--backup",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where an annotation is damaged, take what it was from this file.",
)
@click.option(
    "--backup-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the backups are. [default: webhook-fuzz/interceptions in XDG_STATE_HOME]",
)
def command(  # noqa: PLR0913 - one argument an option is how click passes them
    *,
    context: str | None,
    kubeconfig: Path | None,
    in_cluster: bool,
    force: bool,
    expired: bool,
    backup: Path | None,
    backup_dir: Path | None,
) -> Exit:
    """Put webhooks back that are called through a proxy which is not there any more.

    Finds what a proxy left behind by the annotations in the cluster, wherever that proxy ran, and
    puts back exactly what it changed. What somebody else changed since stays. Running it again does
    no harm.
    """
    if (context is None) != in_cluster:
        raise click.UsageError("Give --context NAME or --in-cluster: the one, not the other.")
    if force and expired:
        raise click.UsageError("Give --force or --expired, not both.")
    outcomes = asyncio.run(
        _restore(
            ClusterOptions(context=context, kubeconfig=kubeconfig),
            Selection(force=force, expired=expired),
            Places(folder=backup_dir or default_backup_folder(), file=backup),
        )
    )
    return _report(outcomes)


async def _restore(
    options: ClusterOptions, selection: Selection, places: Places
) -> tuple[Outcome, ...]:
    from webhook_fuzz.fuzzer.cluster.connections import Cluster  # noqa: PLC0415 - slow to import

    async with Cluster(options) as cluster:
        here = replace(places, server=cluster.server)
        return await restore(cluster, selection, now=datetime.now(UTC), places=here)


def _report(outcomes: Sequence[Outcome]) -> Exit:
    for outcome in outcomes:
        click.echo(describe_outcome(outcome))
    if not outcomes:
        click.echo("Nothing to restore: no webhook is intercepted.")
    results = {outcome.result for outcome in outcomes}
    if Result.DAMAGED in results:
        raise IncompleteRunError(
            "not everything was restored: an annotation is damaged",
            hint="Give the file of that time with --backup FILE, or put the clientConfig back by "
            "hand, and remove the annotation.",
        )
    if Result.LIVING in results:
        raise IncompleteRunError(
            "not everything was restored: a proxy uses it",
            hint="Stop that proxy, which restores it, or add --force.",
        )
    return Exit.CLEAN
