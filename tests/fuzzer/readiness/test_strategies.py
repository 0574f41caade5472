"""Which way of adopting a feature fits a cluster?"""

import pytest
import yaml

from examined_clusters import node as node_object
from webhook_fuzz.corpora.cluster_api.failures import Trouble, Unseen
from webhook_fuzz.corpora.fields.gates import Gate, load_gates
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.cluster.component_facts import GateMetric
from webhook_fuzz.fuzzer.cluster.nodes import parse_node
from webhook_fuzz.fuzzer.readiness.gate_answers import Component, GateAnswer, answer_gate
from webhook_fuzz.fuzzer.readiness.node_labels import find_separation
from webhook_fuzz.fuzzer.readiness.standings import NodeStanding, stand_node
from webhook_fuzz.fuzzer.readiness.strategies import Fit, choose_strategy, universal_pair

SIDECARS = load_gates()["SidecarContainers"]
IMAGES = load_gates()["ImageVolume"]
POOL = "cloud.google.com/gke-nodepool"
OFF = GateMetric(exported=True, enabled=False, stage="ALPHA")
SILENT = Unseen(what="metrics of node n", why="no", trouble=Trouble.BROKEN)


def server(minor: int | None, gate: Gate = SIDECARS) -> GateAnswer:
    return answer_gate(gate, Component(minor=Minor(1, minor) if minor else None))


def stand(
    name: str, kubelet: str, metric: GateMetric | Unseen | None = None, **others: object
) -> NodeStanding:
    gate = others.pop("gate", SIDECARS)
    assert isinstance(gate, Gate)
    return stand_node(gate, parse_node(node_object(name, kubelet, **others)), metric)


NEW, OLD = stand("new", "v1.33.1"), stand("old", "v1.27.1")


def test_where_every_node_can_injectors_switch() -> None:
    assert choose_strategy(SIDECARS, server(37), [NEW]).fit is Fit.SWITCH


def test_a_switch_on_the_strength_of_defaults_says_so() -> None:
    found = choose_strategy(SIDECARS, server(37), [NEW, stand("b", "v1.29.1", SILENT)])

    assert found.fit is Fit.SWITCH
    assert "by their version's default" in found.why


def test_a_cordoned_old_node_does_not_count() -> None:
    cordoned = stand("old", "v1.27.1", unschedulable=True)

    assert choose_strategy(SIDECARS, server(37), [NEW, cordoned]).fit is Fit.SWITCH
    assert choose_strategy(SIDECARS, server(37), [cordoned]).fit is Fit.UNKNOWN


@pytest.mark.parametrize(
    ("minor", "nodes", "fit"),
    [
        (27, [NEW], Fit.WAIT),
        (None, [NEW], Fit.UNKNOWN),
        (37, None, Fit.UNKNOWN),
        (37, [OLD], Fit.WAIT),
        (37, [stand("odd", "unknown")], Fit.UNKNOWN),
    ],
)
def test_where_nobody_can_or_nothing_is_known_nothing_is_adopted(
    minor: int | None, nodes: list[NodeStanding] | None, fit: Fit
) -> None:
    assert choose_strategy(SIDECARS, server(minor), nodes).fit is fit


def test_a_label_that_tells_the_nodes_apart_makes_the_affinity() -> None:
    nodes = [
        stand("a", "v1.33.1", labels={POOL: "new", "kubernetes.io/hostname": "a", "team": "x"}),
        stand("b", "v1.33.1", labels={POOL: "newer", "kubernetes.io/hostname": "b", "team": "x"}),
        stand("c", "v1.27.1", labels={POOL: "old", "kubernetes.io/hostname": "c"}),
    ]

    found = choose_strategy(SIDECARS, server(37), nodes)

    assert found.fit is Fit.POOLS
    affinity = yaml.safe_load(found.manifest)["spec"]["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": POOL, "operator": "In", "values": ["new", "newer"]}]


def test_labels_of_single_nodes_and_of_places_are_no_pools() -> None:
    inside = [
        parse_node(node_object(name, "v1", labels={"kubernetes.io/hostname": name, "id": name}))
        for name in "ab"
    ]

    assert find_separation(inside, []) is None
    assert find_separation([], inside) is None


def test_a_label_with_too_many_values_is_no_pool() -> None:
    inside = [
        parse_node(node_object(str(n), "v1", labels={"rack": str(n % 15)})) for n in range(40)
    ]

    assert find_separation(inside, []) is None


def test_mixed_nodes_that_look_alike_get_the_universal_pair() -> None:
    found = choose_strategy(SIDECARS, server(37), [NEW, OLD])

    assert found.fit is Fit.UNIVERSAL
    assert found.manifest == universal_pair()
    assert len(found.steps) == 1


def test_nodes_that_reject_native_sidecars_reject_the_pair_as_well() -> None:
    rejecting = [stand(f"r{number}", "v1.28.9", OFF) for number in range(5)]
    found = choose_strategy(SIDECARS, server(37), [NEW, OLD, *rejecting])

    assert found.fit is Fit.UNIVERSAL
    assert "r0, r1, r2 and 2 more" in found.steps[0]
    assert "old" not in found.steps[0]


def test_for_another_feature_the_nodes_that_can_are_labelled() -> None:
    nodes = [
        stand("a", "v1.36.1", gate=IMAGES),
        stand("b", "v1.30.1", gate=IMAGES),
    ]

    found = choose_strategy(IMAGES, server(37, IMAGES), nodes)

    assert found.fit is Fit.POOLS
    assert "kubectl label node" in found.steps[0]
    assert "ImageVolume" in yaml.safe_load(found.manifest)["spec"]["nodeSelector"].popitem()[0]
