import base64
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from blamed import build_pod, container
from chain_webhooks import configuration, entry
from fake_clusters import FakeCluster
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.blames.accounts import Account
from webhook_fuzz.fuzzer.blames.actors import ActorKind
from webhook_fuzz.fuzzer.blames.trees import Node, walk
from webhook_fuzz.fuzzer.blaming import BlameOptions, blame_manifest, blame_stored_pod
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.fuzzer.specimens.serving import RunningSpecimen, serve
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions

PODS = "/api/v1/namespaces/shop/pods"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
NAMESPACE: JsonObject = {"metadata": {"name": "shop", "labels": {}}}
OPTIONS = BlameOptions(source="the context test", reach=ReachOptions(inside_cluster=False))
SIDECAR = "spec.initContainers[name=logs].restartPolicy"
SPEC: JsonObject = {
    "initContainers": [container("logs", restartPolicy="Always")],
    "containers": [container("app")],
}
POD = build_pod(SPEC, name="web", namespace="shop", labels={"app": "web"}, annotations={"a": "b"})
WITHOUT_SIDECAR = build_pod(
    {**SPEC, "initContainers": [container("logs")]},
    name="web",
    namespace="shop",
    labels={"app": "web"},
    annotations={"a": "b"},
)


@pytest.fixture
async def lossy() -> AsyncGenerator[RunningSpecimen]:
    async with serve(get_specimen("typed-round-trip-1.27")) as running:
        yield running


def cluster(
    *webhooks: JsonObject, reply: JsonObject | None = None, **objects: JsonObject
) -> FakeCluster:
    found: dict[str, JsonObject] = {
        "/version": {"gitVersion": "v1.37.2"},
        "/api/v1/namespaces/shop": NAMESPACE,
        **objects,
    }
    if reply is not None:
        found[PODS] = reply
    return FakeCluster(
        objects=found, collections={CONFIGURATIONS: [configuration("chain", *webhooks)]}
    )


def at(running: RunningSpecimen, name: str = "lossy.example.com") -> JsonObject:
    bundle = base64.b64encode(running.ca_file.read_bytes()).decode()
    return entry(name, clientConfig={"url": running.url, "caBundle": bundle})


def nodes(account: Account) -> dict[str, Node]:
    return dict(walk(account.tree))


def assert_unknown(account: Account) -> None:
    gone = nodes(account)[SIDECAR].remover
    assert gone is not None
    assert gone.kind is ActorKind.UNKNOWN
    assert not account.complete


async def test_a_webhook_that_loses_a_field_is_named(lossy: RunningSpecimen) -> None:
    api = cluster(at(lossy), reply=default_pod(WITHOUT_SIDECAR))
    account = await blame_manifest(api, POD, OPTIONS)
    gone = nodes(account)[SIDECAR].remover
    assert gone is not None
    assert gone.name == "chain/lossy.example.com"
    assert account.pod == "shop/web"
    assert account.source == "as a dry run in the context test would store it"
    assert [call.outcome for call in account.calls] == ["patched"]


async def test_one_that_cannot_be_called_is_never_accused() -> None:
    gone = entry("gone.example.com", clientConfig={"url": "https://127.0.0.1:1/mutate"})
    account = await blame_manifest(cluster(gone, reply=default_pod(WITHOUT_SIDECAR)), POD, OPTIONS)
    assert_unknown(account)
    assert [call.outcome for call in account.calls] == ["unknown"]


async def test_without_webhooks_everything_is_told() -> None:
    account = await blame_manifest(cluster(reply=default_pod(POD)), POD, OPTIONS)
    assert account.complete
    assert account.not_seen == ()
    assert nodes(account)[SIDECAR].setter.kind is ActorKind.USER


async def test_the_template_of_a_workload_is_the_user_s_and_the_rest_its_controller_s() -> None:
    job: JsonObject = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "sums", "namespace": "shop"},
        "spec": {"template": {"spec": {**SPEC, "restartPolicy": "Never"}}},
    }
    account = await blame_manifest(cluster(), job, OPTIONS)
    found = nodes(account)
    assert found[SIDECAR].setter.kind is ActorKind.USER
    assert found["metadata.labels{job-name}"].setter.name == "Job controller"
    assert account.pod == "shop/job/sums"


async def test_configurations_that_may_not_be_listed_leave_the_hop_unknown() -> None:
    api = cluster(reply=default_pod(WITHOUT_SIDECAR))
    api.refusals = {CONFIGURATIONS: (403, "forbidden")}
    account = await blame_manifest(api, POD, OPTIONS)
    assert_unknown(account)
    assert account.not_seen[0][0] == "webhook configurations"


