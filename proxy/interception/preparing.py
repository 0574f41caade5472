"""What would an interception do, and may it?

Reads and refuses; nothing is written before `Interception.active` or `begin` is entered.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TypeAlias

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object, list_objects
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook
from webhook_fuzz.proxy.interception.choosing import Chosen, choose
from webhook_fuzz.proxy.interception.interceptions import Prepared
from webhook_fuzz.proxy.interception.options import InterceptionOptions
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS
from webhook_fuzz.proxy.interception.rerouting import build_route
from webhook_fuzz.proxy.interception.waiting import Probes
from webhook_fuzz.proxy.routes import Route

_DIAL_SECONDS: Final = 5.0

FindProbes: TypeAlias = Callable[[Sequence[Webhook]], Awaitable[Probes]]
"""How the API server is made to call webhooks; asked once, when an interception is prepared."""
Dials: TypeAlias = Callable[[str, int], Awaitable[bool]]
"""Whether somebody can be connected to."""


async def can_dial(host: str, port: int) -> bool:
    """Whether a TCP connection comes about within five seconds."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _DIAL_SECONDS)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def prepare_interception(
    api: ClusterApi,
    options: InterceptionOptions,
    *,
    tell: Callable[[str], None] = lambda _: None,
    find_probes: FindProbes | None = None,
    dials: Dials = can_dial,
) -> Prepared:
    """Read the cluster and work out everything that is going to be changed.

    `tell` gets one line for people at a time, now and while the interception is active. Raises
    InputError for what is refused (see choosing.py), or when a webhook cannot be reached from here:
    then every call of it would fail. Of all webhooks, such a one is left out. Raises ClusterError
    where something cannot be read.
    """
    choice = choose(await list_objects(api, CONFIGURATIONS), options, now=datetime.now(UTC))
    places = await asyncio.gather(
        *(_place(api, each, options, dials=dials) for each in choice.chosen)
    )
    refused = [each for each in places if isinstance(each, InputError)]
    if refused and not options.all:
        raise refused[0]
    for error in refused:
        tell(f"left out: {error.message}")
    placed = [each for each in places if not isinstance(each, InputError)]
    if not placed:
        raise InputError("no webhook can be intercepted", hint=refused[0].hint)
    webhooks = [chosen.webhook for chosen, _ in placed]
    names = {webhook.configuration for webhook in webhooks}
    return Prepared(
        api=api,
        options=options,
        chosen=tuple(chosen for chosen, _ in placed),
        configurations={
            name: each for name, each in choice.configurations.items() if name in names
        },
        routes=tuple(route for _, route in placed),
        probes=Probes() if find_probes is None else await find_probes(webhooks),
        session=secrets.token_hex(8),
        tell=tell,
    )


async def _place(
    api: ClusterApi, chosen: Chosen, options: InterceptionOptions, *, dials: Dials
) -> tuple[Chosen, Route] | InputError:
    """The route of one webhook, or why it cannot be reached."""
    try:
        route = await _route(api, chosen.webhook, options)
    except InputError as error:
        return error
    upstream = route.upstream
    if options.inside or await dials(upstream.host, upstream.port):
        return chosen, route
    identity = chosen.webhook.identity
    return InputError(
        f"{identity} cannot be reached from here at {upstream.host}:{upstream.port}: with the "
        "proxy in between, every call of it would fail",
        hint=f"Say where it is reached with --dial {identity}=HOST:PORT (`kubectl port-forward`), "
        "or run the proxy in the cluster: `webhook-fuzz proxy install`.",
    )


async def _route(api: ClusterApi, webhook: Webhook, options: InterceptionOptions) -> Route:
    dial = options.dial.get(webhook.identity)
    if dial is None and webhook.service is not None and not options.inside:
        dial = await _find_address(api, webhook, webhook.service)
    return build_route(webhook, dial=dial, dns=options.inside)


async def _find_address(
    api: ClusterApi, webhook: Webhook, service: ServiceReference
) -> tuple[str, int] | None:
    """Where the API server dials: ClusterIP and the Service's own port.

    Source: k8s.io/apiserver pkg/util/proxy/proxy.go ResolveCluster.
    """
    path = f"/api/v1/namespaces/{service.namespace}/services/{service.name}"
    try:
        spec = object_at(await get_object(api, path), "spec")
    except ClusterError as error:
        if error.trouble is not Trouble.NOT_FOUND:
            raise
        raise InputError(
            f"{webhook.identity}: there is no Service {service.namespace}/{service.name}",
            hint="No call of it can succeed: leave it out.",
        ) from error
    ports = [each.get("port") for each in objects_at(spec, "ports")]
    if spec.get("type") == "ExternalName":
        return text_at(spec, "externalName"), service.port
    if service.port not in ports:
        raise InputError(
            f"{webhook.identity}: the Service {service.namespace}/{service.name} has no port "
            f"{service.port}",
            hint="No call of it can succeed: leave it out.",
        )
    address = text_at(spec, "clusterIP")
    return None if address in {"", "None"} else (address, service.port)
