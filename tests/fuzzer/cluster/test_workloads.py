"""The cluster's own pods as seeds: what webhooks look at is kept, the thousandfold same is not."""

from typing import Any, cast

from fake_clusters import FakeCluster
from webhook_fuzz.corpora.cluster_api.failures import Trouble
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.fuzzer.cluster.pod_shapes import coarse_shape, exact_shape
from webhook_fuzz.fuzzer.cluster.workloads import read_workload_pods

DEPLOYMENTS, PODS = "/apis/apps/v1/deployments", "/api/v1/pods"
_NONE: list[JsonObject] = []
COLLECTIONS = {
    f"/apis/{group}": _NONE
    for group in (
        "apps/v1/deployments",
        "apps/v1/statefulsets",
        "apps/v1/daemonsets",
        "apps/v1/replicasets",
        "batch/v1/jobs",
        "batch/v1/cronjobs",
    )
} | {PODS: _NONE}


def template(**spec: Any) -> JsonObject:  # noqa: ANN401 - members of a spec
    container = {"name": "app", "image": "i", "env": [{"name": "PASSWORD", "value": "hunter22"}]}
    metadata = {"labels": {"app": "web"}, "annotations": {"team.example/note": "confidential"}}
    return cast("JsonObject", {"metadata": metadata, "spec": {"containers": [container], **spec}})


def deployment(name: str, of: JsonObject | None = None, namespace: str = "shop") -> JsonObject:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "uid": "u"},
        "spec": {"template": of or template()},
    }


def bare_pod(name: str, **metadata: Any) -> JsonObject:  # noqa: ANN401 - members of the metadata
    made = template(nodeName="n1")
    whole = {"name": name, "namespace": "shop", "uid": "u", **metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": whole, "spec": made["spec"]}


def cluster(**collections: list[JsonObject]) -> FakeCluster:
    named = {"deployments": DEPLOYMENTS, "pods": PODS, "jobs": "/apis/batch/v1/jobs"}
    given = {named[name]: found for name, found in collections.items()}
    return FakeCluster(collections={**COLLECTIONS, **given})


async def test_a_workloads_pod_is_the_one_its_controller_would_make() -> None:
    found = await read_workload_pods(
        cluster(deployments=[deployment("web", template(serviceAccountName="web-sa"))])
    )

    (seed,) = found.seeds
    pod: Any = seed.pod
    assert (seed.name, seed.namespace) == ("shop/deployment/web", "shop")
    assert pod["metadata"]["labels"]["app"] == "web"
    assert "pod-template-hash" in pod["metadata"]["labels"]
    assert pod["metadata"]["annotations"] == {"team.example/note": "confidential"}
    assert pod["spec"]["serviceAccountName"] == "web-sa"
    assert found.not_seen == ()


async def test_pods_and_jobs_of_controllers_are_not_taken_twice() -> None:
    owner: JsonObject = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web-1",
        "controller": True,
    }
    job: JsonObject = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "shop", "ownerReferences": [owner]},
        "spec": {"template": template()},
    }

    found = await read_workload_pods(
        cluster(pods=[bare_pod("web-1-x", ownerReferences=[owner])], jobs=[job])
    )

    assert found.seeds == ()


async def test_a_bare_pod_is_taken_as_it_was_created() -> None:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{...}"}
    found = await read_workload_pods(cluster(pods=[bare_pod("db", annotations=applied)]))

    pod: Any = found.seeds[0].pod
    assert "nodeName" not in pod["spec"]
    assert "uid" not in pod["metadata"]
    assert "annotations" not in pod["metadata"]


async def test_of_the_same_shape_one_is_kept_and_the_others_are_counted() -> None:
    many = [deployment(f"web-{number:03}", namespace=f"ns-{number % 7}") for number in range(1000)]

    found = await read_workload_pods(cluster(deployments=many))

    assert [seed.name for seed in found.seeds] == ["ns-0/deployment/web-000"]
    assert found.alike["ns-0/deployment/web-000"] == 999


async def test_the_most_different_come_first_and_the_rest_is_left_out_by_name() -> None:
    accounts = [deployment(f"a{n}", template(serviceAccountName=f"sa-{n}")) for n in range(5)]
    host = deployment("z", template(hostNetwork=True))

    found = await read_workload_pods(cluster(deployments=[*accounts, host]), most=3)

    assert [seed.name.rpartition("/")[2] for seed in found.seeds] == ["a0", "z", "a1"]
    assert [seed.name.rpartition("/")[2] for seed in found.left_out] == ["a2", "a3", "a4"]


async def test_the_order_does_not_depend_on_the_lists() -> None:
    both = [deployment("b", template(hostPID=True)), deployment("a")]

    one = await read_workload_pods(cluster(deployments=both))
    other = await read_workload_pods(cluster(deployments=both[::-1]))

    assert [seed.name for seed in one.seeds] == [seed.name for seed in other.seeds]


async def test_what_may_not_be_listed_is_said_and_the_rest_is_taken() -> None:
    partial = cluster(deployments=[deployment("web")])
    partial.refusals = {PODS: (403, "no"), "/apis/batch": (403, "no")}

    found = await read_workload_pods(partial)

    assert len(found.seeds) == 1
    assert {unseen.what for unseen in found.not_seen} == {"pods", "jobs", "cron jobs"}
    assert {unseen.trouble for unseen in found.not_seen} == {Trouble.FORBIDDEN}


async def test_one_namespace_is_read_alone() -> None:
    path = "/apis/apps/v1/namespaces/shop/deployments"
    found = await read_workload_pods(
        FakeCluster(collections={path: [deployment("web")]}), namespace="shop"
    )

    assert [seed.name for seed in found.seeds] == ["shop/deployment/web"]


async def test_a_template_the_api_server_would_refuse_is_passed_over() -> None:
    broken = deployment("broken", {"spec": {}})

    assert (await read_workload_pods(cluster(deployments=[broken]))).seeds == ()


async def test_the_secrets_of_seeds_are_known_to_the_redactor() -> None:
    redactor = Redactor()

    await read_workload_pods(cluster(deployments=[deployment("web")]), redactor=redactor)

    assert "hunter22" not in redactor.redact_text("PASSWORD=hunter22")
    assert "confidential" not in redactor.redact_text("confidential")


def pod(labels: JsonObject | None = None, **spec: Any) -> JsonObject:  # noqa: ANN401 - a spec
    made = template(**spec)
    return {"metadata": {"labels": labels or {}}, "spec": made["spec"]}


def test_values_make_no_shape_but_choices_do() -> None:
    on, off = pod({"sidecar/inject": "true"}), pod({"sidecar/inject": "false"})

    assert exact_shape(pod({"app": "a"})) == exact_shape(pod({"app": "b"}))
    assert exact_shape(on) != exact_shape(off)
    assert exact_shape(pod({"pod-template-hash": "1"})) == exact_shape(pod())
    assert exact_shape(pod(hostNetwork=True)) != exact_shape(pod())


def test_the_number_of_containers_makes_a_shape() -> None:
    two = [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]

    assert exact_shape(pod(containers=two)) != exact_shape(pod(containers=two[:1]))


def test_service_accounts_tell_pods_apart_but_not_at_first() -> None:
    one, other = pod(serviceAccountName="a"), pod(serviceAccountName="b")

    assert coarse_shape(one) == coarse_shape(other)
    assert exact_shape(one) != exact_shape(other)
