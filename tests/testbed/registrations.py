"""How does the API server get to call a webhook of a test?

By URL, or by service reference: the service range of the throw-away control plane lies on
loopback, so whoever listens on the clusterIP of a Service is called as name.namespace.svc.
"""

import base64
import random
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.clusters import Cluster, wait_until
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
SERVICE_NET = "127.64.0"
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
ATTEMPTS = 20


def build_webhook(name: str, client_config: JsonObject, **others: JsonValue) -> JsonObject:
    """One webhook of a configuration, for created pods; `others` are its further fields."""
    rule: JsonObject = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    return {
        "name": name,
        "clientConfig": client_config,
        "rules": [rule],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        **others,
    }


def in_namespaces(*names: str) -> JsonObject:
    """A namespaceSelector for namespaces by name, so that tests leave each other alone."""
    values: list[JsonValue] = [*names]
    return {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "In", "values": values}]}


def url_client_config(url: str, authority: Path) -> JsonObject:
    """A clientConfig that names a URL."""
    return {"url": url, "caBundle": _bundle(authority)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    """Where to listen to be called by service reference.

    `host` is the clusterIP; the certificate must be for `dns_name`.
    """

    namespace: str
    name: str
    host: str
    port: int

    @property
    def dns_name(self) -> str:
        """The name the API server verifies."""
        return f"{self.name}.{self.namespace}.svc"

    def client_config(self, path: str, authority: Path) -> JsonObject:
        """A clientConfig that names the service."""
        return {
            "service": {
                "namespace": self.namespace,
                "name": self.name,
                "path": path,
                "port": self.port,
            },
            "caBundle": _bundle(authority),
        }


def create_service(
    cluster: Cluster, namespace: str, name: str, *, port: int | None = None
) -> ServiceAddress:
    """Create a Service on an address of loopback that is free, in the cluster and on this machine.

    Without `port` it is a free one: listening on 443 takes root.
    """
    for _ in range(ATTEMPTS):
        host = f"{SERVICE_NET}.{random.randint(2, 254)}"  # noqa: S311 - any free one
        free = _free_port(host, port or 0)
        if free is None:
            continue
        body: JsonObject = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"clusterIP": host, "ports": [{"port": free}]},
        }
        reply = cluster.request("POST", f"/api/v1/namespaces/{namespace}/services", body=body)
        if reply.status == 201:
            return ServiceAddress(namespace=namespace, name=name, host=host, port=free)
    raise AssertionError(f"no free address in {SERVICE_NET}.0/24 for the service {name}")


@contextmanager
def registered(cluster: Cluster, name: str, *webhooks: JsonObject) -> Generator[None]:
    """Create a MutatingWebhookConfiguration and delete it with the block.

    The API server takes a moment to notice either: see wait_until_called.
    """
    body: JsonObject = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [*webhooks],
    }
    cluster.create(CONFIGURATIONS, body)
    try:
        yield
    finally:
        cluster.delete(f"{CONFIGURATIONS}/{name}")


def wait_until_called(
    cluster: Cluster, namespace: str, *, marks: str, pod: JsonObject | None = None
) -> None:
    """Create pods by dry run until the reply, or the refusal, contains the text `marks`.

    That is something the webhook adds to every pod, or its own name when it refuses or fails.
    """
    sent = pod or build_pod("is-it-called")

    def called() -> bool:
        reply = cluster.dry_run(f"/api/v1/namespaces/{namespace}/pods", sent)
        return marks in str(reply.body)

    wait_until(called, what=f"the API server calls the webhook that marks with {marks!r}")


def build_pod(name: str) -> JsonObject:
    """The smallest pod there is."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1"}]},
    }


def _bundle(authority: Path) -> str:
    return base64.b64encode(authority.read_bytes()).decode()


def _free_port(host: str, port: int) -> int | None:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return None
        found: int = probe.getsockname()[1]
        return found
