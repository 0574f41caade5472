"""`webhook-fuzz replay`."""

import asyncio
from functools import partial
from pathlib import Path

import click

from webhook_fuzz.corpora.versions import parse_minor
from webhook_fuzz.fuzzer.cli.outputs import prepare_folder
from webhook_fuzz.fuzzer.cli.replays import (
    Asked,
    compare_webhooks,
    read_samples,
    replay_to_webhook,
)
from webhook_fuzz.fuzzer.cli.result_options import OUTPUT, TARGET, formats_option
from webhook_fuzz.fuzzer.cli.severities import fail_on_option
from webhook_fuzz.fuzzer.cli.webhook_options import (
    CONCURRENCY,
    SEED,
    TIMEOUT,
    Connecting,
    connecting_options,
)
from webhook_fuzz.fuzzer.recorded.replaying import ReplayOptions

_FILE = click.Path(path_type=Path)


@click.command("replay")
@click.argument("recordings", nargs=-1, required=True, type=_FILE, metavar="RECORDING…")
@click.option("--url", required=True, metavar="URL", help="Where the webhook is called (https).")
@click.option(
    "--against",
    metavar="URL",
    help="A second webhook, such as its next version: report where their answers differ.",
)
@connecting_options(
    ca="CA certificates to verify with (PEM); the system's otherwise.",
    insecure_skip_verify="Do not verify certificates.",
    client_cert="Client certificate (PEM), if it asks.",
)
@click.option(
    "--webhook",
    "webhooks",
    multiple=True,
    metavar="CONFIG/NAME",
    help="Whose recorded traffic is sent. Repeatable; needed where a recording has several.",
)
@TARGET
@click.option(
    "--enrich/--no-enrich",
    default=True,
    show_default=True,
    help="Send every recorded pod also with the fields Kubernetes gained since.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 2000),
    default=300,
    show_default=True,
    help="Different reviews sent at most; those it patched first, then the frequent ones.",
)
@CONCURRENCY
@click.option(
    "--rate",
    type=click.FloatRange(min=0.1),
    metavar="N",
    help="Calls a second at most.  [default: as fast as it answers]",
)
@TIMEOUT
@SEED
@OUTPUT
@formats_option("JSON and HTML")
@fail_on_option("Exit 1 from this severity on; with --against, where answers differ.")
@click.option("--require-exercised", is_flag=True, help="Exit 3 if the webhook patched nothing.")
def command(  # noqa: PLR0913 - one argument an option is how click passes them
    *,
    recordings: tuple[Path, ...],
    url: str,
    against: str | None,
    connecting: Connecting,
    webhooks: tuple[str, ...],
    target: str | None,
    enrich: bool,
    limit: int,
    concurrency: int,
    rate: float | None,
    timeout: float,
    seed: int,
    output: Path,
    formats: tuple[str, ...],
    fail_on: str,
    require_exercised: bool,
) -> int:
    """Send recorded reviews to a webhook again, also with new fields, and judge the answers.

    Of a recording one review of every shape is sent: as it was, with a uid of its own and as a dry
    run; then every recorded pod that was accepted, with every field Kubernetes gained since 1.20.
    Recorded traffic is test cases that way: what makes the webhook act is in it.

    With --against, both webhooks are sent the same and their answers compared, as the API server
    would apply them. What one of them answers by chance is no difference.
    """
    asked = Asked(
        limit=limit,
        webhooks=webhooks,
        rate=rate,
        output=output,
        formats=formats,
        fail_on=fail_on,
        require_exercised=require_exercised,
        options=ReplayOptions(
            target=parse_minor(target) if target else None, enrich=enrich, random_seed=seed
        ),
    )
    prepare_folder(output)
    samples = read_samples(recordings, asked)
    connect = partial(connecting.to, timeout=timeout, concurrency=concurrency)
    if against is None:
        return asyncio.run(replay_to_webhook(samples, connect(url), asked))
    return asyncio.run(compare_webhooks(samples, (connect(url), connect(against)), asked))
