"""Which webhooks of a cluster are re-pointed at the proxies in it, and how are they put back?

An interception as any other, but without a process that it belongs to: it ends with its time, or by
`proxy uninstall`. What is already re-pointed at the same proxies stays so, and gets the new time:
their routes are replaced as a whole, so that all of it has to be in them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, list_objects
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook
from webhook_fuzz.proxy.deployment.installations import PROXY
from webhook_fuzz.proxy.interception.interceptions import Prepared
from webhook_fuzz.proxy.interception.marks import Mark, read_marks
from webhook_fuzz.proxy.interception.options import (
    InterceptionOptions,
    Target,
    default_backup_folder,
)
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS
from webhook_fuzz.proxy.interception.preparing import prepare_interception
from webhook_fuzz.proxy.interception.restoring import Places, Selection, describe_outcome, restore
from webhook_fuzz.proxy.routes import Route

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRedirection:
    """A prepared interception, as the installing of the proxy needs it."""

    prepared: Prepared

    @property
    def routes(self) -> Sequence[Route]:
        """One for each webhook."""
        return self.prepared.routes

    @property
    def configurations(self) -> Sequence[str]:
        """The names of what is patched."""
        return [*self.prepared.configurations]

    @property
    def names(self) -> Sequence[str]:
        """What the certificate must be for."""
        return self.prepared.names

    @property
    def webhooks(self) -> Sequence[Webhook]:
        """What is re-pointed."""
        return [each.webhook for each in self.prepared.chosen]

    def describe(self, ca_pem: bytes) -> str:
        """The exact patches, as `kubectl patch --type=json` takes them."""
        return "".join(
            f"# kubectl patch mutatingwebhookconfiguration {name} --type=json -p …\n"
            f"{json.dumps(patch, indent=1)}\n"
            for name, patch in self.prepared.patches(ca_pem).items()
        )

    async def check(self, ca_pem: bytes) -> None:
        """Have the API server try the patches. Raises ClusterError for one it refuses."""
        await self.prepared.validate(ca_pem)

    async def begin(self, ca_pem: bytes) -> None:
        """Re-point for the time of the lease, and wait until the API server follows."""
        await self.prepared.begin(ca_pem)


async def plan_redirection(
    api: ClusterApi, options: InterceptionOptions, *, tell: Tell
) -> ClusterRedirection:
    """What is going to be re-pointed; nothing is changed. Raises WebhookFuzzError."""
    present = await _find_present(api, options.target)
    if options.webhooks:
        wanted = tuple(dict.fromkeys((*options.webhooks, *present)))
        options = replace(options, webhooks=wanted)
    prepared = await prepare_interception(api, options, tell=tell)
    for line in prepared.warnings:
        tell(line)
    return ClusterRedirection(prepared=prepared)


def options_for(
    namespace: str, *, webhooks: Sequence[str], ttl: float, server: str
) -> InterceptionOptions:
    """An interception for the proxies of a namespace; `webhooks` is empty for all of them."""
    return InterceptionOptions(
        target=Target(service=_service(namespace)),
        webhooks=tuple(webhooks),
        all=not webhooks,
        ttl=timedelta(seconds=ttl),
        inside=True,
        server=server,
    )


async def restore_all(api: ClusterApi, namespace: str, *, server: str, tell: Tell) -> None:
    """Put back all that leads to the proxies of a namespace. Raises WebhookFuzzError."""
    outcomes = await restore(
        api,
        Selection(service=_service(namespace)),
        now=datetime.now(UTC),
        places=Places(folder=default_backup_folder(), server=server),
    )
    for outcome in outcomes:
        tell(describe_outcome(outcome))


async def _find_present(api: ClusterApi, target: Target) -> list[str]:
    """The webhooks that lead to the target already, `CONFIG/NAME`."""
    return [
        mark.identity
        for configuration in await list_objects(api, CONFIGURATIONS)
        for _, mark in read_marks(configuration)
        if isinstance(mark, Mark) and _leads_to(mark, target)
    ]


def _leads_to(mark: Mark, target: Target) -> bool:
    service, wanted = object_at(mark.ours, "service"), target.service
    found = (service.get("namespace"), service.get("name"))
    return wanted is not None and found == (wanted.namespace, wanted.name)


def _service(namespace: str) -> ServiceReference:
    return ServiceReference(namespace=namespace, name=PROXY)
