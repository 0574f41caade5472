"""`webhook-fuzz replay`."""

import asyncio
from pathlib import Path

import click

from webhook_fuzz.corpora.versions import parse_minor
from webhook_fuzz.fuzzer.cli.outputs import FORMAT_NAMES, prepare_folder
from webhook_fuzz.fuzzer.cli.replays import (
    Asked,
    compare_webhooks,
    read_samples,
    replay_to_webhook,
)
from webhook_fuzz.fuzzer.findings import Severity
from webhook_fuzz.fuzzer.recorded.replaying import ReplayOptions
from webhook_fuzz.fuzzer.transports.direct import DirectOptions

_FILE = click.Path(path_type=Path)


@click.command("replay")
@click.argument("recordings", nargs=-1, required=True, type=_FILE, metavar="RECORDING…")
@click.option("--url", required=True, metavar="URL", help="Where the webhook is called (https).")
@click.option(
    "--against",
    metavar="URL",
    help="A second webhook, such as its next version: report where their answers differ.",
)
@click.option(
    "--ca",
    type=_FILE,
    metavar="FILE",
    help="CA certificates to verify with (PEM); the system's otherwise.",
)
@click.option("--insecure-skip-verify", is_flag=True, help="Do not verify certificates.")
@click.option(
    "--client-cert", type=_FILE, metavar="FILE", help="Client certificate (PEM), if it asks."
)
@click.option(
    "--client-key", type=_FILE, metavar="FILE", help="Key of the client certificate (PEM)."
)
@click.option(
    "--server-name",
    metavar="NAME",
    help="The service it believes to be, such as injector.vault.svc: SNI, Host and verified name.",
)
@click.option(
    "--webhook",
    "webhooks",
    multiple=True,
    metavar="CONFIG/NAME",
    help="Whose recorded traffic is sent. Repeatable; needed where a recording has several.",
)
@click.option(
    "--target",
    metavar="MINOR",
    help="Judge for this Kubernetes version.  [default: the newest known]",
)
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
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Calls under way at once.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0.1),
    metavar="N",
    help="Calls a second at most.  [default: as fast as it answers]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=30),
    default=10.0,
    show_default=True,
    help="Its timeoutSeconds.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Makes the uids of the reviews."
)
@click.option(
    "--output",
    type=_FILE,
    default=Path("webhook-fuzz-out"),
    show_default=True,
    metavar="DIR",
    help="Where the results go.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMAT_NAMES),
    help="More formats beside JSON and HTML. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice([*map(str, Severity), "never"]),
    default="error",
    show_default=True,
    help="Exit 1 from this severity on; with --against, where answers differ.",
)
@click.option("--require-exercised", is_flag=True, help="Exit 3 if the webhook patched nothing.")
def command(  # noqa: PLR0913 - one argument an option is how click passes them
    *,
    recordings: tuple[Path, ...],
    url: str,
    against: str | None,
    ca: Path | None,
    insecure_skip_verify: bool,
    client_cert: Path | None,
    client_key: Path | None,
    server_name: str | None,
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

    def options(at: str) -> DirectOptions:
        return DirectOptions(
            url=at,
            ca_file=ca,
            insecure_skip_verify=insecure_skip_verify,
            client_cert=client_cert,
            client_key=client_key,
            server_name=server_name,
            timeout_seconds=timeout,
            concurrency=concurrency,
        )

    prepare_folder(output)
    samples = read_samples(recordings, asked)
    if against is None:
        return asyncio.run(replay_to_webhook(samples, options(url), asked))
    return asyncio.run(compare_webhooks(samples, (options(url), options(against)), asked))
