"""What does the API server fill in where a pod says nothing?

Defaults are set when a request is decoded and again after every non-empty patch, so an injected
container has them before the next webhook sees it. Webhooks rely on that: a pod without defaults
makes correct webhooks fail. Filled in are also the members Go cannot leave out of a text
(`resourceFieldRef.divisor`).

Not done here: pod-level requests and limits that follow from the containers' (beta from 1.34, moved
behind admission in 1.37), and gate-guarded defaults that are off in every release so far
(`httpGet.protocol`).

Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/v1 zz_generated.defaults.go SetObjectDefaults_Pod
and defaults.go; compared with a real kube-apiserver 1.37.2.
"""

from collections.abc import Callable

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.filling import (
    changed,
    changed_list,
    default_elements,
    filled_in,
    rounded_entries,
    rounded_lists,
)
from webhook_fuzz.fuzzer.apiserver.image_references import default_pull_policy
from webhook_fuzz.fuzzer.apiserver.volume_defaulting import default_volume

_SPEC: JsonObject = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
}
_PROBE: JsonObject = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_HTTP_GET: JsonObject = {"path": "/", "scheme": "HTTP"}
_HOOKS = ("postStart", "preStop")


def default_pod(pod: JsonObject, *, reuse: JsonObject | None = None) -> JsonObject:
    """A pod with the defaults filled in; the same object where nothing was missing.

    `reuse` is a pod that has its defaults: containers and volumes shared with it, and what
    containers share with those of their names, are not looked at. Subtrees of the wrong type are
    left alone, decoding has refused them before.
    """
    return default_patched_pod(filled_in(pod, {"apiVersion": "v1", "kind": "Pod"}), reuse=reuse)


def default_patched_pod(pod: JsonObject, *, reuse: JsonObject | None = None) -> JsonObject:
    """A patched pod as the next webhook of the chain is sent it; otherwise as `default_pod`.

    A patch that takes `apiVersion` or `kind` away succeeds, but they come back only after the last
    webhook. Source: dispatcher.go callAttrMutatingHook, which decodes with the kind as a default
    for choosing the Go type and does not set it.
    """
    spec = pod.get("spec")
    if spec is None:
        spec = {}
    if not isinstance(spec, dict):
        return pod
    old = reuse.get("spec") if reuse else None
    if spec is old:
        return pod
    new = _default_spec(spec, old if isinstance(old, dict) else {})
    return pod if new is spec else {**pod, "spec": new}


def _default_spec(spec: JsonObject, old: JsonObject) -> JsonObject:
    changes = {name: value for name, value in _SPEC.items() if not spec.get(name)}
    if spec.get("enableServiceLinks") is None:
        changes["enableServiceLinks"] = True
    if spec.get("securityContext") is None:
        changes["securityContext"] = {}
    _default_grace_period(spec, changes)
    _default_service_account(spec, changes)
    _default_containers(spec, old, changes)
    default_elements(spec, old, "volumes", lambda volume, _: default_volume(volume), changes)
    spec = {**spec, **changes} if changes else spec
    spec = changed(spec, "overhead", rounded_entries)
    return changed(spec, "resources", rounded_lists)


def _default_grace_period(spec: JsonObject, changes: JsonObject) -> None:
    seconds = spec.get("terminationGracePeriodSeconds")
    if seconds is None:
        changes["terminationGracePeriodSeconds"] = 30
    elif isinstance(seconds, int) and seconds < 0:
        changes["terminationGracePeriodSeconds"] = 1


