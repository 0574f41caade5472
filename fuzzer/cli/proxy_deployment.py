"""`webhook-fuzz proxy install` and `webhook-fuzz proxy uninstall`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import click
import yaml

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.triggers.syntax import fault_of_dns_label
from webhook_fuzz.fuzzer.cli.cluster_options import cluster_options
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.quantities import DURATION
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.proxy.deployment.installations import (
    IMAGE,
    MOST_TTL,
    NAMESPACE,
    Installation,
    Volume,
    build_objects,
    check_networks,
)

if TYPE_CHECKING:  # aiohttp and cryptography are slow to import, and --help must not wait for them
    from webhook_fuzz.fuzzer.cli.proxy_exclusions import Exclusion
    from webhook_fuzz.fuzzer.cli.proxy_redirections import ClusterRedirection

_LEAST_TTL: Final = 600.0
_INSTALL_EPILOG = """\b
Examples:
  webhook-fuzz proxy install --context staging --webhook mesh/inject.example.com --dry-run
  webhook-fuzz proxy install --context staging --webhook mesh/inject.example.com \\
      --image registry.example.com/webhook-fuzz:0.1.0 --ttl 7d
  webhook-fuzz proxy install --context staging --all --pvc 50Gi --storage-class shared

\b
Run again, it completes what was interrupted, prolongs the time, and renews the certificate.
Exit codes: 0, 2 usage or input error, 3 something did not come about.
"""
_UNINSTALL_EPILOG = """\b
Example:
  webhook-fuzz proxy uninstall --context staging

\b
Exit codes: 0 nothing is left, 2 usage or input error, 3 something is.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for: the installation, which webhooks, for how long, and how carefully."""

    installation: Installation
    webhooks: Sequence[str]
    ttl: float
    wait: float
    dry_run: bool
    accept_lockout: bool


def _check_namespace(_: click.Context, __: click.Parameter, value: str) -> str:
    if fault := fault_of_dns_label(value):
        raise click.BadParameter(f"{value!r} {fault}")
    return value


def _check_networks(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    try:
        check_networks(values)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return values


def _check_ttl(_: click.Context, __: click.Parameter, value: float) -> float:
    if not _LEAST_TTL <= value <= MOST_TTL:
        raise click.BadParameter("give 10m to 90d")
    return value


_namespace_option = click.option(
    "--namespace",
    callback=_check_namespace,
    default=NAMESPACE,
    show_default=True,
    metavar="NS",
    help="The namespace of the proxy; it is made and belongs to it alone.",
)


@click.command("install", epilog=_INSTALL_EPILOG)
@cluster_options
@click.option(
    "--webhook",
    "webhooks",
    multiple=True,
    metavar="CONFIG/NAME",
    help="Re-point this webhook. Repeatable.",
)
@click.option("--all", "all_webhooks", is_flag=True, help="Re-point all mutating webhooks.")
@click.option(
    "--image", default=IMAGE, show_default=True, metavar="IMG", help="What deploy/Containerfile is."
)
@_namespace_option
@click.option(
    "--ttl",
    type=DURATION,
    callback=_check_ttl,
    default="7d",
    show_default=True,
    help="After this time webhooks are put back, whoever is left to do it.",
)
@click.option("--pvc", metavar="SIZE", help="Keep recordings on a volume: 50Gi.")
@click.option("--storage-class", metavar="NAME", help="Its class, which offers ReadWriteMany.")
@click.option(
    "--egress-to",
    multiple=True,
    callback=_check_networks,
    metavar="CIDR",
    help="Where webhooks are that are in no pod, for the NetworkPolicy. Repeatable.",
)
@click.option(
    "--wait",
    type=DURATION,
    default="5m",
    show_default=True,
    help="How long the proxies may take to be ready; webhooks are re-pointed only then.",
)
@click.option(
    "--accept-lockout",
    is_flag=True,
    help="Re-point webhooks with the policy Fail that are called for the proxy's own pods.",
)
@click.option("--dry-run", is_flag=True, help="Print manifests and patches; change nothing.")
def install(  # noqa: PLR0913 - one argument an option is how click passes them
    *,
    cluster: ClusterOptions,
    webhooks: tuple[str, ...],
    all_webhooks: bool,
    image: str,
    namespace: str,
    ttl: float,
    pvc: str | None,
    storage_class: str | None,
    egress_to: tuple[str, ...],
    wait: float,
    accept_lockout: bool,
    dry_run: bool,
) -> Exit:
    """Run the proxy inside a cluster, and re-point webhooks at it.

    Applies the manifests of deploy/ to a namespace of their own, waits until the proxies serve,
    and then re-points the webhooks. They are put back by `proxy uninstall`, and after --ttl by a
    CronJob in the cluster. Everything that can be refused is refused before anything is written.
    """
    _require_context(cluster)
    if bool(webhooks) == all_webhooks:
        raise click.UsageError("Give --webhook or --all.")
    if storage_class is not None and pvc is None:
        raise click.UsageError("--storage-class goes with --pvc.")
    volume = None if pvc is None else Volume(size=pvc, storage_class=storage_class)
    wanted = Wanted(
        installation=Installation(
            namespace=namespace, image=image, egress_to=egress_to, volume=volume
        ),
        webhooks=webhooks,
        ttl=ttl,
        wait=wait,
        dry_run=dry_run,
        accept_lockout=accept_lockout,
    )
    asyncio.run(_install(cluster, wanted))
    return Exit.CLEAN


@click.command("uninstall", epilog=_UNINSTALL_EPILOG)
@cluster_options
@_namespace_option
def uninstall(*, cluster: ClusterOptions, namespace: str) -> Exit:
    """Put the webhooks back, and delete all that `proxy install` made.

    Recordings in the cluster go with it: fetch them before. Where a webhook cannot be put back,
    nothing is deleted.
    """
    _require_context(cluster)
    asyncio.run(_uninstall(cluster, namespace))
    return Exit.CLEAN


def _require_context(cluster: ClusterOptions) -> None:
    """A cluster that is changed is never whichever one happens to be the current."""
    if cluster.context is None:
        raise click.UsageError("Give --context NAME: the cluster that is changed is not guessed.")


async def _install(cluster: ClusterOptions, wanted: Wanted) -> None:
    from webhook_fuzz.fuzzer.cli import proxy_redirections  # noqa: PLC0415 - slow to import
    from webhook_fuzz.fuzzer.cluster.connections import Cluster  # noqa: PLC0415 - as above
    from webhook_fuzz.proxy.deployment import installing  # noqa: PLC0415 - as above

    async with Cluster(cluster) as api:
        options = proxy_redirections.options_for(
            wanted.installation.namespace,
            webhooks=wanted.webhooks,
            ttl=wanted.ttl,
            server=api.server,
        )
        redirection = await proxy_redirections.plan_redirection(api, options, tell=_tell)
        installation = _exclude(wanted, redirection)
        plan = await installing.plan_installation(
            api, installation, redirection, ttl=wanted.ttl, now=time.time()
        )
        await redirection.check(plan.ca_pem)
        if wanted.dry_run:
            click.echo(render_dry_run(plan.objects, redirection.describe(plan.ca_pem)), nl=False)
            return
        await installing.install(api, plan, redirection, rollout=wanted.wait, tell=_tell)
    _tell(_ending(wanted, redirection))


async def _uninstall(cluster: ClusterOptions, namespace: str) -> None:
    from webhook_fuzz.fuzzer.cli import proxy_redirections  # noqa: PLC0415 - slow to import
    from webhook_fuzz.fuzzer.cluster.connections import Cluster  # noqa: PLC0415 - as above
    from webhook_fuzz.proxy.deployment import installing  # noqa: PLC0415 - as above

    async with Cluster(cluster) as api:

        async def restore() -> None:
            server = api.server
            await proxy_redirections.restore_all(api, namespace, server=server, tell=_tell)

        await installing.uninstall(api, namespace, restore=restore, tell=_tell)
    _tell("nothing is left in the cluster")


def _exclude(wanted: Wanted, redirection: "ClusterRedirection") -> Installation:
    """With the labels that keep the webhooks away from the proxy's namespace."""
    from webhook_fuzz.fuzzer.cli.proxy_exclusions import (  # noqa: PLC0415 - slow to import
        find_exclusion,
    )

    outside = [each.identity for each in redirection.webhooks if each.url is not None]
    if outside and not wanted.installation.egress_to:
        _tell(
            f"{', '.join(outside)}: called by URL; where that is not a pod, the NetworkPolicy "
            "keeps the proxy from it: give --egress-to CIDR"
        )
    exclusion = find_exclusion(redirection.webhooks, build_objects(wanted.installation))
    check_lockout(exclusion, accepted=wanted.accept_lockout, tell=_tell)
    if exclusion.labels:
        named = ", ".join(f"{key}={value}" for key, value in exclusion.labels.items())
        _tell(f"the namespace gets the labels {named}, which keep the webhooks out of it")
    return replace(wanted.installation, namespace_labels=exclusion.labels)


