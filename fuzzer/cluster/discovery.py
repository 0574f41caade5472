"""Which webhooks does a cluster have, in the order it calls them, and what stands behind each?

One list of configurations, one of namespaces, then a few small requests for every Service that is
referred to. What may not be seen is said; the list of configurations is all that must be there.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import orjson

from webhook_fuzz.corpora.admission import UserInfo
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Seen, Unseen, attempt, each_once
from webhook_fuzz.corpora.cluster_api.requests import (
    ClusterApi,
    ClusterRequest,
    get_object,
    list_objects,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import list_at, object_at, objects_at
from webhook_fuzz.corpora.webhooks import list_webhooks
from webhook_fuzz.fuzzer.apiserver.attributes import UNKNOWN_USER
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.fuzzer.cluster.discoveries import Discovery, Images, join_webhook
from webhook_fuzz.fuzzer.cluster.surroundings import Backend, Labels
from webhook_fuzz.fuzzer.cluster.surveying import list_configurations, survey

_MOST_PODS: Final = 10


async def discover(
    api: ClusterApi, *, now: datetime, dial: bool, namespace: str | None = None
) -> Discovery:
    """Everything there is to see; with `dial`, what those serve that can be reached from here.

    `namespace` is one whose labels are wanted even where namespaces cannot be listed. Raises
    ClusterError where the configurations cannot be listed.
    """
    configurations, namespaces, user = await asyncio.gather(
        list_configurations(api), attempt(_read_namespaces(api), "namespaces"), read_user(api)
    )
    webhooks = list_webhooks(configurations)
    around = await survey(api, webhooks, now=now, dial=dial)
    images = await _read_images(api, around.backends)
    known = {**around.namespaces}
    labels = None if isinstance(namespaces, Unseen) else namespaces
    if labels is not None:
        known.update(labels)
    elif namespace is not None:
        known.update(await _read_namespace(api, namespace))
    return Discovery(
        webhooks=tuple(join_webhook(webhook, around, images, labels) for webhook in webhooks),
        around=around,
        namespaces=labels,
        labels=known,
        user=user,
        version=around.version,
        not_seen=each_once([namespaces, *around.not_seen, *images.values()]),
    )


async def _read_namespace(api: ClusterApi, name: str) -> dict[str, Labels]:
    found = await attempt(get_object(api, f"/api/v1/namespaces/{name}"), "namespaces")
    return {} if isinstance(found, Unseen) else {name: object_labels(found)}


async def read_user(api: ClusterApi) -> UserInfo:
    """Who we are for the API server; UNKNOWN_USER where it does not say.

    Source: k8s.io/api authentication/v1 SelfSubjectReview, which stores nothing.
    """
    version = "authentication.k8s.io/v1"
    body = orjson.dumps({"apiVersion": version, "kind": "SelfSubjectReview"})
    path = f"/apis/{version}/selfsubjectreviews"
    try:
        answer = await api.ask(ClusterRequest(method="POST", path=path, query={}, body=body))
    except ClusterError:
        return UNKNOWN_USER
    status = (answer.document() or {}).get("status")
    user = status.get("userInfo") if isinstance(status, dict) else None
    return _user(user) if isinstance(user, dict) else UNKNOWN_USER


def _user(given: JsonObject) -> UserInfo:
    """With empty members for those it does not have: they are known to be empty."""
    extra = object_at(given, "extra")
    return {
        "username": str(given.get("username", "")),
        "uid": str(given.get("uid", "")),
        "groups": [str(group) for group in list_at(given, "groups")],
        "extra": {key: [str(value) for value in list_at(extra, key)] for key in extra},
    }


async def _read_namespaces(api: ClusterApi) -> dict[str, Labels]:
    found = await list_objects(api, "/api/v1/namespaces")
    return {str(object_at(each, "metadata").get("name")): object_labels(each) for each in found}


async def _read_images(
    api: ClusterApi, backends: Mapping[tuple[str, str], Seen[Backend]]
) -> Images:
    """The images of the pods behind each Service that selects any."""
    selectors = {
        key: backend.pod_labels
        for key, backend in backends.items()
        if isinstance(backend, Backend) and backend.pod_labels
    }
    asked = [
        attempt(_read_pod_images(api, namespace, labels), "pods")
        for (namespace, _), labels in selectors.items()
    ]
    return dict(zip(selectors, await asyncio.gather(*asked), strict=True))


async def _read_pod_images(api: ClusterApi, namespace: str, labels: Labels) -> tuple[str, ...]:
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    query = {"labelSelector": selector, "limit": str(_MOST_PODS)}
    page = await get_object(api, f"/api/v1/namespaces/{namespace}/pods", query)
    images = [
        container.get("image")
        for pod in objects_at(page, "items")
        for container in objects_at(object_at(pod, "spec"), "containers")
    ]
    return tuple(dict.fromkeys(image for image in images if isinstance(image, str)))
