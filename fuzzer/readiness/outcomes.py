"""What becomes of a pod with the field, on one API server, through a webhook, on one kubelet?

Three places can take a field away, each in its own manner, and only one of them says a word. For
native sidecars all but the last two outcomes mean a plain init container: a process that never ends
then keeps the pod in `Init:0/N` for ever, without an error event.

Sources: KEP-753 "Version skew strategy"; k8s.io/kubernetes pkg/api/pod/util.go dropDisabledFields;
pkg/kubelet/lifecycle/predicate.go InitContainerRestartPolicyForbidden.
"""

from enum import StrEnum

from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.readiness.gate_answers import GateAnswer, State
from webhook_fuzz.fuzzer.readiness.gate_traits import SIDECARS, acts_elsewhere, came_with


class Outcome(StrEnum):
    """What becomes of the field."""

    UNKNOWN_TO_API_SERVER = "unknown-to-api-server"
    DROPPED_BY_GATE = "dropped-by-gate"
    STRIPPED_BY_WEBHOOK = "stripped-by-webhook"
    IGNORED_BY_KUBELET = "ignored-by-kubelet"
    REJECTED_BY_KUBELET = "rejected-by-kubelet"
    OFF_IN_KUBELET = "off-in-kubelet"
    WORKS = "works"
    UNKNOWN = "unknown"

    @property
    def is_plain_init_container(self) -> bool:
        """For native sidecars: whether the kubelet sees a plain init container."""
        return self in {
            Outcome.UNKNOWN_TO_API_SERVER,
            Outcome.DROPPED_BY_GATE,
            Outcome.STRIPPED_BY_WEBHOOK,
            Outcome.IGNORED_BY_KUBELET,
        }


SENTENCES = {
    Outcome.UNKNOWN_TO_API_SERVER: "the API server does not know the field: refused with Strict, "
    "otherwise dropped when the request is decoded",
    Outcome.DROPPED_BY_GATE: "webhooks see the field, then the API server drops it without a word",
    Outcome.STRIPPED_BY_WEBHOOK: "a webhook takes the field away",
    Outcome.IGNORED_BY_KUBELET: "the kubelet does not know the field and ignores it",
    Outcome.REJECTED_BY_KUBELET: "the kubelet rejects the pod: phase Failed, reason "
    "InitContainerRestartPolicyForbidden",
    Outcome.OFF_IN_KUBELET: "the kubelet knows the field and does not act on it",
    Outcome.WORKS: "works",
    Outcome.UNKNOWN: "cannot be told",
}


def predict_outcome(
    gate: Gate,
    *,
    api_server: tuple[Minor | None, GateAnswer],
    kubelet: tuple[Minor | None, GateAnswer] | None,
    stripped: bool = False,
) -> Outcome:
    """What becomes of a pod with the field of `gate`.

    `stripped` says that a webhook takes it away; `kubelet` is None for a pod that is on no node.
    """
    minor, answer = api_server
    if minor is not None and minor < came_with(gate):
        return Outcome.UNKNOWN_TO_API_SERVER
    if answer.state is State.OFF:
        return Outcome.DROPPED_BY_GATE
    if stripped:
        return Outcome.STRIPPED_BY_WEBHOOK
    on_node = predict_on_kubelet(gate, kubelet)
    if answer.state is State.UNKNOWN and on_node is Outcome.WORKS:
        return Outcome.UNKNOWN
    return on_node


def predict_on_kubelet(gate: Gate, kubelet: tuple[Minor | None, GateAnswer] | None) -> Outcome:
    """What a kubelet makes of a stored pod that has the field."""
    if acts_elsewhere(gate):
        return Outcome.WORKS
    if kubelet is None:
        return Outcome.UNKNOWN
    minor, answer = kubelet
    match answer.state:
        case State.ON:
            return Outcome.WORKS
        case State.UNKNOWN:
            return Outcome.UNKNOWN
        case State.OFF if minor is not None and minor < came_with(gate):
            return Outcome.IGNORED_BY_KUBELET
        case State.OFF:
            rejects = gate.name == SIDECARS
            return Outcome.REJECTED_BY_KUBELET if rejects else Outcome.OFF_IN_KUBELET
