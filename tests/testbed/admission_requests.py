"""Which requests are webhooks matched against, and what are they about?

Pods of many kinds, their subresources, namespaces and other objects: each with the attributes the
API server gives it, and all of them sent by dry run (connections know none).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.matching import Attributes

NAMESPACES: Mapping[str, Mapping[str, str]] = {
    "match-plain": {},
    "match-prod": {"env": "prod", "team": "a", "example.com/inject": "enabled"},
    "match-odd": {"env": "", "team": "B_b.b-b"},
}
FOLDER = Path(__file__).parent.parent / "differential"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request: what is sent where, and what it is about."""

    path: str
    attributes: Attributes
    body: JsonObject | None = None
    method: str = "POST"


def build_pod_with(name: str, **spec: JsonValue) -> JsonObject:
    container: JsonObject = {"name": "app", "image": "registry.example.com/app:1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], **spec},
    }


def add_metadata(pod: JsonObject, **metadata: JsonValue) -> JsonObject:
    given = pod["metadata"]
    assert isinstance(given, dict)
    return {**pod, "metadata": {**given, **metadata}}


def build_pods() -> list[JsonObject]:
    sidecar: JsonObject = {"name": "side", "image": "side:1", "restartPolicy": "Always"}
    ports: JsonObject = {
        "name": "app",
        "image": "registry.example.com/a:1",
        "ports": [{"containerPort": 8080}],
    }
    generated = add_metadata(build_pod_with(""), generateName="p-")
    cast("JsonObject", generated["metadata"]).pop("name")
    return [
        build_pod_with("p"),
        generated,
        add_metadata(build_pod_with("p"), labels={"app": "shop", "tier": "web"}),
        add_metadata(build_pod_with("pq"), labels={"app": "till", "env": "prod", "team": "a"}),
        add_metadata(
            build_pod_with("p1"), labels={"env": ""}, annotations={"example.com/skip": "true"}
        ),
        add_metadata(build_pod_with("p"), annotations={"example.com/note": "café-"}),
        add_metadata(build_pod_with("p"), annotations={"example.com/skip": "false"}, labels={}),
        build_pod_with("p", initContainers=[sidecar]),
        build_pod_with("p", hostNetwork=True, terminationGracePeriodSeconds=31),
        build_pod_with("p", hostNetwork=False, nodeName="n1", serviceAccountName="default"),
        build_pod_with("p", containers=[ports, {"name": "b", "image": "b"}]),
        build_pod_with("p", containers=[{**ports, "securityContext": {"privileged": True}}]),
        build_pod_with(
            "p",
            securityContext={"runAsUser": 5},
            restartPolicy="Never",
            dnsPolicy="None",
            dnsConfig={"nameservers": ["10.0.0.1"]},
        ),
    ]


def iterate_requests(held: JsonObject) -> Iterator[Asked]:
    for namespace, labels in itertools.product(NAMESPACES, _LABELS):
        pod = add_metadata(build_pod_with("p"), labels=labels)
        attributes = _attributes("pods", "Pod", namespace=namespace, object=pod)
        yield Asked(path=_path(attributes), body=pod, attributes=attributes)
    yield from _requests_for_a_pod_that_is_there(held)
    yield from _requests_for_namespaces()
    for resource, body in (
        (str(each.pop("resource")), each) for each in ({**each} for each in _OTHERS)
    ):
        group, _, version = str(body["apiVersion"]).rpartition("/")
        cluster_scoped = resource in _CLUSTER_SCOPED
        attributes = _attributes(
            resource,
            str(body["kind"]),
            group=group,
            version=version,
            namespace="" if cluster_scoped else "match-prod",
            object=body,
        )
        yield Asked(path=_path(attributes), body=body, attributes=attributes)


