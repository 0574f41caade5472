"""What well-known webhooks do to a pod, done without a fault: on raw JSON, losing nothing."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Pod: TypeAlias = dict[str, Any]
Edit: TypeAlias = Callable[[Pod], None]

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_OURS = {"istio-init", "istio-proxy", "vault-agent-init", "vault-agent", "linkerd-proxy"}


def containers_of(pod: Pod) -> Iterator[Any]:
    for name in ("initContainers", "containers"):
        yield from pod["spec"].get(name, [])


def is_injected(pod: Pod) -> bool:
    """Webhooks leave a pod alone that has what they inject."""
    return any(container["name"] in _OURS for container in containers_of(pod))


def _insert(pod: Pod, name: str, element: Pod, *, first: bool = False) -> None:
    elements = pod["spec"].setdefault(name, [])
    elements.insert(0 if first else len(elements), element)


def native_mesh(pod: Pod) -> None:
    """Istio with native sidecars: put first, and the app's probes go through the agent."""
    pod["metadata"].setdefault("annotations", {})["sidecar.istio.io/status"] = '{"revision":"x"}'
    pod["metadata"].setdefault("labels", {})["security.istio.io/tlsMode"] = "istio"
    for container in pod["spec"]["containers"]:
        for probe in filter(container.get, _PROBES):
            http: Pod = container[probe].setdefault("httpGet", {})
            http |= {
                "path": f"/app-health/{container['name']}/{probe}",
                "port": 15020,
                "scheme": "HTTP",
            }
            container[probe].pop("grpc", None)
            container[probe].pop("tcpSocket", None)
    sidecar: Pod = {
        "name": "istio-proxy",
        "image": "docker.io/istio/proxyv2:1.27.1",
        "restartPolicy": "Always",
        "args": ["proxy", "sidecar"],
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "startupProbe": {"httpGet": {"path": "/healthz/ready", "port": 15021}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"exec": {"command": ["pilot-agent", "drain"]}}},
        "ports": [{"containerPort": 15090, "name": "http-envoy-prom"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {"runAsUser": 1337, "capabilities": {"drop": ["ALL"]}},
    }
    token: Pod = {"sources": [{"serviceAccountToken": {"path": "t", "audience": "istio-ca"}}]}
    _insert(pod, "initContainers", sidecar, first=True)
    _insert(pod, "initContainers", {"name": "istio-init", "image": "i"}, first=True)
    _insert(pod, "volumes", {"name": "workload-socket", "emptyDir": {}}, first=True)
    _insert(pod, "volumes", {"name": "istio-token-1", "projected": token}, first=True)


def secrets_agent(pod: Pod, *, first: bool = False) -> None:
    """Vault: an init container, a sidecar, and a shared volume mounted into every container."""
    pod["metadata"].setdefault("annotations", {})["vault.example/status"] = "injected"
    mount: Pod = {"name": "vault-secrets-1", "mountPath": "/vault/secrets-1"}
    for container in containers_of(pod):
        container.setdefault("volumeMounts", []).append(mount)
    agent: Pod = {"image": "vault:1", "volumeMounts": [mount], "env": [{"name": "A", "value": "b"}]}
    _insert(pod, "initContainers", {**agent, "name": "vault-agent-init"}, first=first)
    _insert(pod, "containers", {**agent, "name": "vault-agent"})
    _insert(pod, "volumes", {"name": "vault-secrets-1", "emptyDir": {"medium": "Memory"}})


def secrets_agent_first(pod: Pod) -> None:
    """The same with agent-init-first."""
    secrets_agent(pod, first=True)


def prepended_proxy(pod: Pod) -> None:
    """Linkerd: the proxy is the first container, its init container the last."""
    probe: Pod = {"httpGet": {"path": "/live", "port": 4191}, "initialDelaySeconds": 10}
    proxy: Pod = {"name": "linkerd-proxy", "image": "p", "livenessProbe": probe}
    _insert(pod, "containers", proxy, first=True)
    _insert(pod, "initContainers", {"name": "linkerd-init", "image": "i"})


def image_swapper(pod: Pod) -> None:
    """Every image from a mirror, always pulled, with a pull secret."""
    for container in containers_of(pod):
        container["image"] = f"mirror.example.com/{container['image']}"
        container["imagePullPolicy"] = "Always"
    _insert(pod, "imagePullSecrets", {"name": "mirror"})


def pod_identity(pod: Pod) -> None:
    """EKS: environment, a projected token, and its mount in every container."""
    source: Pod = {"serviceAccountToken": {"audience": "sts", "path": "token"}}
    for container in containers_of(pod):
        env: list[Pod] = container.setdefault("env", [])
        env.insert(0, {"name": "AWS_REGION", "value": "eu-1"})
        env.append({"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::1:role/r"})
        mount: Pod = {"name": "aws-token", "readOnly": True, "mountPath": "/var/run/secrets/eks"}
        container.setdefault("volumeMounts", []).insert(0, mount)
    _insert(pod, "volumes", {"name": "aws-token", "projected": {"sources": [source]}}, first=True)


def recommender(pod: Pod) -> None:
    """A vertical autoscaler: new requests for every container, some as another one's before."""
    raised = {"10m": "20m", "20m": "50m", "50m": "100m", "100m": "200m", "200m": "250m"}
    for container in containers_of(pod):
        requests: Pod = container.setdefault("resources", {}).setdefault("requests", {})
        requests["cpu"] = raised.get(str(requests.get("cpu")), "300m")
        requests["memory"] = "256Mi"
    pod["metadata"].setdefault("annotations", {})["vpaUpdates"] = "all"


def scheduling(pod: Pod) -> None:
    """A batch scheduler: its name, a gate, a priority class instead of the admitted priority."""
    spec: Pod = pod["spec"]
    spec["schedulerName"] = "volcano"
    spec["priorityClassName"] = "batch"
    spec.pop("priority", None)
    spec.pop("preemptionPolicy", None)
    spec.setdefault("nodeSelector", {})["pool"] = "batch"
    _insert(pod, "tolerations", {"key": "batch", "operator": "Exists"}, first=True)
    _insert(pod, "schedulingGates", {"name": "kueue.example/admission"}, first=True)
    spread: Pod = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    _insert(pod, "topologySpreadConstraints", spread, first=True)


def hardening(pod: Pod) -> None:
    """Security settings where the user left them open."""
    pod["spec"].setdefault("securityContext", {}).setdefault("runAsNonRoot", True)
    for container in containers_of(pod):
        context: Pod = container.setdefault("securityContext", {})
        context.setdefault("allowPrivilegeEscalation", False)
        dropped: list[str] = context.setdefault("capabilities", {}).setdefault("drop", [])
        if "NET_RAW" not in dropped:
            dropped.insert(0, "NET_RAW")


def node_local_dns(pod: Pod) -> None:
    """A resolver in front of the user's own."""
    pod["spec"]["dnsPolicy"] = "None"
    pod["spec"].setdefault("dnsConfig", {}).setdefault("nameservers", []).insert(0, "169.254.20.10")


INJECTORS: tuple[Edit, ...] = (
    native_mesh,
    secrets_agent,
    secrets_agent_first,
    prepended_proxy,
    image_swapper,
    pod_identity,
    recommender,
    scheduling,
    hardening,
    node_local_dns,
)
