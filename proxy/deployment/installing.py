"""In which order does the proxy get into a cluster, and out of it?

In: everything that can be refused is refused before anything is written; webhooks are re-pointed
only when the proxies serve. Out: webhooks first, and what serves them last. Interrupted anywhere,
either can be done again, and the other undoes it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, list_objects
from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.proxy.deployment.applying import apply_objects, check_nothing_foreign
from webhook_fuzz.proxy.deployment.identities import prepare_identity
from webhook_fuzz.proxy.deployment.installations import PROXY, Installation, build_objects
from webhook_fuzz.proxy.deployment.places import name_of
from webhook_fuzz.proxy.deployment.removing import remove_installation
from webhook_fuzz.proxy.deployment.rollouts import wait_for_rollout
from webhook_fuzz.proxy.routes import Route, RouteTable
from webhook_fuzz.proxy.routes_files import dump_routes

Tell = Callable[[str], None]

SETTLE_SECONDS: Final = 5.0
"""API servers learn of a restored configuration by watching: a moment later, each for itself."""
_REMOVAL_SECONDS: Final = 180.0
_REGISTRATION: Final = "/apis/admissionregistration.k8s.io/v1"
_CONFIGURATIONS: Final = (
    f"{_REGISTRATION}/mutatingwebhookconfigurations",
    f"{_REGISTRATION}/validatingwebhookconfigurations",
)


class Redirection(Protocol):
    """What is to be re-pointed at the proxy.

    `routes` lead to the webhooks themselves; `configurations` are the names of what is patched;
    `names` those the certificate must be for.
    """

    @property
    def routes(self) -> Sequence[Route]:
        """One for each webhook."""
        ...

    @property
    def configurations(self) -> Sequence[str]:
        """Each once."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """At least one."""
        ...

    async def begin(self, ca_pem: bytes) -> None:
        """Re-point them for the time of the lease, and wait until the API server follows.

        Raises WebhookFuzzError, with everything as before, when that fails.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is going to be done: the objects in their order, what goes into caBundles."""

    objects: Sequence[JsonObject]
    ca_pem: bytes


async def plan_installation(
    api: ClusterApi, wanted: Installation, redirection: Redirection, *, ttl: float, now: float
) -> Plan:
    """What `install` is going to apply; nothing is written.

    Raises InputError where something of somebody else is in the way, ClusterError where the
    cluster does not show what is there.
    """
    names = tuple(dict.fromkeys((wanted.server_name, *redirection.names)))
    identity = await prepare_identity(api, wanted.namespace, names, seconds=ttl, now=now)
    objects = build_objects(
        replace(
            wanted,
            configurations=tuple(redirection.configurations),
            routes=dump_routes(RouteTable.of(redirection.routes)),
            certificate=identity.certificate,
            authority=identity.authority,
        )
    )
    await check_nothing_foreign(api, objects)
    return Plan(objects=objects, ca_pem=identity.ca_pem)


async def install(
    api: ClusterApi, plan: Plan, redirection: Redirection, *, rollout: float, tell: Tell
) -> None:
    """Apply, wait until the proxies serve, re-point. Raises WebhookFuzzError at what fails first.

    What has been done by then stays, for the next try or for `uninstall`.
    """
    namespace = next(
        str(each["metadata"]["namespace"])
        for each in plan.objects
        if isinstance(each["metadata"], dict) and "namespace" in each["metadata"]
    )
    await apply_objects(api, plan.objects, tell=tell)
    await wait_for_rollout(api, namespace, seconds=rollout, tell=tell)
    await redirection.begin(plan.ca_pem)


async def check_nobody_is_left(api: ClusterApi, namespace: str) -> None:
    """Raises IncompleteRunError where a webhook still leads to the proxies, whoever pointed it.

    That may be one that was re-pointed by hand, or one whose backup somebody damaged.
    """
    left = [
        f"{name_of(configuration)}/{text_at(webhook, 'name')}"
        for collection in _CONFIGURATIONS
        for configuration in await list_objects(api, collection)
        for webhook in objects_at(configuration, "webhooks")
        if _leads_to(object_at(webhook, "clientConfig", "service"), namespace)
    ]
    if left:
        raise IncompleteRunError(
            f"{', '.join(left)} still lead to the proxy: nothing was deleted",
            hint="`webhook-fuzz restore` says what it knows of them. Put them back by hand as "
            "docs/proxy.md shows, then run this again.",
        )


def _leads_to(service: JsonObject, namespace: str) -> bool:
    return (service.get("namespace"), service.get("name")) == (namespace, PROXY)


async def uninstall(
    api: ClusterApi,
    namespace: str,
    *,
    restore: Callable[[], Awaitable[None]],
    settle: float = SETTLE_SECONDS,
    tell: Tell,
) -> None:
    """Put the webhooks back, wait until nobody calls the proxies any more, delete everything.

    Raises WebhookFuzzError when a webhook cannot be put back: then nothing is deleted, for it
    would be called at an address where nobody is.
    """
    await restore()
    await check_nobody_is_left(api, namespace)
    if settle:
        tell(f"waiting {settle:.0f} s for API servers to follow")
        await asyncio.sleep(settle)
    await remove_installation(api, namespace, seconds=_REMOVAL_SECONDS, tell=tell)
