"""What becomes of a native sidecar, for every combination of API server, kubelet and webhook?"""

import pytest

from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.cluster.component_facts import GateMetric
from webhook_fuzz.fuzzer.readiness.gate_answers import Component, GateAnswer, answer_gate
from webhook_fuzz.fuzzer.readiness.gate_traits import SIDECARS
from webhook_fuzz.fuzzer.readiness.outcomes import SENTENCES, Outcome, predict_outcome

GATE = load_gates()[SIDECARS]
KUBELETS = ("1.27", "1.28 off", "1.28 on", "1.29", "1.33", "1.36")


def stand(text: str) -> tuple[Minor, GateAnswer]:
    """`1.28 off`: a component of 1.28 whose metric says that the gate is off."""
    version, _, state = text.partition(" ")
    minor = Minor(1, int(version.partition(".")[2]))
    metric = GateMetric(exported=True, enabled=state == "on", stage="ALPHA") if state else None
    return minor, answer_gate(GATE, Component(minor=minor, metric=metric))


def cells() -> list[tuple[str, str, bool, Outcome]]:
    """Every cell: the first rule that fits decides."""
    found: list[tuple[str, str, bool, Outcome]] = []
    for stripped in (False, True):
        for kubelet in KUBELETS:
            found += [
                ("1.26", kubelet, stripped, Outcome.UNKNOWN_TO_API_SERVER),
                ("1.27", kubelet, stripped, Outcome.UNKNOWN_TO_API_SERVER),
                ("1.28 off", kubelet, stripped, Outcome.DROPPED_BY_GATE),
            ]
            on_node = {
                "1.27": Outcome.IGNORED_BY_KUBELET,
                "1.28 off": Outcome.REJECTED_BY_KUBELET,
            }.get(kubelet, Outcome.WORKS)
            outcome = Outcome.STRIPPED_BY_WEBHOOK if stripped else on_node
            found += [
                (server, kubelet, stripped, outcome)
                for server in ("1.28 on", "1.29", "1.33", "1.36", "1.37")
            ]
    return found


@pytest.mark.parametrize(("server", "kubelet", "stripped", "outcome"), cells())
def test_a_cell_of_the_table(
    server: str, kubelet: str, *, stripped: bool, outcome: Outcome
) -> None:
    found = predict_outcome(
        GATE, api_server=stand(server), kubelet=stand(kubelet), stripped=stripped
    )

    assert found is outcome
    assert SENTENCES[found]
    plain = outcome not in {Outcome.WORKS, Outcome.REJECTED_BY_KUBELET}
    assert found.is_plain_init_container == plain


def test_what_is_not_known_is_not_said_to_work() -> None:
    unknown = answer_gate(GATE, Component(minor=None))

    for server, kubelet in (
        ((None, unknown), stand("1.33")),
        (stand("1.33"), (None, unknown)),
        (stand("1.33"), None),
    ):
        assert predict_outcome(GATE, api_server=server, kubelet=kubelet) is Outcome.UNKNOWN


def test_a_kubelet_with_another_gate_off_runs_the_pod_without_it() -> None:
    gate = load_gates()["ImageVolume"]
    metric = GateMetric(exported=True, enabled=False, stage="BETA")
    kubelet = answer_gate(gate, Component(minor=Minor(1, 33), metric=metric))
    server = answer_gate(gate, Component(minor=Minor(1, 36)))

    found = predict_outcome(
        gate, api_server=(Minor(1, 36), server), kubelet=(Minor(1, 33), kubelet)
    )

    assert found is Outcome.OFF_IN_KUBELET


def test_no_kubelet_is_too_old_for_what_only_the_scheduler_reads() -> None:
    gate = load_gates()["MinDomainsInPodTopologySpread"]
    server = answer_gate(gate, Component(minor=Minor(1, 33)))
    kubelet = answer_gate(gate, Component(minor=Minor(1, 22)))

    found = predict_outcome(
        gate, api_server=(Minor(1, 33), server), kubelet=(Minor(1, 22), kubelet)
    )

    assert found is Outcome.WORKS
