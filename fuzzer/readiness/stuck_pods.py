"""Does a pod hang in Init because its sidecar runs as a plain init container, and who did that?

Such a pod is Pending, its init container runs and never ends, `started` does not become true, and
there is no error event. Where the field went is read from what each station left behind: the
manifest kubectl applied, the template of the owner, the fields the API server noted for the client
before any webhook was asked (managedFields), the stored pod, and the kubelet it landed on.

Present in the stored pod and stuck all the same: the node. Noted in managedFields and absent from
the stored pod: a webhook, or the gate. In the template and not in managedFields: decoded by an API
server that does not know the field.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import named, object_at, objects_at, text_at
from webhook_fuzz.fuzzer.readiness.gate_answers import GateAnswer, State
from webhook_fuzz.fuzzer.readiness.pod_origins import (
    ALWAYS,
    Origin,
    find_origin,
    has_notes,
    is_noted,
    template_of,
)

PATIENCE_SECONDS = 120
"""How long an init container that nothing marks as a sidecar's may take before it is looked at."""
_INJECTED_PATIENCE_SECONDS = 600


class Culprit(StrEnum):
    """Who took the field away."""

    API_SERVER = "api-server"
    WEBHOOK = "webhook"
    NODE = "node"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An init container that runs while the others wait. `seconds` is how long."""

    container: str
    seconds: float
    stored_as_sidecar: bool
    has_startup_probe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounding:
    """What is known around a stuck pod.

    `owners` are the workloads above it, nearest first; `kubelet` is its node's answer; `natives`
    are the names of containers that are native sidecars in other pods.
    """

    api_server: GateAnswer
    kubelet: GateAnswer | None
    owners: Sequence[JsonObject] = ()
    natives: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A pod that hangs, the container, who did it and how that is known.

    `suspected` says that nothing proves the container was meant to be a native sidecar.
    """

    namespace: str
    name: str
    node: str
    waiting: Waiting
    culprit: Culprit
    how: str
    suspected: bool = False


def find_waiting(pod: JsonObject, now: datetime) -> Waiting | None:
    """The init container a Pending pod is waiting for; None when it waits for nothing like that."""
    status = object_at(pod, "status")
    if text_at(status, "phase") != "Pending" or _is_initialized(status):
        return None
    specs = dict(named(object_at(pod, "spec"), "initContainers"))
    for name, state in named(status, "initContainerStatuses"):
        running = object_at(state, "state", "running")
        if not running:
            continue
        spec = specs.get(name, {})
        if state.get("started") is True and spec.get("restartPolicy") == ALWAYS:
            continue  # a native sidecar at work
        return Waiting(
            container=name,
            seconds=_age(text_at(running, "startedAt"), now),
            stored_as_sidecar=spec.get("restartPolicy") == ALWAYS,
            has_startup_probe="startupProbe" in spec,
        )
    return None


def is_rejected(pod: JsonObject) -> bool:
    """Whether a kubelet that has the gate off refused the pod."""
    status = object_at(pod, "status")
    reason = "InitContainerRestartPolicyForbidden"
    return text_at(status, "phase") == "Failed" and text_at(status, "reason") == reason


def explain_stuck(pod: JsonObject, waiting: Waiting, around: Surrounding) -> Stuck | None:
    """Why the pod hangs; None when nothing says that the container should be a sidecar."""
    if waiting.stored_as_sidecar:
        return _stuck_on_node(pod, waiting, around)
    if is_noted(pod, waiting.container):
        return _lost_after_decoding(pod, waiting, around)
    if (origin := find_origin(pod, waiting.container, around.owners)) is not None:
        return _lost_before_noting(pod, waiting, around, origin)
    return _injected(pod, waiting, around)


