"""Is there a request that makes the API server call a webhook, and none that only may?"""

from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest

from intercepted import ALL, staging
from patching_clusters import configuration, service_config, webhook
from storing_clusters import status
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.cli.interception_probes import PodProbes, find_request
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions

NAMESPACES = {"default": {"team": "a"}, "shop": {"mesh": "on"}}
CONFIG = service_config("mesh", "injector")


def hook(**others: JsonValue) -> Webhook:
    return list_webhooks([configuration("c", webhook("w.example.com", CONFIG, **others))])[0]


def test_it_is_a_dry_run_in_a_namespace_that_is_selected() -> None:
    found = find_request(hook(namespaceSelector={"matchLabels": {"mesh": "on"}}), NAMESPACES)
    assert found is not None
    assert found.path == "/api/v1/namespaces/shop/pods"
    assert found.query["dryRun"] == "All"
    default = find_request(hook(), NAMESPACES)
    assert default is not None
    assert default.path == "/api/v1/namespaces/default/pods"


def test_the_pod_has_the_labels_that_are_selected() -> None:
    found = find_request(hook(objectSelector={"matchLabels": {"inject": "yes"}}), NAMESPACES)
    assert found is not None
    assert orjson.loads(found.body or b"")["metadata"]["labels"] == {"inject": "yes"}


@pytest.mark.parametrize(
    "others",
    [
        {"namespaceSelector": {"matchLabels": {"no": "namespace"}}},
        {
            "rules": [
                {
                    "apiGroups": ["apps"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["deployments"],
                }
            ]
        },
        {
            "objectSelector": {
                "matchLabels": {"a": "b"},
                "matchExpressions": [{"key": "a", "operator": "DoesNotExist"}],
            }
        },
        {"matchConditions": [{"name": "c", "expression": "object.metadata.name == 'x'"}]},
    ],
)
def test_where_no_request_is_sure_there_is_none(others: dict[str, Any]) -> None:
    assert find_request(hook(**others), NAMESPACES) is None


async def test_all_webhooks_are_probed_at_the_one_api_server_there_is() -> None:
    cluster = staging()
    for name, labels in NAMESPACES.items():
        named: JsonObject = {"name": name, "labels": dict(labels)}
        cluster.put("/api/v1/namespaces", {"metadata": named})
    slices: JsonObject = {
        "metadata": {"name": "kubernetes"},
        "ports": [{"port": 6443}],
        "endpoints": [{"addresses": ["192.0.2.1"]}],
    }
    cluster.put("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slices)
    configurations = [each for each in cluster.stored.values() if "webhooks" in each]
    webhooks = list_webhooks(configurations)
    async with AsyncExitStack() as stack:
        probes = await PodProbes(cluster, ClusterOptions(), stack).find(webhooks)
        assert probes.api_servers == 1
        assert {name: len(each) for name, each in probes.by_webhook.items()} == dict.fromkeys(
            ALL, 1
        )
        probe = probes.by_webhook[ALL[0]][0]
        await probe()
        assert cluster.did("POST") == ["/api/v1/namespaces/default/pods"]
        cluster.refuse = lambda _: status(403, "you may not create pods")
        with pytest.raises(ClusterError, match="you may not create pods"):
            await probe()


async def test_what_may_not_be_listed_leaves_nothing_to_probe_with() -> None:
    cluster = staging()
    cluster.refuse = lambda _: status(403, "you may not")
    async with AsyncExitStack() as stack:
        probes = await PodProbes(cluster, ClusterOptions(), stack).find([hook()])
    assert not probes.by_webhook
    assert probes.api_servers is None