def _requests_for_a_pod_that_is_there(held: JsonObject) -> Iterator[Asked]:
    changed = add_metadata(held, labels={"team": "a"})
    path = "/api/v1/namespaces/match-prod/pods/held"
    pods = {"namespace": "match-prod", "name": "held"}
    for sub in ("", "status"):
        yield Asked(
            method="PUT",
            path=f"{path}/{sub}".rstrip("/"),
            body=changed,
            attributes=_attributes(
                "pods", "Pod", operation="UPDATE", subresource=sub,
                object=changed, old_object=held, **pods
            ),
        )  # fmt: skip
    deleting = _attributes("pods", "Pod", operation="DELETE", old_object=held, **pods)
    yield Asked(method="DELETE", path=path, attributes=deleting)
    metadata: JsonObject = {"name": "held", "labels": {"env": "prod"}}
    bodies: dict[str, JsonObject] = {
        "binding": {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": metadata,
            "target": {"kind": "Node", "name": "n1"},
        },
        "eviction": {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata},
    }
    for sub, body in bodies.items():
        kind = str(body["kind"])
        attributes = _attributes("pods", kind, subresource=sub, object=body, **pods)
        yield Asked(path=f"{path}/{sub}", body=body, attributes=attributes)
    options: JsonObject = {"kind": "PodAttachOptions"}
    connecting = _attributes(
        "pods", "PodAttachOptions", operation="CONNECT", subresource="attach",
        object=options, **pods
    )  # fmt: skip
    yield Asked(path=f"{path}/attach", attributes=connecting)


def _requests_for_namespaces() -> Iterator[Asked]:
    for name, labels in (("new", {}), ("new", {"env": "prod", "team": "b"})):
        body = _namespace(name, labels)
        attributes = _attributes("namespaces", "Namespace", namespace=name, object=body)
        yield Asked(path="/api/v1/namespaces", body=body, attributes=attributes)
    old = _namespace("match-prod", NAMESPACES["match-prod"])
    new = _namespace("match-prod", {"env": "test"})
    named = {"namespace": "match-prod", "name": "match-prod"}
    for sub in ("", "status"):
        attributes = _attributes(
            "namespaces", "Namespace", operation="UPDATE", subresource=sub,
            object=new, old_object=old, **named
        )  # fmt: skip
        path = f"/api/v1/namespaces/match-prod/{sub}".rstrip("/")
        yield Asked(method="PUT", path=path, body=new, attributes=attributes)
    deleting = _attributes("namespaces", "Namespace", operation="DELETE", old_object=old, **named)
    yield Asked(method="DELETE", path="/api/v1/namespaces/match-prod", attributes=deleting)


def _namespace(name: str, labels: Mapping[str, str]) -> JsonObject:
    # The API server adds the label of the name before admission.
    named: JsonObject = {**labels, "kubernetes.io/metadata.name": name}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": named},
        "spec": {"finalizers": ["kubernetes"]},
    }


def _attributes(resource: str, kind: str, **given: Any) -> Attributes:  # noqa: ANN401 - its members
    namespace = given.get("namespace", "")
    labels = {**NAMESPACES.get(namespace, {}), "kubernetes.io/metadata.name": namespace}
    defaults: dict[str, Any] = {
        "operation": "CREATE",
        "group": "",
        "version": "v1",
        "subresource": "",
        "namespace": "",
        "name": "",
        "object": None,
        "old_object": None,
        "namespace_labels": labels if namespace in NAMESPACES else None,
        "user": {},
        "dry_run": True,
    }
    return Attributes(resource=resource, kind=kind, **{**defaults, **given})


def _path(attributes: Attributes) -> str:
    group = f"apis/{attributes.group}" if attributes.group else "api"
    inside = f"namespaces/{attributes.namespace}/" if attributes.namespace else ""
    return f"/{group}/{attributes.version}/{inside}{attributes.resource}"


_LABELS: Sequence[JsonObject] = (
    {},
    {"env": "prod"},
    {"env": "prod", "team": "a"},
    {"env": "", "team": "B_b.b-b"},
    {"example.com/inject": "enabled"},
)
_CLUSTER_SCOPED = {"clusterroles", "mutatingwebhookconfigurations", "selfsubjectreviews", "nodes"}
_OTHERS: Sequence[JsonObject] = yaml.safe_load(FOLDER.joinpath("objects.yaml").read_text("utf-8"))
