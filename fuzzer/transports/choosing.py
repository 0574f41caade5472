"""By which way can a webhook be reached from here, and why not by a better one?

A direct call is best: it shows the webhook alone, with TLS verified as the API server verifies it.
The service proxy shows it alone too. Where neither works, what the webhook does is seen only as a
part of the whole chain, in a server-side dry run; and a webhook with side effects is not called at
all unless the user says so.

A connection that fails from here says little about the API server's own (a laptop may find another
machine at a ClusterIP), so it only rules out the way: in the end the API server itself says, in a
dry run, whether it reaches the webhook.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook_fuzz.corpora.cluster_api.failures import Trouble, Unseen
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook
from webhook_fuzz.fuzzer.apiserver.review_versions import review_version
from webhook_fuzz.fuzzer.transports import Transport
from webhook_fuzz.fuzzer.transports.dialling import dial
from webhook_fuzz.fuzzer.transports.direct import (
    DEFAULT_ANSWER_LIMIT,
    DirectOptions,
    DirectTransport,
)
from webhook_fuzz.fuzzer.transports.reaching import (
    Reach,
    RefusedWay,
    TransportFactory,
    Way,
)
from webhook_fuzz.fuzzer.transports.service_proxy import (
    DIFFERENCES,
    ServiceProxyOptions,
    ServiceProxyTransport,
)
from webhook_fuzz.fuzzer.transports.services import (
    cluster_ip,
    count_ready_endpoints,
    find_service,
    has_port,
    may_use_proxy,
)

_NO_SIDE_EFFECTS = frozenset({"None", "NoneOnDryRun"})


def is_inside_cluster() -> bool:
    """Whether this runs in a pod. Source: rest.InClusterConfig in k8s.io/client-go."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachOptions:
    """What may be tried. `dial_seconds` is how long a connection may take to be worth waiting for.

    With `allow_side_effects`, webhooks that say they change something are called directly.
    """

    allow_side_effects: bool = False
    inside_cluster: bool = field(default_factory=is_inside_cluster)
    dial_seconds: float = 2.0
    concurrency: int = 8
    answer_limit: int = DEFAULT_ANSWER_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A way that works: why it is taken, and what opens it."""

    why: str
    open: TransportFactory


_Tried: TypeAlias = _Found | str
"""A way that works, or why it does not: one sentence."""


async def choose_reaches(
    webhooks: Iterable[Webhook], api: ClusterApi, options: ReachOptions | None = None
) -> list[Reach]:
    """The way to each webhook, in their order, looked for side by side."""
    return await asyncio.gather(*(choose_reach(webhook, api, options) for webhook in webhooks))


async def choose_reach(
    webhook: Webhook, api: ClusterApi, options: ReachOptions | None = None
) -> Reach:
    """The best way to a webhook that works, with the reason against every better one.

    Nothing is sent to the webhook, and nothing is stored in the cluster.
    """
    chooser = _Chooser(webhook=webhook, api=api, options=options or ReachOptions())
    ways = chooser.ways()
    barred = chooser.bar()
    if barred is not None:
        all_ways = [RefusedWay(way=way, reason=barred) for way, _ in ways]
        return _chain_only(webhook, all_ways, barred)
    refused = list[RefusedWay]()
    for way, try_it in ways:
        tried = await try_it()
        if isinstance(tried, _Found):
            return Reach(
                webhook=webhook,
                way=way,
                why=tried.why,
                version=review_version(webhook),
                open=tried.open,
                refused=tuple(refused),
            )
        refused.append(RefusedWay(way=way, reason=tried))
    return _chain_only(webhook, refused, "No way to call it alone works from here.")


def _chain_only(webhook: Webhook, refused: Sequence[RefusedWay], why: str) -> Reach:
    """What is left when a webhook cannot be called alone."""
    version = review_version(webhook)
    if not _may_run_dry(webhook):
        reason = f"The API server refuses dry runs it is part of ({_side_effects(webhook)})."
        last = RefusedWay(way=Way.DRY_RUN, reason=reason)
        refused = [*refused, last]
        return Reach(
            webhook=webhook, way=Way.NONE, why=why, version=version, refused=tuple(refused)
        )
    return Reach(
        webhook=webhook,
        way=Way.DRY_RUN,
        why=f"{why} It is seen as a part of the chain only.",
        version=version,
        refused=tuple(refused),
    )


def _may_run_dry(webhook: Webhook) -> bool:
    """Source: k8s.io/apiserver pkg/admission/plugin/webhook/mutating/dispatcher.go (400)."""
    return webhook.side_effects in _NO_SIDE_EFFECTS


def _side_effects(webhook: Webhook) -> str:
    return f"sideEffects is {webhook.side_effects or 'not set'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chooser:
    """Tries the ways to one webhook."""

    webhook: Webhook
    api: ClusterApi
    options: ReachOptions

    def bar(self) -> str | None:
        """Why the webhook must not, or cannot, be called by anybody; None when it can."""
        if not _may_run_dry(self.webhook) and not self.options.allow_side_effects:
            return (
                f"{_side_effects(self.webhook)}: calling it may change something; "
                "--allow-side-effects calls it all the same."
            )
        if review_version(self.webhook) is None:
            return (
                "admissionReviewVersions lists neither v1 nor v1beta1: the API server cannot "
                "call it either."
            )
        try:
            _ = self.webhook.ca_bundle
        except ValueError as error:
            return f"{error}: the API server cannot call it either."
        return None

    def ways(self) -> list[tuple[Way, Callable[[], Awaitable[_Tried]]]]:
        """The ways there are to such a webhook, the best first."""
        service, url = self.webhook.service, self.webhook.url
        if service is not None:
            return [
                (Way.SERVICE_NAME, lambda: self._by_name(service)),
                (Way.CLUSTER_IP, lambda: self._by_cluster_ip(service)),
                (Way.SERVICE_PROXY, lambda: self._by_proxy(service)),
            ]
        if url is not None:
            return [(Way.URL, lambda: self._by_url(url))]
        return []

    async def _by_url(self, url: str) -> _Tried:
        return await self._directly(self._direct(url), "It answers at its URL.")

    async def _by_name(self, service: ServiceReference) -> _Tried:
        if not self.options.inside_cluster:
            return "Service names resolve inside the cluster only."
        name = service.server_name
        url = f"https://{name}:{service.port}{service.path}"
        return await self._directly(
            self._direct(url, service), f"Its service answers under its name, {name}."
        )

    async def _by_cluster_ip(self, service: ServiceReference) -> _Tried:
        found = await find_service(self.api, service)
        if isinstance(found, Unseen):
            return _sentence(found)
        address = cluster_ip(found)
        if address is None:
            return f"The service {service.server_name} has no ClusterIP."
        if not has_port(found, service.port):
            return f"The service {service.server_name} has no port {service.port}."
        host = f"[{address}]" if ":" in address else address
        url = f"https://{host}:{service.port}{service.path}"
        return await self._directly(
            self._direct(url, service),
            f"Its service answers at {address}, with a certificate for {service.server_name}.",
        )

    async def _by_proxy(self, service: ServiceReference) -> _Tried:
        allowed = await may_use_proxy(self.api, service)
        if isinstance(allowed, Unseen):
            return _sentence(allowed)
        if not allowed:
            return (
                "The permission to create services/proxy in the namespace "
                f"{service.namespace} is missing; `webhook-fuzz rbac` prints what is needed."
            )
        ready = await count_ready_endpoints(self.api, service)
        if ready == 0:
            return f"The service {service.server_name} has no ready endpoint."
        unseen = isinstance(ready, Unseen)
        seen = " Whether it has ready endpoints could not be seen." if unseen else ""
        return _Found(
            why=f"The API server's service proxy leads to it ({DIFFERENCES}).{seen}",
            open=lambda: self._proxied(service),
        )

    async def _directly(self, direct: DirectOptions, why: str) -> _Tried:
        try:
            failed = await dial(direct, seconds=self.options.dial_seconds)
        except InputError as error:
            return f"{_capital(error.message)}."
        if failed is not None:
            return f"{_capital(failed.detail)}."
        return _Found(why=why, open=lambda: DirectTransport(direct))

    def _direct(self, url: str, service: ServiceReference | None = None) -> DirectOptions:
        return DirectOptions(
            url=url,
            configuration=self.webhook.configuration,
            name=self.webhook.name,
            ca_bundle=self.webhook.ca_bundle,
            server_name=service.server_name if service else None,
            server_port=service.port if service else 443,
            timeout_seconds=self.webhook.timeout_seconds,
            concurrency=self.options.concurrency,
            answer_limit=self.options.answer_limit,
        )

    def _proxied(self, service: ServiceReference) -> AbstractAsyncContextManager[Transport]:
        options = ServiceProxyOptions(
            service=service,
            configuration=self.webhook.configuration,
            name=self.webhook.name,
            timeout_seconds=self.webhook.timeout_seconds,
            concurrency=self.options.concurrency,
            answer_limit=self.options.answer_limit,
        )
        return nullcontext(ServiceProxyTransport(self.api, options))


def _sentence(unseen: Unseen) -> str:
    if unseen.trouble is Trouble.NOT_FOUND:
        return f"{_capital(unseen.what)} does not exist."
    return f"{_capital(unseen.what)} cannot be seen: {unseen.why}."


def _capital(text: str) -> str:
    """A sentence's first letter; an address it may begin with stays as it is."""
    first = text.partition(" ")[0]
    return text if "." in first or ":" in first else text[:1].upper() + text[1:]
