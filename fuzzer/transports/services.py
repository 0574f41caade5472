"""What does the cluster say of the service behind a webhook?"""

from typing import Final

import orjson

from webhook_fuzz.corpora.cluster_api.failures import (
    Seen,
    Unseen,
    attempt,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import (
    ClusterApi,
    ClusterRequest,
    get_object,
    list_objects,
)
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import list_at
from webhook_fuzz.corpora.webhooks import ServiceReference

_ACCESS_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SERVICE_LABEL: Final = "kubernetes.io/service-name"
_ERROR_STATUS: Final = 300


async def find_service(api: ClusterApi, service: ServiceReference) -> Seen[JsonObject]:
    """The Service object."""
    path = f"/api/v1/namespaces/{service.namespace}/services/{service.name}"
    return await attempt(get_object(api, path), f"the service {service.server_name}")


def cluster_ip(found: JsonObject) -> str | None:
    """The address the API server dials; None for a headless service or an ExternalName.

    Source: k8s.io/kube-aggregator's and k8s.io/apiserver's pkg/util/proxy/proxy.go ResolveCluster.
    """
    spec = found.get("spec")
    address = spec.get("clusterIP") if isinstance(spec, dict) else None
    return address if isinstance(address, str) and address not in {"", "None"} else None


def has_port(found: JsonObject, port: int) -> bool:
    """Whether the service has the port; the API server fails without (proxy.go findServicePort)."""
    spec = found.get("spec")
    ports = list_at(spec, "ports") if isinstance(spec, dict) else []
    return any(isinstance(each, dict) and each.get("port") == port for each in ports)


async def count_ready_endpoints(api: ClusterApi, service: ServiceReference) -> Seen[int]:
    """How many endpoints of the service take connections."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
    selector = {"labelSelector": f"{_SERVICE_LABEL}={service.name}"}
    slices = await attempt(
        list_objects(api, path, selector), f"the endpoints of {service.server_name}"
    )
    if isinstance(slices, Unseen):
        return slices
    return sum(_is_ready(endpoint) for each in slices for endpoint in list_at(each, "endpoints"))


async def may_use_proxy(api: ClusterApi, service: ServiceReference) -> Seen[bool]:
    """Whether the API server lets us call the service through its proxy, by its own word."""
    return await attempt(_review_access(api, service), "the permission to use the service proxy")


async def _review_access(api: ClusterApi, service: ServiceReference) -> bool:
    attributes: JsonObject = {
        "namespace": service.namespace,
        "verb": "create",
        "resource": "services",
        "subresource": "proxy",
        # As it stands in the request: RBAC compares it with resourceNames.
        "name": f"https:{service.name}:{service.port}",
    }
    review: JsonObject = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await api.ask(
        ClusterRequest(method="POST", path=_ACCESS_REVIEWS, query={}, body=orjson.dumps(review))
    )
    if answer.status >= _ERROR_STATUS:
        raise cluster_error(
            f"POST {_ACCESS_REVIEWS}",
            answer.message,
            trouble_of(answer.status),
            status=answer.status,
        )
    status = (answer.document() or {}).get("status")
    return isinstance(status, dict) and status.get("allowed") is True


def _is_ready(endpoint: JsonValue) -> bool:
    """Ready unless it says otherwise. Source: k8s.io/api discovery/v1 EndpointConditions."""
    conditions = endpoint.get("conditions") if isinstance(endpoint, dict) else None
    return not isinstance(conditions, dict) or conditions.get("ready") is not False
