"""What is kept of a Node?"""

import pytest

from examined_clusters import node
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.cluster.component_facts import Node
from webhook_fuzz.fuzzer.cluster.nodes import parse_node


def test_what_matters_is_kept() -> None:
    taints = [
        {"key": "team", "value": "ml", "effect": "NoSchedule"},
        {"key": "gpu", "effect": "NoExecute"},
        {"key": "soft", "effect": "PreferNoSchedule"},
    ]
    item = node(
        "a", "v1.36.1", labels={"pool": "x"}, taints=taints, unschedulable=True, declared=["F"]
    )

    assert parse_node(item) == Node(
        name="a",
        kubelet="v1.36.1",
        ready=True,
        cordoned=True,
        taints=("team=ml:NoSchedule", "gpu:NoExecute"),
        labels={"pool": "x"},
        allocatable_pods=110,
        declared=frozenset({"F"}),
    )


@pytest.mark.parametrize(
    ("pods", "count"), [("110", 110), ("1k", 1000), (64, 64), ("many", None), (None, None)]
)
def test_the_room_is_a_quantity(pods: JsonValue, count: int | None) -> None:
    assert parse_node(node("a", "v1.36.1", pods=pods)).allocatable_pods == count


@pytest.mark.parametrize(
    "item",
    [{}, {"metadata": None, "spec": [], "status": {"conditions": 1, "declaredFeatures": [1]}}],
)
def test_a_node_of_any_shape_is_read(item: JsonObject) -> None:
    found = parse_node(item)

    assert (found.name, found.kubelet, found.ready) == ("", "", False)
