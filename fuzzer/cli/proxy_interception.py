"""How is `webhook-fuzz proxy` told to intercept a cluster's webhooks?

async with open_interception(arguments, tell=tell) as prepared:
    … serve prepared.routes with a certificate for prepared.names …
    async with prepared.active(ca_pem, seen=counts):
        … until it is stopped …
"""

import functools
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision, match_webhook
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.fuzzer.cli.quantities import DURATION
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.proxy.interception.interceptions import Prepared
from webhook_fuzz.proxy.interception.options import (
    InterceptionOptions,
    parse_address,
    parse_service_target,
    parse_url_target,
)
from webhook_fuzz.proxy.interception.patches import render_patch
from webhook_fuzz.proxy.interception.preparing import prepare_interception

_Command = TypeVar("_Command", bound=Callable[..., Any])
_MOST_TTL: Final = 90 * 86400.0
_LEAST_TTL: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptionArguments:
    """The options as they were given; `ttl` is in seconds."""

    context: str | None
    kubeconfig: Path | None
    in_cluster: bool
    webhook: tuple[str, ...]
    all_webhooks: bool
    service: str | None
    advertise: str | None
    ttl: float
    dial: tuple[str, ...]
    backup_dir: Path | None
    dry_run: bool

    @property
    def is_asked(self) -> bool:
        """Whether a cluster is to be intercepted at all."""
        return bool(self.webhook or self.all_webhooks)

    @property
    def cluster(self) -> ClusterOptions:
        """Which cluster."""
        return ClusterOptions(context=self.context, kubeconfig=self.kubeconfig)

    def check(self) -> None:
        """Raises UsageError for combinations that make no sense."""
        if not self.is_asked:
            lonely = [name for name, given in self._others().items() if given]
            if lonely:
                raise click.UsageError(f"{lonely[0]} goes with --webhook or --all.")
            return
        if self.webhook and self.all_webhooks:
            raise click.UsageError("Give --webhook or --all, not both.")
        if (self.context is None) != self.in_cluster:
            raise click.UsageError("Give --context NAME or --in-cluster: the one, not the other.")
        if (self.service is None) == (self.advertise is None):
            raise click.UsageError(
                "Give --service NS/NAME or --advertise URL: where the API server finds this proxy."
            )
        if not _LEAST_TTL <= self.ttl <= _MOST_TTL:
            raise click.UsageError("--ttl must be from 1m to 90d.")

    def _others(self) -> dict[str, object]:
        return {
            "--context": self.context,
            "--kubeconfig": self.kubeconfig,
            "--in-cluster": self.in_cluster,
            "--service": self.service,
            "--advertise": self.advertise,
            "--dial": self.dial,
            "--backup-dir": self.backup_dir,
            "--dry-run": self.dry_run,
        }

    def build(self, server: str) -> InterceptionOptions:
        """As `prepare_interception` takes them. Raises InputError."""
        return InterceptionOptions(
            target=parse_service_target(self.service)
            if self.service is not None
            else parse_url_target(self.advertise or ""),
            webhooks=self.webhook,
            all=self.all_webhooks,
            ttl=timedelta(seconds=self.ttl),
            inside=self.in_cluster,
            dial=dict(map(_parse_dial, self.dial)),
            server=server,
            backup_folder=self.backup_dir,
        )


INTERCEPTION: Final = (
    click.option("--context", metavar="NAME", help="Context of the kubeconfig."),
    click.option(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Kubeconfig file; KUBECONFIG or ~/.kube/config otherwise.",
    ),
    click.option("--in-cluster", is_flag=True, help="The cluster this runs in."),
    click.option(
        "--webhook",
        multiple=True,
        metavar="CONFIG/NAME",
        help="Have this webhook called through the proxy until it is stopped. Repeatable.",
    ),
    click.option("--all", "all_webhooks", is_flag=True, help="All mutating webhooks."),
    click.option(
        "--service",
        metavar="NS/NAME[:PORT]",
        help="The Service the API server finds this proxy by.",
    ),
    click.option(
        "--advertise",
        metavar="https://HOST:PORT",
        help="Or the address it finds it at.",
    ),
    click.option(
        "--ttl",
        type=DURATION,
        default="1h",
        show_default=True,
        help="When others may put it back; prolonged while the proxy runs.",
    ),
    click.option(
        "--dial",
        multiple=True,
        metavar="CONFIG/NAME=HOST:PORT",
        help="Where the proxy reaches this webhook, if not at its ClusterIP. Repeatable.",
    ),
    click.option(
        "--backup-dir",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Where the configurations are kept meanwhile. [default: webhook-fuzz/interceptions in "
        "XDG_STATE_HOME]",
    ),
    click.option(
        "--dry-run", is_flag=True, help="Print the patches for the cluster, and change nothing."
    ),
)


def interception_options(command: _Command) -> _Command:
    """Add them all; the command gets `interception: InterceptionArguments`."""

    @functools.wraps(command)
    def with_interception(*args: object, **given: Any) -> object:  # noqa: ANN401 - as click has them
        taken = {each.name: given.pop(each.name) for each in fields(InterceptionArguments)}
        return command(*args, interception=InterceptionArguments(**taken), **given)

    wrapped: Any = with_interception
    for option in reversed(INTERCEPTION):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # click replaces the signature


@asynccontextmanager
async def open_interception(
    arguments: InterceptionArguments, *, tell: Callable[[str], None]
) -> AsyncGenerator[Prepared]:
    """Open the cluster and prepare; it stays open until this is left.

    `tell` gets a line for people at a time, warnings first. Raises InputError for what is refused,
    ClusterError where the cluster cannot be read.
    """
    from webhook_fuzz.fuzzer.cli.interception_probes import PodProbes  # noqa: PLC0415 - slow
    from webhook_fuzz.fuzzer.cluster.connections import Cluster  # noqa: PLC0415 - as above

    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Cluster(arguments.cluster))
        probes = PodProbes(cluster, arguments.cluster, stack)
        options = arguments.build(cluster.server)
        prepared = await prepare_interception(cluster, options, tell=tell, find_probes=probes.find)
        webhooks = [each.webhook for each in prepared.chosen]
        if options.target.service is not None:
            for line in await refuse_own_namespace(cluster, webhooks, options.target.service):
                tell(line)
        for line in prepared.warnings:
            tell(line)
        tell("to undo it without this program (also if it is killed):")
        for line in prepared.undo:
            tell(f"  {line}")
        yield prepared


