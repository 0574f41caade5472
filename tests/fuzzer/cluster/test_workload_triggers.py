"""What the cluster's own workloads carry that makes webhooks act."""

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.loading import load_shipped_triggers
from webhook_fuzz.corpora.triggers.syntax import fault_of_dns_label
from webhook_fuzz.corpora.webhooks import list_webhooks
from webhook_fuzz.fuzzer.cluster.workload_triggers import (
    TriggerKeys,
    find_workload_triggers,
    trigger_keys,
)

CONFIGURATION: JsonObject = {
    "metadata": {"name": "c"},
    "webhooks": [
        {
            "name": "w",
            "objectSelector": {"matchLabels": {"inject.example": "yes"}},
            "namespaceSelector": {
                "matchExpressions": [
                    {"key": "team", "operator": "Exists"},
                    {"key": "control-plane", "operator": "DoesNotExist"},
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a"]},
                ]
            },
        }
    ],
}


def keys() -> TriggerKeys:
    return trigger_keys(load_shipped_triggers(), list_webhooks([CONFIGURATION]))


def seed(name: str, *, labels: JsonObject | None = None, **annotations: str) -> SeedPod:
    metadata: JsonObject = {
        "labels": labels or {},
        "annotations": {key.replace("__", "/"): value for key, value in annotations.items()},
    }
    namespace = name.partition("/")[0]
    return SeedPod(name=name, because="", namespace=namespace, pod={"metadata": metadata})


def test_a_known_webhooks_annotations_are_a_trigger_named_after_the_workload() -> None:
    cart = SeedPod(
        name="shop/deployment/cart",
        because="",
        namespace="shop",
        pod={
            "metadata": {
                "annotations": {
                    "vault.hashicorp.com/agent-inject": "true",
                    "vault.hashicorp.com/agent-inject-secret-of-ours": "kv/x",
                    "prometheus.io/scrape": "true",
                },
                "labels": {"app": "cart", "app.kubernetes.io/name": "cart"},
            }
        },
    )

    (trigger,) = find_workload_triggers([cart], keys(), {})

    assert trigger.name == "shop-deployment-cart"
    assert set(trigger.annotations) == {
        "vault.hashicorp.com/agent-inject",
        "vault.hashicorp.com/agent-inject-secret-of-ours",
    }
    assert trigger.labels == {}
    assert "Vault" in trigger.webhook
    assert trigger.source == "the cluster: shop/deployment/cart"
    assert "shop/deployment/cart carries vault.hashicorp.com/agent-inject" in trigger.because


def test_what_a_webhook_of_the_cluster_selects_by_is_a_trigger_too() -> None:
    found = find_workload_triggers(
        [seed("shop/pod/x", labels={"inject.example": "yes", "app": "x"})],
        keys(),
        {"shop": {"team": "a", "kubernetes.io/metadata.name": "shop", "control-plane": "no"}},
    )

    assert [(dict(each.labels), dict(each.namespace_labels)) for each in found] == [
        ({"inject.example": "yes"}, {"team": "a"})
    ]


def test_a_workload_that_carries_nothing_of_the_kind_is_no_trigger() -> None:
    plain = seed("shop/deployment/web", labels={"app": "web", "helm.sh/chart": "web-1"})

    assert find_workload_triggers([plain], keys(), {}) == ()


def test_equal_ones_are_one_trigger_and_names_stay_unique() -> None:
    on: JsonObject = {"inject.example": "yes"}
    names = ["shop/deployment/a.b", "shop/deployment/a-b", "shop/deployment/" + "long" * 30]
    found = find_workload_triggers(
        [
            seed(names[0], labels=on),
            seed(names[1], labels=on),
            seed(names[1], labels={"inject.example": "no"}),
            seed(names[2], labels={"inject.example": "1"}),
            seed(names[2], labels={"inject.example": "2"}),
        ],
        keys(),
        {},
    )

    assert [each.name for each in found][:2] == ["shop-deployment-a-b", "shop-deployment-a-b-2"]
    assert len({each.name for each in found}) == len(found) == 4
    assert not any(fault_of_dns_label(each.name) for each in found)


def test_a_namespace_without_a_seed_of_its_own_brings_its_labels() -> None:
    found = find_workload_triggers(
        [], keys(), {"mesh": {"istio-injection": "enabled"}, "plain": {"x": "y"}}
    )

    assert [(each.name, dict(each.namespace_labels)) for each in found] == [
        ("namespace-mesh", {"istio-injection": "enabled"})
    ]


def test_there_are_at_most_so_many() -> None:
    seeds = [seed(f"s/pod/p{n}", labels={"inject.example": str(n)}) for n in range(9)]

    assert len(find_workload_triggers(seeds, keys(), {}, most=3)) == 3
