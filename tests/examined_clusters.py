"""A fake cluster whose nodes, kubelets, pods and admission a test sets up in a few words.

What the API server makes of a probe pod is real: the fields it does not know or has switched off
are refused or dropped as kube-apiserver does it.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fake_clusters import FakeCluster
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

SIDECAR_LINE = 'kubernetes_feature_enabled{name="SidecarContainers",stage="%s"} %d'
OTHER_LINE = 'kubernetes_feature_enabled{name="CPUManager",stage=""} 1'
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"

WEBHOOK: JsonObject = {
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "strippers"},
    "webhooks": [
        {
            "name": "strip.example.com",
            "rules": [
                {
                    "operations": ["CREATE"],
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["pods"],
                }
            ],
        }
    ],
}
"""Called for every pod that is created."""

Admit = Callable[[JsonObject], JsonObject | tuple[int, str]]


def metrics(*lines: str) -> str:
    """A page of metrics with these lines among others."""
    noise = 'rest_client_requests_total{code="200",host="x",method="GET"} 12'
    return "\n".join(["# TYPE go_goroutines gauge", "go_goroutines 8", *lines, noise, ""])


def on(stage: str = "BETA") -> str:
    """The metrics of a component that has SidecarContainers on."""
    return metrics(OTHER_LINE, SIDECAR_LINE % (stage, 1))


def off(stage: str = "ALPHA") -> str:
    """The metrics of a component that has SidecarContainers off."""
    return metrics(OTHER_LINE, SIDECAR_LINE % (stage, 0))


def gone() -> str:
    """The metrics of a component that exports gates, SidecarContainers not among them."""
    return metrics(OTHER_LINE)


def node(name: str, kubelet: str, **others: object) -> JsonObject:
    """A ready node; `labels`, `taints`, `unschedulable` and `pods` say what is different."""
    labels, taints = others.get("labels", {}), others.get("taints", [])
    built = {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"unschedulable": others.get("unschedulable", False), "taints": taints},
        "status": {
            "nodeInfo": {"kubeletVersion": kubelet},
            "allocatable": {"pods": others.get("pods", "110")},
            "conditions": [{"type": "Ready", "status": others.get("ready", "True")}],
            "declaredFeatures": others.get("declared", []),
        },
    }
    found: JsonObject = json.loads(json.dumps(built))
    return found


def replicas(*addresses: str, port: int = 6443) -> list[JsonObject]:
    """The EndpointSlice of default/kubernetes."""
    endpoints: list[JsonValue] = [{"addresses": [address]} for address in addresses]
    ports: list[JsonValue] = [{"port": port}]
    metadata: JsonObject = {"name": "kubernetes"}
    return [{"kind": "EndpointSlice", "metadata": metadata, "ports": ports, "endpoints": endpoints}]


def keep(pod: JsonObject) -> JsonObject:
    """Admission that changes nothing."""
    return pod


def strip(pod: JsonObject) -> JsonObject:
    """Admission in which restartPolicy of init containers gets lost, whoever took it."""
    stored = copy.deepcopy(pod)
    spec = stored["spec"]
    assert isinstance(spec, dict)
    containers = spec.get("initContainers", [])
    assert isinstance(containers, list)
    for container in containers:
        assert isinstance(container, dict)
        container.pop("restartPolicy", None)
    return stored


def refuse_unknown(_: JsonObject) -> tuple[int, str]:
    """An API server that does not know the field, asked with Strict."""
    return 400, (
        "Pod in version v1 cannot be handled as a Pod: strict decoding error: "
        'unknown field "spec.initContainers[0].restartPolicy"'
    )


@dataclass(kw_only=True)
class ExaminedCluster:
    """`kubelets` are pages of metrics by node, or a status and a message.

    `admit` says what becomes of a pod that is created as a dry run.
    """

    version: str = "v1.37.2"
    emulated: str | None = None
    metrics: str | tuple[int, str] = ""
    nodes: Sequence[JsonObject] = ()
    kubelets: Mapping[str, str | tuple[int, str]] = field(
        default_factory=dict[str, str | tuple[int, str]]
    )
    pods: Sequence[JsonObject] = ()
    objects: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    webhooks: Sequence[JsonObject] = ()
    slices: Sequence[JsonObject] = ()
    refusals: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    admit: Admit = keep
    asked: list[ClusterRequest] = field(default_factory=list[ClusterRequest])

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """Answer as a cluster would."""
        self.asked.append(request)
        for beginning, (status, message) in self.refusals.items():
            if request.path.startswith(beginning):
                return _status(status, message)
        if request.method == "POST":
            return self._create(request)
        page = self._page(request.path)
        if page is not None:
            return _text(page)
        return await self._objects().ask(request)

    def _page(self, path: str) -> str | tuple[int, str] | None:
        if path == "/metrics":
            return self.metrics
        parts = path.split("/")
        if path.startswith("/api/v1/nodes/") and path.endswith("/proxy/metrics"):
            return self.kubelets.get(parts[4], (503, "dial tcp: connect: connection refused"))
        return None

    def _create(self, request: ClusterRequest) -> ClusterAnswer:
        assert request.query["dryRun"] == "All"
        assert request.query["fieldValidation"] == "Strict"
        admitted = self.admit(json.loads(request.body or b"{}"))
        if isinstance(admitted, tuple):
            return _status(*admitted)
        return ClusterAnswer(status=201, body=json.dumps(admitted).encode())

    def _objects(self) -> FakeCluster:
        version: JsonObject = {"gitVersion": self.version, "major": "1", "minor": "0"}
        if self.emulated:
            version |= {"emulationMajor": "1", "emulationMinor": self.emulated.partition(".")[2]}
        return FakeCluster(
            collections={
                "/api/v1/nodes": self.nodes,
                "/api/v1/pods": self.pods,
                WEBHOOKS: self.webhooks,
                SLICES: self.slices,
            },
            objects={
                "/version": version,
                "/api/v1/namespaces/default": {"kind": "Namespace", "metadata": {"labels": {}}},
                **self.objects,
            },
        )


def _text(page: str | tuple[int, str]) -> ClusterAnswer:
    if isinstance(page, tuple):
        return _status(*page)
    return ClusterAnswer(status=200, body=page.encode(), content_type="text/plain")


def _status(status: int, message: str) -> ClusterAnswer:
    body = {"kind": "Status", "apiVersion": "v1", "message": message, "code": status}
    return ClusterAnswer(status=status, body=json.dumps(body).encode())
