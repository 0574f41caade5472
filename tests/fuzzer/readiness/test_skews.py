"""Which versions may stand side by side?"""

import pytest

from examined_clusters import node
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.fuzzer.cluster.component_facts import ApiServer, GateMetric
from webhook_fuzz.fuzzer.cluster.nodes import parse_node
from webhook_fuzz.fuzzer.readiness.skews import find_skews
from webhook_fuzz.fuzzer.readiness.standings import group_nodes, stand_api_server, stand_node

GATE = load_gates()["SidecarContainers"]
NONE = GateMetric(exported=False)


def sentences(servers: list[str], kubelets: list[str]) -> list[str]:
    asked = [ApiServer(address="", version=each, emulated=None, metric=NONE) for each in servers]
    nodes = [parse_node(node(f"n{number}", each)) for number, each in enumerate(kubelets)]
    found = find_skews(
        [stand_api_server(GATE, each) for each in asked],
        group_nodes([stand_node(GATE, each, None) for each in nodes]),
    )
    return [f"{skew.subject}: {skew.sentence}" for skew in found]


@pytest.mark.parametrize(
    ("servers", "kubelets"),
    [
        (["v1.37.2"], ["v1.37.1", "v1.34.9"]),
        (["v1.37.2", "v1.36.3"], ["v1.36.1", "v1.34.1"]),
        (["v1.26.1"], ["v1.24.1"]),
        (["unknown"], ["v1.20.1"]),
        (["v1.37.2"], ["unknown"]),
    ],
)
def test_what_the_policy_allows_is_not_mentioned(servers: list[str], kubelets: list[str]) -> None:
    assert sentences(servers, kubelets) == []


def test_what_the_policy_does_not_allow_is_named_once_a_minor() -> None:
    assert sentences(["v1.36.0", "v1.34.0"], ["v1.35.1", "v1.32.1", "v1.32.2", "v1.33.1"]) == [
        "API servers: API servers of 1.34 and 1.36 side by side; one minor is allowed.",
        (
            "nodes of 1.32 (n1, n2): kubelet 1.32 is 4 minors older than the API server (1.36); "
            "3 are allowed."
        ),
        (
            "nodes of 1.35 (n0): kubelet 1.35 is newer than the API server (1.34), "
            "which is never allowed."
        ),
    ]


def test_before_1_25_two_minors_were_allowed() -> None:
    (only,) = sentences(["v1.27.1"], ["v1.24.1"])

    assert "2 are allowed" in only