async def test_a_namespace_whose_labels_are_not_seen_leaves_nothing_decided(
    lossy: RunningSpecimen,
) -> None:
    selector: JsonObject = {"matchLabels": {"mesh": "on"}}
    selective: JsonObject = {**at(lossy), "namespaceSelector": selector}
    api = cluster(selective, reply=default_pod(WITHOUT_SIDECAR))
    api.refusals = {"/api/v1/namespaces/shop": (403, "forbidden")}
    account = await blame_manifest(api, POD, OPTIONS)
    assert [call.outcome for call in account.calls] == ["unknown"]
    assert not account.complete


async def test_a_pod_the_api_server_refuses_is_told_as_far_as_it_got(
    lossy: RunningSpecimen,
) -> None:
    refused: JsonObject = {"kind": "Status", "message": "Pod is invalid", "reason": "Invalid"}
    api = cluster(at(lossy))
    api.refusals = {PODS: (422, "Pod is invalid")}
    account = await blame_manifest(api, POD, OPTIONS)
    gone = nodes(account)[SIDECAR].remover
    assert gone is not None
    assert gone.name == "chain/lossy.example.com"
    assert not account.complete
    assert any(str(refused["message"]) in note for note in account.notes)


async def test_a_cluster_that_does_not_say_its_version_is_an_error() -> None:
    api = cluster(reply=default_pod(POD))
    api.refusals = {"/version": (401, "Unauthorized")}
    with pytest.raises(ClusterError):
        await blame_manifest(api, POD, OPTIONS)


async def test_a_pod_that_does_not_decode_is_sent_to_no_webhook(lossy: RunningSpecimen) -> None:
    api = cluster(at(lossy))
    api.refusals = {PODS: (400, "cannot unmarshal string")}
    broken = build_pod({**SPEC, "hostNetwork": "yes"}, name="web", namespace="shop")
    account = await blame_manifest(api, broken, OPTIONS)
    assert account.calls == ()
    assert any("No webhook was called: the pod does not decode" in each for each in account.notes)
    assert not account.complete


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({"kind": "Service"}, "there is no pod in a Service"),
        ({}, "there is no pod in a manifest without a kind"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {}}, "cannot be created"),
    ],
)
async def test_a_manifest_without_a_pod_is_the_user_s_error(
    manifest: JsonObject, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        await blame_manifest(cluster(), manifest, OPTIONS)


def stored(**metadata: JsonValue) -> JsonObject:
    return default_pod(
        build_pod(
            {**SPEC, "initContainers": [container("logs")], "nodeName": "n1"},
            name="web-x",
            generateName="web-",
            namespace="shop",
            labels={"app": "web"},
            annotations={"a": "b"},
            **metadata,
        )
    )


def owned(version: str, kind: str) -> JsonObject:
    owner: JsonObject = {"apiVersion": version, "kind": kind, "name": "web", "controller": True}
    return stored(ownerReferences=[owner])


REPLICA_SET: JsonObject = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "template": {
            "metadata": {"labels": {"app": "web"}, "annotations": {"a": "b"}},
            "spec": SPEC,
        }
    },
}


async def test_a_stored_pod_is_compared_with_the_template_of_its_owner(
    lossy: RunningSpecimen,
) -> None:
    api = cluster(at(lossy), reply=stored())
    api.objects = {
        **api.objects,
        f"{PODS}/web-x": owned("apps/v1", "ReplicaSet"),
        "/apis/apps/v1/namespaces/shop/replicasets/web": REPLICA_SET,
    }
    account = await blame_stored_pod(api, "shop", "web-x", OPTIONS)
    found = nodes(account)
    gone = found[SIDECAR].remover
    assert gone is not None
    assert gone.name == "chain/lossy.example.com"
    assert account.source == "as it is stored in the context test"
    assert any("template of the ReplicaSet web" in note for note in account.notes)


@pytest.mark.parametrize(
    ("version", "kind", "said"),
    [
        ("argoproj.io/v1", "Rollout", "What a Rollout of argoproj.io/v1 makes its pods of"),
        ("apps/v1", "ReplicaSet", "managedFields"),
    ],
)
async def test_an_owner_that_is_not_known_or_not_there_leaves_the_pod_itself(
    version: str, kind: str, said: str
) -> None:
    api = cluster(reply=stored())
    api.objects = {**api.objects, f"{PODS}/web-x": owned(version, kind)}
    account = await blame_stored_pod(api, "shop", "web-x", OPTIONS)
    assert any(said in note for note in account.notes)
    assert bool(account.not_seen) == (kind == "ReplicaSet")


async def test_without_calling_webhooks_only_the_api_server_is_asked(
    lossy: RunningSpecimen,
) -> None:
    api = cluster(at(lossy), reply=stored())
    api.objects = {**api.objects, f"{PODS}/web-x": stored()}
    options = BlameOptions(source="a bundle", alone=False)
    account = await blame_stored_pod(api, "shop", "web-x", options)
    assert account.calls == ()
    assert "No webhook was called alone." in account.notes
    assert CONFIGURATIONS not in {request.path for request in api.asked}


async def test_a_pod_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="web-x not found"):
        await blame_stored_pod(cluster(), "shop", "web-x", OPTIONS)