def _stuck_on_node(pod: JsonObject, waiting: Waiting, around: Surrounding) -> Stuck | None:
    kubelet = around.kubelet
    if kubelet is None or kubelet.state is State.ON:
        return None  # waiting for its startup probe, or just starting
    node = text_at(object_at(pod, "spec"), "nodeName")
    if kubelet.state is State.UNKNOWN:
        how = f"The stored pod has restartPolicy Always; whether node {node} can run it is unknown"
        return _build(pod, waiting, Culprit.UNDECIDED, f"{how} ({kubelet.how}).")
    how = f"The stored pod has restartPolicy Always, and node {node} does not act on it"
    return _build(pod, waiting, Culprit.NODE, f"{how}: {kubelet.how}.")


def _lost_after_decoding(pod: JsonObject, waiting: Waiting, around: Surrounding) -> Stuck:
    """The API server knew the field when the request came: then the gate or a webhook took it."""
    how = "managedFields show that the API server received restartPolicy, the stored pod lacks it"
    server = around.api_server
    if server.state is State.ON and server.certain:
        return _build(pod, waiting, Culprit.WEBHOOK, f"{how}, and the gate is on ({server.how}).")
    if server.state is State.OFF:
        return _build(pod, waiting, Culprit.API_SERVER, f"{how}: the gate is off ({server.how}).")
    why = f"whether the gate or a webhook took it depends on the gate ({server.how})"
    return _build(pod, waiting, Culprit.UNDECIDED, f"{how}; {why}.")


def _lost_before_noting(
    pod: JsonObject, waiting: Waiting, around: Surrounding, origin: Origin
) -> Stuck:
    """Something above the pod has the field, and nothing shows that it came with the pod."""
    how = f"{origin.words} has restartPolicy Always, the stored pod lacks it"
    server = around.api_server
    if server.state is State.OFF:
        return _build(pod, waiting, Culprit.API_SERVER, f"{how}: {server.how}.")
    if not origin.reached_pod:
        how += ", and so does the template: it was lost when the workload was written, by an API "
        how += "server that did not know it then, or by a webhook for workloads"
        return _build(pod, waiting, Culprit.UNDECIDED, f"{how}.")
    if has_notes(pod):
        how += ", and managedFields show that it was not in the request either: "
        how += "kube-controller-manager or an API server of a version without the field"
        return _build(pod, waiting, Culprit.API_SERVER, f"{how}.")
    if server.state is State.ON and server.certain:
        return _build(pod, waiting, Culprit.WEBHOOK, f"{how}, and the gate is on ({server.how}).")
    return _build(pod, waiting, Culprit.UNDECIDED, f"{how}; the gate: {server.how}.")


def _injected(pod: JsonObject, waiting: Waiting, around: Surrounding) -> Stuck | None:
    """A container that no template has, and that is a native sidecar elsewhere or never ends."""
    template = template_of(around.owners)
    if template is None or waiting.container in dict(named(template, "initContainers")):
        return None
    how = f"{waiting.container} is not in the template of its owner: a webhook injected it"
    if waiting.container in around.natives:
        how += " as a plain init container, in other pods it is a native sidecar"
        return _build(pod, waiting, Culprit.WEBHOOK, f"{how}.", suspected=False)
    if waiting.seconds < _INJECTED_PATIENCE_SECONDS:
        return None
    how += ", and it has not ended in ten minutes, as a sidecar would not"
    return _build(pod, waiting, Culprit.WEBHOOK, f"{how}.", suspected=True)


def _is_initialized(status: JsonObject) -> bool:
    return any(
        condition.get("type") == "Initialized" and condition.get("status") == "True"
        for condition in objects_at(status, "conditions")
    )


def _age(started: str, now: datetime) -> float:
    try:
        return (now - datetime.fromisoformat(started)).total_seconds()
    except ValueError:
        return 0.0


def _build(
    pod: JsonObject, waiting: Waiting, culprit: Culprit, how: str, *, suspected: bool = False
) -> Stuck:
    return Stuck(
        namespace=text_at(object_at(pod, "metadata"), "namespace"),
        name=text_at(object_at(pod, "metadata"), "name"),
        node=text_at(object_at(pod, "spec"), "nodeName"),
        waiting=waiting,
        culprit=culprit,
        how=how,
        suspected=suspected,
    )
