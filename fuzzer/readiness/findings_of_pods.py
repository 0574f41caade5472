"""What is wrong with running pods and with the probe pod? WF703, WF704, WF705, and what is lost.

A loss in mutating admission is WF101 for native sidecars and WF102 for other fields: the same
finding as when the webhook is called by itself.
"""

from collections.abc import Iterator

from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.fuzzer.findings import ClusterFinding, Severity
from webhook_fuzz.fuzzer.readiness.gate_traits import SIDECARS
from webhook_fuzz.fuzzer.readiness.stuck_pods import Culprit, Stuck
from webhook_fuzz.fuzzer.readiness.survivals import ProbeResult, Survival
from webhook_fuzz.fuzzer.readiness.unfinished_jobs import UnfinishedJob

_REMEDIES = {
    Culprit.API_SERVER: "Upgrade the control plane to 1.29 or later, or switch the gate on, and "
    "let the workload make its pods anew.",
    Culprit.WEBHOOK: "Fix the webhook (webhook-fuzz explain WF101), or exclude the pods from it by "
    "objectSelector; then delete the pod, so that it is made anew.",
    Culprit.NODE: "Move the pod to a node of 1.29 or later: cordon or upgrade the old one, or give "
    "the pod an affinity; then delete it, so that it is made anew.",
    Culprit.UNDECIDED: "Create the pod again as a dry run (webhook-fuzz doctor --namespace) to see "
    "whether the field still gets lost; then delete the pod, so that it is made anew.",
}


def judge_stuck(stuck: Stuck, suspects: tuple[str, ...] = ()) -> ClusterFinding:
    """WF704; a warning where nothing proves that the container was meant to be a sidecar."""
    minutes = int(stuck.waiting.seconds // 60)
    named = f" Webhooks that are called for it: {', '.join(suspects)}." if suspects else ""
    return ClusterFinding(
        code="WF704",
        severity=Severity.WARNING if stuck.suspected else Severity.ERROR,
        subject=f"pod {stuck.namespace}/{stuck.name}",
        explanation=f"It hangs in Init: {stuck.waiting.container} has run for {minutes} min as a "
        f"plain init container{_on(stuck)}. {_WHO[stuck.culprit]}",
        evidence=stuck.how + named,
        remedy=_REMEDIES[stuck.culprit],
        path=f"spec.initContainers[name={stuck.waiting.container}].restartPolicy",
    )


_WHO = {
    Culprit.API_SERVER: "The API server took restartPolicy away.",
    Culprit.WEBHOOK: "A webhook did it.",
    Culprit.NODE: "The node did it.",
    Culprit.UNDECIDED: "Who did it cannot be told.",
}


def _on(stuck: Stuck) -> str:
    return f" on node {stuck.node}" if stuck.node else ""


def judge_rejected(pod: JsonObject) -> ClusterFinding:
    """WF703: a kubelet that has the gate off refused the pod."""
    metadata, node = object_at(pod, "metadata"), text_at(object_at(pod, "spec"), "nodeName")
    return ClusterFinding(
        code="WF703",
        severity=Severity.ERROR,
        subject=f"pod {text_at(metadata, 'namespace')}/{text_at(metadata, 'name')}",
        explanation=f"Node {node} rejected it: its kubelet has {SIDECARS} off.",
        evidence="Phase Failed, reason InitContainerRestartPolicyForbidden: "
        f"{text_at(object_at(pod, 'status'), 'message') or 'no message'}",
        remedy=f"Set the feature gate {SIDECARS}=true for the kubelet of {node}, or upgrade it.",
    )


def judge_unfinished(job: UnfinishedJob) -> ClusterFinding:
    """WF705."""
    names = ", ".join(job.containers)
    return ClusterFinding(
        code="WF705",
        severity=Severity.WARNING,
        subject=f"job {job.namespace}/{job.job}",
        explanation=f"It cannot finish: in pod {job.pod} only {names} still runs, which was "
        "injected as a plain container.",
        evidence=f"The containers of the Job's own template ended {int(job.seconds // 60)} min "
        f"ago; {names} is not in that template.",
    )


def judge_survival(gate: Gate, result: ProbeResult, namespace: str) -> Iterator[ClusterFinding]:
    """What the probe pod shows beyond what the API servers say of themselves."""
    if result.survival is not Survival.LOST:
        return
    by = " or ".join(result.suspects) or "somebody in mutating admission who is not known"
    yield ClusterFinding(
        code="WF101" if gate.name == SIDECARS else "WF102",
        severity=Severity.CRITICAL,
        subject=f"mutating admission in namespace {namespace}",
        explanation=f"A probe pod lost {', '.join(result.lost)} to {by}.",
        evidence=f"{result.sentence} {result.how}".strip(),
        path=result.lost[0],
    )
