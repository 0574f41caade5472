"""`webhook-fuzz rbac`."""

import asyncio
import json

import click

from webhook_fuzz.corpora.triggers.syntax import fault_of_dns_label, fault_of_dns_subdomain
from webhook_fuzz.corpora.webhooks import DEFAULT_SERVICE_PORT, ServiceReference
from webhook_fuzz.fuzzer.cli.cluster_options import cluster_options
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cluster.access_reviews import Missing, Rights, review_needs
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.permissions import DEFAULT_MODES, Mode, needs_of
from webhook_fuzz.fuzzer.cluster.roles import RoleOptions, render_roles

_HIGHEST_PORT = 65_535
_EPILOG = """\b
Examples:
  webhook-fuzz rbac --namespace staging > rbac.yaml
  webhook-fuzz rbac --mode lint --mode doctor
  webhook-fuzz rbac --mode service-proxy --service vault/vault-agent-injector-svc:443
  webhook-fuzz rbac --check --context staging --namespace staging

\b
Modes: run (dry runs), service-proxy (single webhooks through the API server), url (webhooks with a
URL), doctor, webhooks, lint, blame, seeds (pods of the cluster's own workloads), live (pods that
are really created, never scheduled), proxy (between the API server and a webhook).

\b
Exit codes of --check: 0 nothing is missing, 1 something is, 2 usage or input error, 3 the API
server did not answer everything.
"""


def _parse_services(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[ServiceReference, ...]:
    return tuple(map(_parse_service, values))


def _parse_service(value: str) -> ServiceReference:
    namespace, _, rest = value.partition("/")
    name, colon, number = rest.partition(":")
    port = int(number) if number.isdecimal() else 0
    if not colon:
        port = DEFAULT_SERVICE_PORT
    if fault_of_dns_label(namespace) or fault_of_dns_label(name):
        raise click.BadParameter(f"{value!r} is not NAMESPACE/NAME or NAMESPACE/NAME:PORT")
    if not 0 < port <= _HIGHEST_PORT:
        raise click.BadParameter(f"{number!r} is no port")
    return ServiceReference(namespace=namespace, name=name, port=port)


def _check_name(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A namespace is a DNS label; roles and service accounts may have dots."""
    fault_of = fault_of_dns_label if parameter.name == "namespace" else fault_of_dns_subdomain
    if value is not None and (fault := fault_of(value)):
        raise click.BadParameter(f"{value!r} {fault}")
    return value


@click.command("rbac", epilog=_EPILOG)
@cluster_options
@click.option(
    "--mode",
    "modes",
    type=click.Choice([mode.value for mode in Mode]),
    multiple=True,
    help="What is to be done. Repeatable; otherwise run, doctor, lint and seeds.",
)
@click.option(
    "--namespace",
    callback=_check_name,
    metavar="NS",
    help="The namespace pods are tried in; otherwise a temporary one, which takes more rights.",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    callback=_parse_services,
    metavar="NS/NAME[:PORT]",
    help="Limit service-proxy to this webhook's service. Repeatable.",
)
@click.option(
    "--name",
    callback=_check_name,
    default="webhook-fuzz",
    show_default=True,
    metavar="NAME",
    help="Name of the roles and of the service account.",
)
@click.option("--check", is_flag=True, help="Ask the API server what of it is missing.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of what --check says.",
)
def command(  # noqa: PLR0913 - the options of the command
    *,
    cluster: ClusterOptions,
    modes: tuple[str, ...],
    namespace: str | None,
    services: tuple[ServiceReference, ...],
    name: str,
    check: bool,
    form: str,
) -> Exit:
    """Print the least roles webhook-fuzz needs, or say which rights are missing.

    The roles come as YAML, with the reason above each rule and a binding whose subject is to be
    filled in. With --check nothing is printed but what you may not do, and what you will not see
    for it.
    """
    chosen = tuple(Mode(mode) for mode in modes) or DEFAULT_MODES
    if check:
        options = RoleOptions(modes=chosen, namespace=namespace, services=services)
        rights = asyncio.run(_review(cluster, options))
        click.echo(_as_json(rights) if form == "json" else _as_text(rights))
        return _exit_of(rights)
    if form == "json" or cluster.context or cluster.kubeconfig:
        raise click.UsageError("--format json, --context and --kubeconfig go with --check.")
    options = RoleOptions(modes=chosen, name=name, namespace=namespace, services=services)
    click.echo(render_roles(options), nl=False)
    return Exit.CLEAN


async def _review(cluster: ClusterOptions, options: RoleOptions) -> Rights:
    from webhook_fuzz.fuzzer.cluster.connections import Cluster  # noqa: PLC0415 - slow to import

    needs = needs_of(options.modes, namespace=options.namespace)
    async with Cluster(cluster) as api:
        return await review_needs(
            api, needs, namespace=options.namespace, services=options.services
        )


def _exit_of(rights: Rights) -> Exit:
    if rights.missing:
        return Exit.FINDINGS
    return Exit.INCOMPLETE if rights.not_seen else Exit.CLEAN


def _as_text(rights: Rights) -> str:
    lines = [missing.sentence for missing in rights.missing]
    lines += [f"not seen: {unseen.what} ({unseen.why})" for unseen in rights.not_seen]
    return "\n".join(lines) or "nothing is missing"


def _as_json(rights: Rights) -> str:
    return json.dumps(
        {
            "missing": [_entry(missing) for missing in rights.missing],
            "notSeen": [
                {"what": unseen.what, "why": unseen.why, "trouble": unseen.trouble}
                for unseen in rights.not_seen
            ],
            "complete": not rights.not_seen,
        },
        indent=1,
    )


def _entry(missing: Missing) -> dict[str, str]:
    access = missing.access
    return {
        "verb": access.verb,
        "group": access.group,
        "resource": access.resource,
        "path": access.path,
        "namespace": access.namespace,
        "name": access.name,
        "mode": missing.mode,
        "sentence": missing.sentence,
    }