def check_lockout(exclusion: "Exclusion", *, accepted: bool, tell: Callable[[str], None]) -> None:
    """Raises InputError where a webhook could keep the proxy's pods from coming back."""
    for each in exclusion.slowing:
        tell(
            f"{each.identity} is called for the proxy's own pods: while no proxy is there, each of "
            f"them takes {each.timeout_seconds} s longer to make"
        )
    locking = ", ".join(each.identity for each in exclusion.locking)
    if not locking:
        return
    if not accepted:
        raise InputError(
            f"{locking}: called for the proxy's own pods, with the policy Fail: without a proxy "
            "no proxy can be made, nor anything that puts the webhook back",
            hint="Exclude the namespace by its labels in the webhook's namespaceSelector "
            "(webhook-fuzz/admission NotIn [ignore]), or give --accept-lockout.",
        )
    tell(f"{locking}: can lock the proxy out; `webhook-fuzz restore` puts it back from outside")


def render_dry_run(objects: Sequence[JsonObject], patches: str) -> str:
    """The manifests as YAML, keys of certificates left out, and the patches behind them."""
    shown = [_without_keys(each) for each in objects]
    manifests = yaml.safe_dump_all(shown, sort_keys=False, explicit_start=True)
    return f"{manifests}---\n{patches}"


def _without_keys(manifest: JsonObject) -> JsonObject:
    data = manifest.get("data")
    if manifest.get("kind") != "Secret" or not isinstance(data, dict):
        return manifest
    return {**manifest, "data": dict.fromkeys(data, "(made anew when it is installed)")}


def _ending(wanted: Wanted, redirection: "ClusterRedirection") -> str:
    days, hours = divmod(wanted.ttl / 3600, 24)
    lasts = f"{days:.0f} d {hours:.0f} h" if days else f"{wanted.ttl / 3600:.1f} h"
    namespace = wanted.installation.namespace
    option = "" if namespace == NAMESPACE else f" --namespace {namespace}"
    return (
        f"{len(redirection.routes)} webhooks are recorded for {lasts}; "
        f"`webhook-fuzz proxy uninstall{option}` ends it"
    )


def _tell(line: str) -> None:
    click.echo(line, err=True)