async def render_dry_run(prepared: Prepared, ca_pem: bytes) -> str:
    """The patches, a JSON document for each configuration, tried by the API server (dryRun=All).

    Raises ClusterError when it refuses one of them.
    """
    try:
        await prepared.validate(ca_pem)
        tried = "# The API server accepts them (tried with dryRun=All). Nothing was changed."
    except ClusterError as error:
        if error.trouble is not Trouble.FORBIDDEN:
            raise
        tried = "# Not tried by the API server: you may not patch them. Nothing was changed."
    lines = [tried]
    for name, patch in prepared.patches(ca_pem).items():
        lines.append(f"# kubectl patch mutatingwebhookconfiguration {name} --type=json -p …")
        lines.append(render_patch(patch).decode())
    return "\n".join([*lines, ""])


async def refuse_own_namespace(
    api: ClusterApi, webhooks: Sequence[Webhook], service: ServiceReference
) -> list[str]:
    """Raises InputError where a webhook with the policy Fail is called for the proxy's own pods.

    Without a proxy no such pod could be made, and without the pod there is no proxy. What is
    returned are sentences on webhooks that would only slow them down.
    """
    labels, pod_labels = await _read_own(api, service)
    called = [*_called(webhooks, service.namespace, labels, pod_labels)]
    failing = [each.identity for each in called if each.failure_policy == "Fail"]
    if failing:
        raise InputError(
            f"{', '.join(failing)}: called for pods in {service.namespace}, where the proxy itself "
            "is: should it stop, no new proxy could be made",
            hint="Exclude the namespace in their namespaceSelector, leave them out, or use "
            "`webhook-fuzz proxy install`, which labels its namespace so that they stay away.",
        )
    return [
        f"{each.identity}: called for the proxy's own pods, which wait for its timeout when the "
        "proxy is not there (failurePolicy Ignore)"
        for each in called
    ]


async def _read_own(
    api: ClusterApi, service: ServiceReference
) -> tuple[Mapping[str, str] | None, Mapping[str, str]]:
    """The labels of the proxy's namespace (None: not to be seen), and those of its pods."""
    path = f"/api/v1/namespaces/{service.namespace}"
    space = await attempt(get_object(api, path), "namespaces")
    found = await attempt(get_object(api, f"{path}/services/{service.name}"), "services")
    selector: JsonObject = {} if isinstance(found, Unseen) else object_at(found, "spec", "selector")
    labels = None if isinstance(space, Unseen) else object_labels(space)
    return labels, {key: str(value) for key, value in selector.items()}


def _called(
    webhooks: Sequence[Webhook],
    namespace: str,
    labels: Mapping[str, str] | None,
    pod_labels: Mapping[str, str],
) -> Iterator[Webhook]:
    pod: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {**pod_labels}},
        "spec": {},
    }
    attributes = pod_attributes(pod, namespace=namespace, namespace_labels=labels, dry_run=False)
    for webhook in webhooks:
        # What only the API server can decide counts as yes.
        if match_webhook(webhook, attributes).decision is not Decision.SKIPPED:
            yield webhook


def _parse_dial(text: str) -> tuple[str, tuple[str, int]]:
    name, separator, address = text.partition("=")
    if not separator or "/" not in name:
        raise InputError(f"--dial {text!r} is not understood", hint="Write CONFIG/NAME=HOST:PORT.")
    return name, parse_address(address)
