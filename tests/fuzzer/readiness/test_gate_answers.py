"""Is a gate on, and is it said how that is known?"""

import pytest

from webhook_fuzz.corpora.cluster_api.failures import Trouble, Unseen
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.cluster.component_facts import GateMetric
from webhook_fuzz.fuzzer.readiness.gate_answers import (
    Component,
    Source,
    State,
    answer_gate,
    read_version,
)
from webhook_fuzz.fuzzer.readiness.gate_traits import (
    SIDECARS,
    acts_elsewhere,
    locked_since,
    on_by_default_since,
)

GATES = load_gates()
ON = GateMetric(exported=True, enabled=True, stage="BETA")
OFF = GateMetric(exported=True, enabled=False, stage="ALPHA")
GONE = GateMetric(exported=True)
NONE = GateMetric(exported=False)
FORBIDDEN = Unseen(what="metrics of node n", why="no", trouble=Trouble.FORBIDDEN)
REFUSED = Unseen(what="metrics of node n", why="no", trouble=Trouble.BROKEN)


@pytest.mark.parametrize(
    ("minor", "metric", "label", "source", "words"),
    [
        # The metric decides where there is one, whatever the version's default is.
        (Minor(1, 28), ON, "on", Source.METRIC, "is 1, stage BETA"),
        (Minor(1, 28), OFF, "off", Source.METRIC, "is 0, stage ALPHA"),
        (Minor(1, 30), OFF, "off", Source.METRIC, "is 0"),
        (Minor(1, 33), ON, "on (locked)", Source.METRIC, "is 1"),
        # A line that is missing: older than the gate, or graduated and gone.
        (Minor(1, 27), GONE, "off", Source.VERSION, "1.27 does not have it: it came with 1.28"),
        (Minor(1, 37), GONE, "on (locked)", Source.VERSION, "GA since 1.33; the gate is gone"),
        (Minor(1, 33), GONE, "on (locked)", Source.VERSION, "GA since 1.33"),
        (Minor(1, 30), GONE, "unknown", Source.NOTHING, "which 1.30 should have"),
        # No metrics at all: the version decides where nobody can have changed the gate.
        (Minor(1, 27), FORBIDDEN, "off", Source.VERSION, "came with 1.28"),
        (Minor(1, 36), FORBIDDEN, "on (locked)", Source.VERSION, "GA since 1.33"),
        (Minor(1, 36), REFUSED, "on (locked)", Source.VERSION, "no connection to it"),
        (Minor(1, 28), FORBIDDEN, "off by default", Source.DEFAULT, "a custom gate is invisible"),
        (Minor(1, 29), REFUSED, "on by default", Source.DEFAULT, "a custom gate is invisible"),
        (Minor(1, 29), None, "on by default", Source.DEFAULT, "was not asked for"),
        (Minor(1, 29), NONE, "on by default", Source.DEFAULT, "is not exported"),
        (Minor(1, 25), NONE, "off", Source.VERSION, "came with 1.28"),
        (None, FORBIDDEN, "unknown", Source.NOTHING, "neither the version"),
        (None, ON, "on", Source.METRIC, "is 1"),
    ],
)
def test_native_sidecars_are_on_or_off_and_it_is_said_how_that_is_known(
    minor: Minor | None,
    metric: GateMetric | Unseen | None,
    label: str,
    source: Source,
    words: str,
) -> None:
    answer = answer_gate(GATES[SIDECARS], Component(minor=minor, metric=metric))

    assert (answer.label, answer.source) == (label, source)
    assert words in answer.how


def test_a_component_too_old_for_the_metric_is_taken_by_its_default() -> None:
    component = Component(minor=Minor(1, 24), metric=NONE)
    answer = answer_gate(GATES["GRPCContainerProbe"], component)

    assert answer.label == "on by default"
    assert "1.24 has no such metric" in answer.how


def test_a_gate_that_is_ga_and_not_locked_yet_may_be_off() -> None:
    gate = GATES["DynamicResourceAllocation"]

    early = answer_gate(gate, Component(minor=Minor(1, 34), metric=FORBIDDEN))
    late = answer_gate(gate, Component(minor=Minor(1, 35), metric=FORBIDDEN))

    assert (early.label, early.certain) == ("on by default", False)
    assert (late.label, late.certain) == ("on (locked)", True)


def test_a_minor_newer_than_the_gate_table_is_not_guessed() -> None:
    component = Component(minor=Minor(1, 44), metric=FORBIDDEN)

    assert answer_gate(GATES["EnvFiles"], component).state is State.UNKNOWN
    assert answer_gate(GATES[SIDECARS], component).label == "on (locked)"


def test_a_feature_the_node_declares_is_on() -> None:
    gate = GATES["RestartAllContainersOnContainerExits"]
    declared = frozenset({gate.name})

    answer = answer_gate(gate, Component(minor=Minor(1, 35), metric=FORBIDDEN, declared=declared))

    assert (answer.label, answer.source) == ("on", Source.DECLARED)


@pytest.mark.parametrize("gate", GATES.values(), ids=lambda gate: gate.name)
def test_every_gate_has_an_answer_at_every_minor(gate: object) -> None:
    known = next(each for each in GATES.values() if each is gate)
    for number in range(19, 40):
        for metric in (ON, OFF, GONE, NONE, FORBIDDEN, None):
            answer = answer_gate(known, Component(minor=Minor(1, number), metric=metric))
            assert answer.how
    assert (locked_since(known) is None) == ("GA" not in [each.name for each in known.stages])
    assert acts_elsewhere(known) != ""
    assert on_by_default_since(known) is None or on_by_default_since(known) >= Minor(1, 18)  # type: ignore[operator]  # checked beside it


@pytest.mark.parametrize(
    ("text", "minor"),
    [("v1.29.6-gke.100", Minor(1, 29)), ("v1.37.2", Minor(1, 37)), ("", None), ("master", None)],
)
def test_versions_are_read_as_nodes_write_them(text: str, minor: Minor | None) -> None:
    assert read_version(text) == minor
