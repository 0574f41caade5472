"""What makes the API servers call a webhook, without anything being stored?

A pod created as a dry run, in a namespace and with labels that the webhook selects; once for each
API server that can be reached at an address of its own. Webhooks that are not called for pods, or
whose matchConditions only the API server can decide, have no probe that is sure to reach them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

import orjson

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Unseen,
    attempt,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, ClusterRequest, list_objects
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import list_at, object_at, objects_at, text_at
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision, match_webhook
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.fuzzer.cluster.api_servers import Replica
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.staging.wanted_labels import find_labels
from webhook_fuzz.proxy.interception.waiting import Probe, Probes

_SLICES: Final = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_SECONDS: Final = 35.0
# Refused by a webhook or by a quota: it was called all the same, or is going to be seen not to be.
_NOT_ASKED: Final = frozenset({401, 403, 404, 429})


class PodProbes:
    """Finds probes; `stack` closes the connections to single API servers."""

    def __init__(self, api: ClusterApi, options: ClusterOptions, stack: AsyncExitStack) -> None:
        self._api = api
        self._options = options
        self._stack = stack

    async def find(self, webhooks: Sequence[Webhook]) -> Probes:
        """The probes for all of them that have one. Raises nothing: what fails has none."""
        namespaces = await attempt(list_objects(self._api, "/api/v1/namespaces"), "namespaces")
        addresses = await attempt(self._read_addresses(), "the API server's replicas")
        servers = None if isinstance(addresses, Unseen) else len(addresses) or None
        apis = await self._open([] if isinstance(addresses, Unseen) else addresses)
        labels = {} if isinstance(namespaces, Unseen) else dict(_labels(namespaces))
        by_webhook: dict[str, Sequence[Probe]] = {}
        for webhook in webhooks:
            request = find_request(webhook, labels)
            if request is not None:
                by_webhook[webhook.identity] = [_probe(api, request) for api in apis]
        return Probes(by_webhook=by_webhook, api_servers=servers)

    async def _open(self, addresses: Sequence[str]) -> list[ClusterApi]:
        """Each API server, or the one the kubeconfig leads to where not all can be reached."""
        if len(addresses) < 2:  # noqa: PLR2004 - one replica is the one that is asked anyway
            return [self._api]
        found: list[ClusterApi] = []
        for address in addresses:
            try:
                api = await self._stack.enter_async_context(Replica(self._options, address))
                await list_objects(api, "/api/v1/namespaces", {"limit": "1"})
            except ClusterError:
                return [self._api]
            found.append(api)
        return found

    async def _read_addresses(self) -> list[str]:
        query = {"labelSelector": "kubernetes.io/service-name=kubernetes"}
        found: set[str] = set()
        for part in await list_objects(self._api, _SLICES, query):
            ports = [port.get("port") for port in objects_at(part, "ports")]
            for endpoint in objects_at(part, "endpoints"):
                for address in list_at(endpoint, "addresses"):
                    host = f"[{address}]" if ":" in str(address) else str(address)
                    found.update(f"{host}:{port}" for port in ports if isinstance(port, int))
        return sorted(found)


def find_request(
    webhook: Webhook, namespaces: Mapping[str, Mapping[str, str]]
) -> ClusterRequest | None:
    """A dry run the webhook is called for; None where there is none that is sure."""
    labels = find_labels(webhook.object_selector)
    if labels is None:
        return None
    pod: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "webhook-fuzz-",
            **({"labels": {**labels}} if labels else {}),
        },
        "spec": {
            "containers": [
                {"name": "probe", "image": "registry.invalid/webhook-fuzz/probe:none"},
            ],
        },
    }
    for name, found in sorted(namespaces.items(), key=lambda each: (each[0] != "default", each[0])):
        attributes = pod_attributes(pod, namespace=name, namespace_labels=found)
        if match_webhook(webhook, attributes).decision is Decision.MATCHES:
            return ClusterRequest(
                method="POST",
                path=f"/api/v1/namespaces/{name}/pods",
                query={"dryRun": "All", "fieldManager": "webhook-fuzz"},
                body=orjson.dumps(pod),
                timeout_seconds=_SECONDS,
            )
    return None


def _labels(namespaces: Sequence[JsonObject]) -> Iterator[tuple[str, dict[str, str]]]:
    for each in namespaces:
        metadata = object_at(each, "metadata")
        if "deletionTimestamp" not in metadata:
            yield text_at(metadata, "name"), object_labels(each)


def _probe(api: ClusterApi, request: ClusterRequest) -> Probe:
    async def probe() -> None:
        answer = await api.ask(request)
        if answer.status in _NOT_ASKED:
            asked = f"POST {request.path}"
            raise cluster_error(
                asked, answer.message, trouble_of(answer.status), status=answer.status
            )

    return probe
