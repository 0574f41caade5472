"""What stands around the webhooks of a cluster?

Namespaces, Services, their endpoints and pods are asked for one by one, side by side: a cluster
with ten thousand Services is not listed for the sake of thirty. What may not be seen becomes an
`Unseen`, and is never taken for "there is none".
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Seen,
    Trouble,
    Unseen,
    attempt,
    each_once,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object, list_objects
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import list_at, object_at, objects_at
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook
from webhook_fuzz.fuzzer.apiserver.selectors import is_empty, object_labels
from webhook_fuzz.fuzzer.cluster.served_certificates import Address, look_at_certificates
from webhook_fuzz.fuzzer.cluster.surroundings import Backend, Labels, Surroundings, View

_T = TypeVar("_T")

_REGISTRATIONS: Final = "/apis/admissionregistration.k8s.io/v1"
_SYSTEM_NAMESPACE: Final = "kube-system"


async def list_configurations(api: ClusterApi) -> list[JsonObject]:
    """Every MutatingWebhookConfiguration. Raises ClusterError where they cannot be listed."""
    return await list_objects(api, f"{_REGISTRATIONS}/mutatingwebhookconfigurations")


async def count_validating(api: ClusterApi) -> int:
    """How many ValidatingWebhookConfigurations there are; 0 where they may not be listed."""
    path = f"{_REGISTRATIONS}/validatingwebhookconfigurations"
    found = await attempt(list_objects(api, path), "validating configurations")
    return 0 if isinstance(found, Unseen) else len(found)


@dataclass(slots=True)
class _Services:
    """Services that were read, kept for the dialling afterwards."""

    backends: dict[tuple[str, str], Seen[Backend]] = field(
        default_factory=dict[tuple[str, str], "Seen[Backend]"]
    )
    addresses: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])


async def survey(
    api: ClusterApi, webhooks: Sequence[Webhook], *, now: datetime, dial: bool
) -> Surroundings:
    """Everything around `webhooks`; with `dial`, what they serve where they can be reached."""
    names = {_SYSTEM_NAMESPACE, *(service.namespace for service in _services(webhooks))}
    services = _Services()
    version, namespaces, _ = await asyncio.gather(
        attempt(_read_version(api), "the API server's version"),
        _gather({name: attempt(_read_labels(api, name), "namespaces") for name in sorted(names)}),
        _read_backends(api, webhooks, services),
    )
    around = Surroundings(
        view=View.CLUSTER,
        now=now,
        version=None if isinstance(version, Unseen) else version,
        namespaces={
            name: labels for name, labels in namespaces.items() if not isinstance(labels, Unseen)
        },
        backends=services.backends,
        not_seen=_merge([version, *namespaces.values(), *services.backends.values()]),
    )
    if not dial:
        return around
    addresses = [_address(webhook, services) for webhook in webhooks]
    return replace(around, certificates=await look_at_certificates(filter(None, addresses)))


def _services(webhooks: Iterable[Webhook]) -> Iterable[ServiceReference]:
    return (webhook.service for webhook in webhooks if webhook.service is not None)


async def _gather(asked: Mapping[str, Awaitable[_T]]) -> dict[str, _T]:
    return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))


async def _read_version(api: ClusterApi) -> Minor | None:
    found = await get_object(api, "/version")
    try:
        return parse_minor(str(found.get("gitVersion")))
    except InputError:
        return None


async def _read_labels(api: ClusterApi, name: str) -> Labels:
    return object_labels(await get_object(api, f"/api/v1/namespaces/{name}"))


async def _read_backends(api: ClusterApi, webhooks: Sequence[Webhook], services: _Services) -> None:
    # Pods are read only where a selector turns on their labels.
    selective = {
        (webhook.service.namespace, webhook.service.name)
        for webhook in webhooks
        if webhook.service is not None and not is_empty(webhook.object_selector)
    }
    keys = sorted({(service.namespace, service.name) for service in _services(webhooks)})
    await asyncio.gather(
        *(_read_backend(api, key, services, with_pods=key in selective) for key in keys)
    )


async def _read_backend(
    api: ClusterApi, key: tuple[str, str], services: _Services, *, with_pods: bool
) -> None:
    try:
        found = await _read_service(api, key, services, with_pods=with_pods)
    except ClusterError as error:
        found = Unseen(what="services", why=error.message, trouble=error.trouble)
    services.backends[key] = found


async def _read_service(
    api: ClusterApi, key: tuple[str, str], services: _Services, *, with_pods: bool
) -> Seen[Backend]:
    namespace, name = key
    try:
        service = await get_object(api, f"/api/v1/namespaces/{namespace}/services/{name}")
    except ClusterError as error:
        if error.trouble is Trouble.NOT_FOUND:
            return Backend(exists=False)
        raise
    spec = object_at(service, "spec")
    ports = [port.get("port") for port in objects_at(spec, "ports")]
    services.addresses[key] = str(spec.get("clusterIP") or "")
    selector = _strings(object_at(spec, "selector"))
    backend = Backend(
        exists=True,
        ports=tuple(port for port in ports if isinstance(port, int)),
        pod_labels=selector or None,
    )
    if spec.get("type") == "ExternalName":
        return replace(backend, ports=())
    ready = await attempt(_count_ready(api, namespace, name), "endpoint slices")
    if isinstance(ready, Unseen):
        return ready
    labels = await _read_pod_labels(api, namespace, selector) if with_pods and selector else None
    return replace(backend, ready=ready, pod_labels=labels or backend.pod_labels)


async def _count_ready(api: ClusterApi, namespace: str, name: str) -> int:
    """Addresses of ready endpoints. Ready is what is not said to be unready.

    Source: k8s.io/api discovery/v1/types.go EndpointConditions.
    """
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    label = "kubernetes.io/service-name"
    slices = await list_objects(api, path, {"labelSelector": f"{label}={name}"})
    ready: set[str] = set()
    for each in slices:
        if object_labels(each).get(label) != name:
            continue
        for endpoint in objects_at(each, "endpoints"):
            if object_at(endpoint, "conditions").get("ready") is not False:
                ready.update(map(str, list_at(endpoint, "addresses")))
    return len(ready)


async def _read_pod_labels(api: ClusterApi, namespace: str, selector: Labels) -> Labels | None:
    """Those of one of the pods; None where there is none, or they may not be seen.

    That is no gap: the selector, which is known, is a part of them.
    """
    query = {
        "labelSelector": ",".join(f"{key}={value}" for key, value in selector.items()),
        "limit": "1",
    }
    found = await attempt(get_object(api, f"/api/v1/namespaces/{namespace}/pods", query), "pods")
    items = [] if isinstance(found, Unseen) else objects_at(found, "items")
    return object_labels(items[0]) if items else None


def _address(webhook: Webhook, services: _Services) -> Address | None:
    try:
        bundle = webhook.ca_bundle
    except ValueError:
        return None
    service = webhook.service
    if service is None:
        return Address.of_url(webhook.position, webhook.url or "", bundle)
    host = services.addresses.get((service.namespace, service.name), "")
    if not bundle or host in {"", "None"}:
        return None
    return Address(
        position=webhook.position,
        host=host,
        port=service.port,
        server_name=service.server_name,
        bundle=bundle,
    )


def _merge(seen: Iterable[object]) -> tuple[Unseen, ...]:
    """One entry for each thing not seen, however many of its kind: the first reason stands for all.

    A namespace that is not there is no gap in what was seen.
    """
    unseen = [each for each in seen if isinstance(each, Unseen)]
    return each_once(each for each in unseen if each.trouble is not Trouble.NOT_FOUND)


def _strings(given: JsonObject) -> dict[str, str]:
    return {key: value for key, value in given.items() if isinstance(value, str)}
