"""What does the answer to a probe pod show?"""

import copy

import pytest

from examined_clusters import strip
from webhook_fuzz.corpora.cluster_api.failures import Unseen
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.cluster.component_facts import ProbeAnswer
from webhook_fuzz.fuzzer.readiness.gate_answers import Component, GateAnswer, answer_gate
from webhook_fuzz.fuzzer.readiness.probe_pods import ProbePod, build_probe_pod
from webhook_fuzz.fuzzer.readiness.survivals import Survival, judge_probe

GATES = load_gates()


def build(gate: str, minor: int = 37) -> ProbePod:
    found = build_probe_pod(GATES[gate], Minor(1, minor))
    assert found is not None
    return found


PROBE = build("SidecarContainers")
ON: GateAnswer = answer_gate(GATES["SidecarContainers"], Component(minor=Minor(1, 37)))
BY_DEFAULT = answer_gate(GATES["SidecarContainers"], Component(minor=Minor(1, 29)))
NO_SIDECAR = (
    'Pod "p" is invalid: spec.initContainers[0].lifecycle: Forbidden: may not be set for init '
    "containers without restartPolicy=Always"
)


@pytest.mark.parametrize(
    ("answer", "gate", "any_webhook", "survival"),
    [
        (ProbeAnswer(status=201, message="", pod=PROBE.pod), ON, True, Survival.PRESENT),
        (ProbeAnswer(status=201, message="", pod=strip(PROBE.pod)), ON, True, Survival.LOST),
        (
            ProbeAnswer(status=201, message="", pod=strip(PROBE.pod)),
            BY_DEFAULT,
            None,
            Survival.LOST_OR_DROPPED,
        ),
        # The message of validation that names no webhook.
        (ProbeAnswer(status=422, message=NO_SIDECAR), ON, True, Survival.LOST),
        (ProbeAnswer(status=422, message="spec.x: Invalid"), ON, True, Survival.BLOCKED),
        (ProbeAnswer(status=500, message="failed calling webhook"), ON, True, Survival.BLOCKED),
        (
            ProbeAnswer(status=400, message='unknown field "spec.initContainers[0].somethingElse"'),
            ON,
            True,
            Survival.BLOCKED,
        ),
        (Unseen(what="a probe pod", why="no answer"), ON, True, Survival.BLOCKED),
    ],
)
def test_an_answer_is_judged_by_what_the_gate_is_known_to_be(
    answer: ProbeAnswer | Unseen, gate: GateAnswer, *, any_webhook: bool | None, survival: Survival
) -> None:
    assert judge_probe(PROBE, answer, gate, any_webhook=any_webhook).survival is survival


def test_what_other_webhooks_add_is_no_loss() -> None:
    pod: JsonObject = copy.deepcopy(PROBE.pod)
    spec = pod["spec"]
    assert isinstance(spec, dict)
    inits = spec["initContainers"]
    assert isinstance(inits, list)
    inits.insert(0, {"name": "injected", "image": "i"})

    answer = ProbeAnswer(status=201, message="", pod=pod)
    assert judge_probe(PROBE, answer, ON, any_webhook=True).survival is Survival.PRESENT


def test_a_probe_leaves_out_newer_fields_of_another_gate() -> None:
    assert "mode" not in str(build("GRPCContainerProbe", 33).pod)
    assert "mode" in str(build("GRPCContainerProbeTLS").pod)


def test_a_probe_gives_up_every_privilege_but_those_of_windows() -> None:
    assert "runAsNonRoot" in str(PROBE.pod)
    assert "runAsNonRoot" not in str(build("WindowsHostProcessContainers").pod)
    assert "limits" in str(PROBE.pod)


def test_a_gate_without_a_field_has_no_probe() -> None:
    assert build_probe_pod(GATES["SELinuxMount"], Minor(1, 37)) is None
