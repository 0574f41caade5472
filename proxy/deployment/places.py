"""Where in the API is an object?

Only the kinds that are installed: this is no client.
"""

from collections.abc import Mapping
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at

_RESOURCES: Final[Mapping[str, str]] = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Secret": "secrets",
    "ConfigMap": "configmaps",
    "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Service": "services",
    "Deployment": "deployments",
    "CronJob": "cronjobs",
}
NAMESPACES: Final = "/api/v1/namespaces"


def collection_of(manifest: JsonObject) -> str:
    """The path of the collection it is in. Raises LookupError for a kind that is not installed."""
    version, kind = text_at(manifest, "apiVersion"), text_at(manifest, "kind")
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = text_at(object_at(manifest, "metadata"), "namespace")
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{prefix}{place}/{_RESOURCES[kind]}"


def path_of(manifest: JsonObject) -> str:
    """The path of the object itself."""
    return f"{collection_of(manifest)}/{name_of(manifest)}"


def name_of(manifest: JsonObject) -> str:
    """Its name."""
    return text_at(object_at(manifest, "metadata"), "name")


def title_of(manifest: JsonObject) -> str:
    """As people and kubectl write it: `Deployment webhook-fuzz/webhook-fuzz-proxy`."""
    namespace = text_at(object_at(manifest, "metadata"), "namespace")
    name = f"{namespace}/{name_of(manifest)}" if namespace else name_of(manifest)
    return f"{text_at(manifest, 'kind')} {name}"
