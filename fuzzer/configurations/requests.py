"""Which requests does a cluster depend on, and would a webhook be asked about them?

A few typical ones: what kube-system's controllers create while a cluster starts, heals or upgrades.
They go through the API server's own matching (`apiserver/matching.py`); where a namespace's labels
are not known, Kubernetes' own label is assumed to be the only one, and the answer says so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webhook_fuzz.corpora.admission import Operation, UserInfo
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision, match_webhook
from webhook_fuzz.fuzzer.apiserver.selectors import SelectorError, match_selector
from webhook_fuzz.fuzzer.cluster.surroundings import Labels

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""Every namespace carries its name under it (k8s.io/api core/v1 LabelMetadataName)."""
MIRROR_ANNOTATION: Final = "kubernetes.io/config.mirror"


class Reach(StrEnum):
    """Whether a webhook is asked: surely, unless a label we do not see prevents it, or not.

    What only the server can decide (a matchCondition) is not held against a webhook.
    """

    SURELY = "surely"
    UNLESS_LABELLED = "unless-labelled"
    NOT_KNOWN_TO = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace by name; `labels` are None where they are not known."""

    name: str
    labels: Labels | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object: where it is served, and what it is called."""

    group: str
    resource: str
    kind: str


POD: Final = Kind(group="", resource="pods", kind="Pod")
VITAL: Final = (
    POD,
    Kind(group="apps", resource="replicasets", kind="ReplicaSet"),
    Kind(group="coordination.k8s.io", resource="leases", kind="Lease"),
    Kind(group="", resource="endpoints", kind="Endpoints"),
    Kind(group="discovery.k8s.io", resource="endpointslices", kind="EndpointSlice"),
)
"""Controllers and nodes write these all the time: without them, nothing stays up for long."""
USEFUL: Final = (
    Kind(group="apps", resource="deployments", kind="Deployment"),
    Kind(group="apps", resource="daemonsets", kind="DaemonSet"),
    Kind(group="apps", resource="statefulsets", kind="StatefulSet"),
    Kind(group="batch", resource="jobs", kind="Job"),
    Kind(group="", resource="serviceaccounts", kind="ServiceAccount"),
    Kind(group="", resource="services", kind="Service"),
    Kind(group="", resource="configmaps", kind="ConfigMap"),
    Kind(group="", resource="secrets", kind="Secret"),
)
"""People and installers write these: without them, add-ons cannot be installed, changed, fixed."""


def find_reach(
    webhook: Webhook, namespace: Namespace, kind: Kind, *, labels: Labels | None = None
) -> Reach:
    """Whether `webhook` is asked when an object of a kind is written in a namespace.

    `labels` are those of the object, none by default.
    """
    assumed = namespace.labels if namespace.labels is not None else {NAME_LABEL: namespace.name}
    requests = list(_requests(namespace.name, assumed, kind, labels or {}))
    return _reach(webhook, namespace, requests)


def find_reach_of_mirror_pods(webhook: Webhook, namespace: Namespace) -> Reach:
    """Whether `webhook` is asked about the mirror pod a kubelet makes of a static pod.

    Source: k8s.io/kubernetes pkg/kubelet/types ConfigMirrorAnnotationKey.
    """
    assumed = namespace.labels if namespace.labels is not None else {NAME_LABEL: namespace.name}
    mirror = _build_pod(namespace.name, {"component": "kube-apiserver"})
    mirror["metadata"] = {
        "name": "kube-apiserver-node-1",
        "namespace": namespace.name,
        "labels": {"component": "kube-apiserver"},
        "annotations": {
            MIRROR_ANNOTATION: "0123456789abcdef",
            "kubernetes.io/config.source": "file",
        },
    }
    node: UserInfo = {
        "username": "system:node:node-1",
        "groups": ["system:nodes", "system:authenticated"],
    }
    request = _Request(operation="CREATE", kind=POD, user=node, object=mirror)
    return _reach(webhook, namespace, [request.attributes(namespace.name, assumed)])


def _reach(webhook: Webhook, namespace: Namespace, requests: Iterable[Attributes]) -> Reach:
    reaches = {_reach_of(webhook, namespace, request) for request in requests}
    return next((reach for reach in Reach if reach in reaches), Reach.NOT_KNOWN_TO)


def _reach_of(webhook: Webhook, namespace: Namespace, request: Attributes) -> Reach:
    match match_webhook(webhook, request).decision:
        case Decision.SKIPPED | Decision.UNDECIDED:
            return Reach.NOT_KNOWN_TO
        case Decision.MATCHES | Decision.REJECTED:
            certain = namespace.labels is not None or _turns_on_name_alone(webhook, namespace.name)
            return Reach.SURELY if certain else Reach.UNLESS_LABELLED


def _turns_on_name_alone(webhook: Webhook, name: str) -> bool:
    try:
        selected = match_selector(webhook.namespace_selector, {NAME_LABEL: name}, complete=False)
    except SelectorError:
        return False
    return selected is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    operation: Operation
    kind: Kind
    user: UserInfo
    object: JsonObject

    def attributes(self, namespace: str, labels: Labels) -> Attributes:
        metadata = self.object.get("metadata")
        return Attributes(
            operation=self.operation,
            group=self.kind.group,
            version="v1",
            resource=self.kind.resource,
            subresource="",
            namespace=namespace,
            name=str(metadata.get("name", "")) if isinstance(metadata, dict) else "",
            object=self.object,
            old_object=None if self.operation == "CREATE" else self.object,
            namespace_labels=labels,
            user=self.user,
            dry_run=False,
            kind=self.kind.kind,
        )


def _requests(
    namespace: str, namespace_labels: Labels, kind: Kind, labels: Labels
) -> Iterator[Attributes]:
    account = f"system:serviceaccount:{namespace}:controller"
    user: UserInfo = {
        "username": account,
        "groups": [
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        ],
    }
    written = _build_pod(namespace, labels) if kind == POD else _build(namespace, kind, labels)
    # Pods are created and deleted; what else is written is also updated (leases, endpoints).
    operations: tuple[Operation, ...] = ("CREATE",) if kind == POD else ("CREATE", "UPDATE")
    for operation in operations:
        request = _Request(operation=operation, kind=kind, user=user, object=written)
        yield request.attributes(namespace, namespace_labels)


def _build(namespace: str, kind: Kind, labels: Labels) -> JsonObject:
    version = f"{kind.group}/v1" if kind.group else "v1"
    return {
        "apiVersion": version,
        "kind": kind.kind,
        "metadata": {"name": "typical", "namespace": namespace, "labels": dict(labels)},
        "spec": {},
    }


def _build_pod(namespace: str, labels: Labels) -> JsonObject:
    """A pod that asks for nothing, with what conditions commonly read."""
    container: JsonObject = {
        "name": "main",
        "image": "registry.k8s.io/pause:3.10",
        "imagePullPolicy": "IfNotPresent",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "typical", "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "containers": [container],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "serviceAccountName": "default",
            "terminationGracePeriodSeconds": 30,
        },
        "status": {},
    }