def _default_service_account(spec: JsonObject, changes: JsonObject) -> None:
    """The deprecated member mirrors the name, and stands in for it."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name and (spec.get("serviceAccountName") != name or spec.get("serviceAccount") != name):
        changes["serviceAccountName"] = name
        changes["serviceAccount"] = name


def _default_containers(spec: JsonObject, old: JsonObject, changes: JsonObject) -> None:
    host_network = spec.get("hostNetwork") is True
    if host_network and old.get("hostNetwork") is not True:
        # Ports default differently on the host network: the old pod's containers say nothing.
        old = {name: value for name, value in old.items() if name == "ephemeralContainers"}
    for name in ("initContainers", "containers"):
        default_elements(
            spec, old, name, _on_host_network if host_network else _with_requests, changes
        )
    default_elements(spec, old, "ephemeralContainers", _default_container, changes)


def _on_host_network(container: JsonObject, old: JsonObject) -> JsonObject:
    """Source: defaults.go defaultHostNetworkPorts."""
    return _with_requests(changed_list(container, "ports", _with_host_port), old)


def _with_host_port(port: JsonObject) -> JsonObject:
    return filled_in(port, {"hostPort": port["containerPort"]}) if "containerPort" in port else port


def _with_requests(container: JsonObject, old: JsonObject) -> JsonObject:
    """A limit without a request is the request too. Source: defaults.go SetDefaults_Pod."""
    resources = container.get("resources")
    limits = resources.get("limits") if isinstance(resources, dict) else None
    if not isinstance(resources, dict) or not isinstance(limits, dict) or not limits:
        return _default_container(container, old)
    requests = resources.get("requests")
    known = requests if isinstance(requests, dict) else {}
    if all(name in known for name in limits):
        return _default_container(container, old)
    new: JsonObject = {**resources, "requests": {**limits, **known}}
    return _default_container({**container, "resources": new}, old)


def _default_container(container: JsonObject, old: JsonObject) -> JsonObject:
    """Source: defaults.go SetDefaults_Container and the generated code around it."""
    if not (
        container.get("imagePullPolicy")
        and container.get("terminationMessagePath")
        and container.get("terminationMessagePolicy")
    ):
        container = filled_in(container, _container_defaults(container))
    for name, member in container.items():
        if (default := _MEMBERS.get(name)) is not None and member is not old.get(name):
            container = default(container, name)
    return container


def _container_defaults(container: JsonObject) -> JsonObject:
    image = container.get("image")
    return {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": default_pull_policy(image if isinstance(image, str) else ""),
    }


def _variables(container: JsonObject, name: str) -> JsonObject:
    return changed_list(container, name, _default_variable)


def _ports(container: JsonObject, name: str) -> JsonObject:
    return changed_list(container, name, _with_protocol)


def _probe(container: JsonObject, name: str) -> JsonObject:
    return changed(container, name, _default_probe)


def _with_protocol(port: JsonObject) -> JsonObject:
    return port if port.get("protocol") else {**port, "protocol": "TCP"}


def _default_variable(variable: JsonObject) -> JsonObject:
    if "valueFrom" not in variable:
        return variable
    return changed(variable, "valueFrom", _default_variable_source)


def _default_variable_source(source: JsonObject) -> JsonObject:
    source = changed(source, "fieldRef", lambda ref: filled_in(ref, {"apiVersion": "v1"}))
    source = changed(source, "resourceFieldRef", lambda ref: filled_in(ref, {"divisor": "0"}))
    return changed(
        source,
        "fileKeyRef",
        lambda ref: ref if ref.get("optional") is not None else {**ref, "optional": False},
    )


def _default_probe(probe: JsonObject) -> JsonObject:
    probe = filled_in(probe, _PROBE)
    probe = changed(probe, "httpGet", _default_http_get)
    return changed(
        probe,
        "grpc",
        lambda action: action if action.get("service") is not None else {**action, "service": ""},
    )


def _default_http_get(action: JsonObject) -> JsonObject:
    return filled_in(action, _HTTP_GET)


def _default_lifecycle(lifecycle: JsonObject) -> JsonObject:
    for name in _HOOKS:
        lifecycle = changed(
            lifecycle, name, lambda hook: changed(hook, "httpGet", _default_http_get)
        )
    return lifecycle


_MEMBERS: dict[str, Callable[[JsonObject, str], JsonObject]] = {
    "env": _variables,
    "lifecycle": lambda container, name: changed(container, name, _default_lifecycle),
    "livenessProbe": _probe,
    "ports": _ports,
    "readinessProbe": _probe,
    "resources": lambda container, name: changed(container, name, rounded_lists),
    "startupProbe": _probe,
}
