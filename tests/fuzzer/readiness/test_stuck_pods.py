"""Who took restartPolicy from a pod that hangs in Init?"""

import pytest

from stuck_pods import NOW, applied, stuck_pod, workload
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.cluster.component_facts import GateMetric
from webhook_fuzz.fuzzer.readiness.gate_answers import Component, GateAnswer, answer_gate
from webhook_fuzz.fuzzer.readiness.stuck_pods import (
    Culprit,
    Stuck,
    Surrounding,
    explain_stuck,
    find_waiting,
    is_rejected,
)

GATE = load_gates()["SidecarContainers"]


def answer(minor: int | None, metric: GateMetric | None = None) -> GateAnswer:
    return answer_gate(GATE, Component(minor=minor and Minor(1, minor), metric=metric))  # type: ignore[arg-type]  # 0 is no minor


ON = answer(37)
BY_DEFAULT = answer(29)
OFF = answer(28, GateMetric(exported=True, enabled=False, stage="ALPHA"))
OLD = answer(27)
UNKNOWN = answer(None)
TEMPLATE = workload("ReplicaSet", sidecar=True)
PLAIN = workload("ReplicaSet", sidecar=False)
DEPLOYMENT = applied(workload("Deployment", sidecar=False), sidecar=True)


def explain(pod: JsonObject, around: Surrounding) -> Stuck | None:
    waiting = find_waiting(pod, NOW)
    assert waiting is not None
    return explain_stuck(pod, waiting, around)


def around(
    server: GateAnswer = ON, kubelet: GateAnswer | None = ON, *owners: JsonObject
) -> Surrounding:
    return Surrounding(api_server=server, kubelet=kubelet, owners=owners)


@pytest.mark.parametrize(
    ("pod", "surrounding", "culprit", "words"),
    [
        # Stored as it should be: the node does not act on it.
        (stuck_pod(stored=True, noted=True), around(ON, OLD), Culprit.NODE, "came with 1.28"),
        (stuck_pod(stored=True), around(ON, UNKNOWN), Culprit.UNDECIDED, "is unknown"),
        # The API server had it when the request came, the stored pod has not.
        (stuck_pod(noted=True), around(ON, ON, TEMPLATE), Culprit.WEBHOOK, "managedFields"),
        (stuck_pod(noted=True), around(OFF, ON, TEMPLATE), Culprit.API_SERVER, "is off"),
        (stuck_pod(noted=True), around(BY_DEFAULT, ON), Culprit.UNDECIDED, "depends on the gate"),
        # In the template, and not in what came with the request.
        (stuck_pod(noted=False), around(ON, ON, TEMPLATE), Culprit.API_SERVER, "kube-controller"),
        (stuck_pod(noted=False), around(OLD, ON, TEMPLATE), Culprit.API_SERVER, "came with 1.28"),
        # No managedFields left.
        (stuck_pod(), around(ON, ON, TEMPLATE), Culprit.WEBHOOK, "template of ReplicaSet web"),
        (stuck_pod(), around(BY_DEFAULT, ON, TEMPLATE), Culprit.UNDECIDED, "by default"),
        # Lost before there was a pod.
        (
            stuck_pod(),
            around(ON, ON, PLAIN, DEPLOYMENT),
            Culprit.UNDECIDED,
            "applied to Deployment",
        ),
        (stuck_pod(), around(OLD, ON, PLAIN, DEPLOYMENT), Culprit.API_SERVER, "came with 1.28"),
        # A pod nobody owns.
        (
            applied(stuck_pod(owner=None), sidecar=True),
            around(ON, ON),
            Culprit.WEBHOOK,
            "last applied to Pod web-1",
        ),
    ],
)
def test_the_culprit_is_found_by_what_each_station_left_behind(
    pod: JsonObject, surrounding: Surrounding, culprit: Culprit, words: str
) -> None:
    stuck = explain(pod, surrounding)

    assert stuck is not None
    assert stuck.culprit is culprit
    assert words in stuck.how
    assert not stuck.suspected
    assert (stuck.namespace, stuck.name, stuck.waiting.container) == ("shop", "web-1", "logs")


def test_a_sidecar_on_a_node_that_can_waits_for_its_startup_probe() -> None:
    assert explain(stuck_pod(stored=True), around(ON, ON)) is None
    assert explain(stuck_pod(stored=True), around(ON, None)) is None


def test_a_long_migration_of_the_users_own_is_no_sidecar() -> None:
    assert explain(stuck_pod(noted=False, seconds=86_400), around(ON, ON, PLAIN)) is None


def test_an_injected_container_that_is_a_sidecar_elsewhere_lost_it_to_a_webhook() -> None:
    surrounding = Surrounding(
        api_server=ON, kubelet=ON, owners=(PLAIN,), natives=frozenset({"istio-proxy"})
    )

    stuck = explain(stuck_pod(container="istio-proxy"), surrounding)

    assert stuck is not None
    assert (stuck.culprit, stuck.suspected) == (Culprit.WEBHOOK, False)


def test_an_injected_container_that_does_not_end_is_only_suspected() -> None:
    patient = explain(stuck_pod(container="agent", seconds=300), around(ON, ON, PLAIN))
    impatient = explain(stuck_pod(container="agent", seconds=900), around(ON, ON, PLAIN))

    assert patient is None
    assert impatient is not None
    assert impatient.suspected


def test_nothing_is_known_of_an_injected_container_without_a_template() -> None:
    assert explain(stuck_pod(container="agent"), around(ON, ON)) is None


def test_a_pod_that_is_not_pending_waits_for_nothing() -> None:
    pod = stuck_pod()
    status = pod["status"]
    assert isinstance(status, dict)

    assert find_waiting({**pod, "status": {**status, "phase": "Running"}}, NOW) is None
    done: JsonObject = {"type": "Initialized", "status": "True"}
    assert find_waiting({**pod, "status": {**status, "conditions": [done]}}, NOW) is None
    assert find_waiting({**pod, "status": {**status, "initContainerStatuses": []}}, NOW) is None


def test_a_native_sidecar_at_work_is_passed_over_for_the_one_that_hangs() -> None:
    pod = stuck_pod(stored=True)
    status = pod["status"]
    assert isinstance(status, dict)
    running: JsonObject = {"running": {"startedAt": "no time"}}
    statuses: list[JsonObject] = [
        {"name": "logs", "started": True, "state": running},
        {"name": "migrate", "started": False, "state": running},
    ]

    waiting = find_waiting(
        {**pod, "status": {**status, "initContainerStatuses": list(statuses)}}, NOW
    )

    assert waiting is not None
    assert (waiting.container, waiting.seconds) == ("migrate", 0.0)


def test_a_rejected_pod_is_known_by_its_reason() -> None:
    status: JsonObject = {"phase": "Failed", "reason": "InitContainerRestartPolicyForbidden"}

    assert is_rejected({"status": status})
    assert not is_rejected({"status": {**status, "reason": "Evicted"}})


@pytest.mark.parametrize("annotation", ["{", "[]", ""])
def test_an_annotation_that_is_no_manifest_is_no_witness(annotation: str) -> None:
    pod = stuck_pod(owner=None)
    metadata = pod["metadata"]
    assert isinstance(metadata, dict)
    metadata["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": annotation}

    assert explain(pod, around(ON, ON)) is None
