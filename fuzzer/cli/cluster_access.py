"""Is it a cluster that is asked, or what was kept of one?

`--offline-bundle` keeps, without secrets, everything that was asked; `--bundle` answers from such a
file, on another machine and another day.
"""

import functools
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from webhook_fuzz.corpora.bundles import Bundle, load_bundle, save_bundle
from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.maskings import Masker
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions

if TYPE_CHECKING:  # aiohttp is slow to import, and --help must not wait for it
    from webhook_fuzz.corpora.cluster_api.requests import ClusterApi

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundles:
    """`read` answers instead of a cluster; `write` is where what a cluster answered is kept."""

    read: Path | None = None
    write: Path | None = None


@dataclass(kw_only=True)
class Access:
    """Who is asked. `live` is False for a bundle: then nobody else can be called either.

    `seeds`, `exchanges` and `dry_runs` are kept beside the answers.
    """

    api: "ClusterApi"
    context: str
    server: str
    live: bool
    seeds: Sequence[JsonObject] = ()
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    dry_runs: list[JsonObject] = field(default_factory=list[JsonObject])


def bundle_options(command: _Command) -> _Command:
    """Add --bundle and --offline-bundle; the command gets `bundles: Bundles`."""

    @click.option(
        "--bundle",
        type=_FILE,
        metavar="FILE",
        help="Read an offline bundle instead of a cluster; nobody is called.",
    )
    @click.option(
        "--offline-bundle",
        type=_FILE,
        metavar="FILE",
        help="Keep all the cluster says in a file, without secrets, to judge it again.",
    )
    @functools.wraps(command)
    def with_bundles(
        *args: object, bundle: Path | None, offline_bundle: Path | None, **others: object
    ) -> object:
        if bundle is not None and offline_bundle is not None:
            raise click.UsageError("Give --bundle or --offline-bundle, not both.")
        return command(*args, bundles=Bundles(read=bundle, write=offline_bundle), **others)

    return with_bundles  # type: ignore[return-value]  # click replaces the signature


@asynccontextmanager
async def access_cluster(options: ClusterOptions, bundles: Bundles) -> AsyncGenerator[Access]:
    """Open the cluster, or the bundle; what is to be kept is written at the end.

    Raises InputError for credentials or a file that cannot be used.
    """
    from webhook_fuzz.fuzzer.cli.restorations import restore_left_behind  # noqa: PLC0415 - as above
    from webhook_fuzz.fuzzer.cluster.bundles import (  # noqa: PLC0415 - slow to import
        BundleApi,
        RecordingApi,
    )
    from webhook_fuzz.fuzzer.cluster.connections import Cluster  # noqa: PLC0415 - as above

    if bundles.read is not None:
        kept = BundleApi(load_bundle(bundles.read), name=str(bundles.read))
        yield Access(api=kept, context=kept.context, server=kept.server, live=False)
        return
    async with Cluster(options) as cluster:
        await restore_left_behind(cluster, cluster.server)
        if bundles.write is None:
            yield Access(api=cluster, context=cluster.context, server=cluster.server, live=True)
            return
        masker = Masker()
        recording = RecordingApi(cluster, masker)
        access = Access(api=recording, context=cluster.context, server=cluster.server, live=True)
        yield access
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        kept_bundle = Bundle(
            context=access.context,
            server=access.server,
            made_at=made_at,
            tool=tool_version(),
            answers=recording.answers,
            seeds=tuple(access.seeds),
            exchanges=tuple(access.exchanges),
            dry_runs=tuple(access.dry_runs),
        )
        save_bundle(kept_bundle, bundles.write, masker=masker)
