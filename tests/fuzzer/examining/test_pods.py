"""Which pods and Jobs hang, and what is said when one of them is asked about?"""

import pytest

from examined_clusters import ExaminedCluster, gone, node, off, on
from stuck_pods import NOW, applied, job, job_pod, pod_spec, stuck_pod, workload
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.examining.examinations import examine_cluster
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.examining.single_pods import examine_pod
from webhook_fuzz.fuzzer.readiness.examined import Examination
from webhook_fuzz.fuzzer.readiness.outcomes import Outcome

OPTIONS = ExaminationOptions(gate=load_gates()["SidecarContainers"], now=NOW)
REPLICA_SET = "/apis/apps/v1/namespaces/shop/replicasets/web"
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"
JOB = "/apis/batch/v1/namespaces/shop/jobs/import"
POD = "/api/v1/namespaces/shop/pods/web-1"
RULE: JsonObject = {
    "operations": ["CREATE"],
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["pods"],
}
WEBHOOK: JsonObject = {
    "metadata": {"name": "mesh"},
    "webhooks": [{"name": "inject.example.com", "rules": [RULE]}],
}
REJECTED: JsonObject = {
    "kind": "Pod",
    "metadata": {"name": "job-1", "namespace": "shop"},
    "spec": {**pod_spec(sidecar=True), "nodeName": "n"},
    "status": {"phase": "Failed", "reason": "InitContainerRestartPolicyForbidden"},
}


def cluster(kubelet: str = "v1.33.1", page: str | None = None, **others: object) -> ExaminedCluster:
    built = ExaminedCluster(
        metrics=gone(),
        nodes=[node("n", kubelet)],
        kubelets={"n": page or on("")},
        webhooks=[WEBHOOK],
    )
    for name, value in others.items():
        setattr(built, name, value)
    return built


def only(found: Examination, code: str) -> str:
    (finding,) = [each for each in found.findings if each.code == code]
    return f"{finding.subject}: {finding.explanation} {finding.evidence}"


async def test_a_pod_whose_sidecar_a_webhook_made_plain_is_wf704_with_the_webhooks() -> None:
    replica_set = workload("ReplicaSet", sidecar=True)
    found = await examine_cluster(
        cluster(pods=[stuck_pod(noted=True)], objects={REPLICA_SET: replica_set}), OPTIONS
    )

    said = only(found, "WF704")
    assert "pod shop/web-1" in said
    assert "A webhook did it." in said
    assert "mesh/inject.example.com" in said


async def test_a_pod_on_a_node_that_is_too_old_is_the_nodes_doing() -> None:
    pods = [stuck_pod(stored=True, noted=True, owner=None)]
    found = await examine_cluster(cluster("v1.27.3", gone(), pods=pods), OPTIONS)

    said = only(found, "WF704")
    assert "The node did it." in said
    assert "mesh" not in said


async def test_the_manifest_above_the_owner_is_read_too() -> None:
    objects = {
        REPLICA_SET: workload("ReplicaSet", sidecar=False, above="Deployment"),
        DEPLOYMENT: applied(workload("Deployment", sidecar=False), sidecar=True),
    }
    found = await examine_cluster(cluster(pods=[stuck_pod()], objects=objects), OPTIONS)

    assert "last applied to Deployment web" in only(found, "WF704")


async def test_an_owner_that_cannot_be_read_is_a_gap() -> None:
    found = await examine_cluster(cluster(pods=[stuck_pod(), stuck_pod()]), OPTIONS)

    assert [unseen.what for unseen in found.not_seen] == ["ReplicaSet shop/web"]
    assert found.findings == ()


async def test_an_owner_of_a_kind_that_is_not_known_is_a_gap() -> None:
    found = await examine_cluster(cluster(pods=[stuck_pod(owner="CloneSet")]), OPTIONS)

    assert [unseen.what for unseen in found.not_seen] == ["CloneSet shop/web"]


async def test_a_pod_that_has_only_just_begun_is_left_alone() -> None:
    pods = [stuck_pod(noted=True, seconds=30)]

    assert (await examine_cluster(cluster(pods=pods), OPTIONS)).findings == ()


async def test_a_rejected_pod_is_wf703_at_its_node() -> None:
    found = await examine_cluster(cluster("v1.28.9", off(), pods=[REJECTED]), OPTIONS)

    assert [each.subject for each in found.findings if each.code == "WF703"] == [
        "node n",
        "pod shop/job-1",
    ]


async def test_a_job_that_cannot_finish_is_wf705() -> None:
    pods = [job_pod(("main", 900), ("agent", "running"))]
    found = await examine_cluster(cluster(pods=pods, objects={JOB: job("main")}), OPTIONS)

    assert "job shop/import: It cannot finish" in only(found, "WF705")


async def test_more_suspects_than_are_explained_are_counted() -> None:
    pods: list[JsonObject] = []
    for number in range(205):
        pod = stuck_pod(stored=True, owner=None)
        pods.append({**pod, "metadata": {"name": f"p{number:03}", "namespace": "shop"}})

    found = await examine_cluster(cluster("v1.27.3", gone(), pods=pods), OPTIONS)

    assert len([each for each in found.findings if each.code == "WF704"]) == 200
    assert "5 more" in found.not_seen[0].why


async def test_pods_do_not_matter_to_another_feature() -> None:
    options = ExaminationOptions(gate=load_gates()["ImageVolume"], now=NOW)
    found = await examine_cluster(cluster("v1.36.3", pods=[stuck_pod(noted=True)]), options)

    assert found.findings == ()


async def test_one_pod_is_explained_station_by_station() -> None:
    objects = {POD: stuck_pod(noted=True), REPLICA_SET: workload("ReplicaSet", sidecar=True)}
    found = await examine_pod(cluster(objects=objects), OPTIONS, namespace="shop", name="web-1")

    assert found.pod is not None
    assert found.pod.sentences[:3] == (
        "The owner's template has spec.initContainers[].restartPolicy.",
        "The stored pod has none of the feature's fields.",
        "Lost on the way: spec.initContainers[].restartPolicy.",
    )
    assert "A webhook did it." in only(found, "WF704")
    assert found.probe is None


async def test_one_pod_that_works_is_said_to_work() -> None:
    pod = stuck_pod(stored=True, owner=None)
    found = await examine_pod(cluster(objects={POD: pod}), OPTIONS, namespace="shop", name="web-1")

    assert found.pod is not None
    assert found.pod.outcome is Outcome.WORKS
    assert found.pod.sentences[-1] == "Together: works."
    assert found.findings == ()


async def test_one_rejected_pod_and_one_unfinished_job_are_found_by_name() -> None:
    path = "/api/v1/namespaces/shop/pods/"
    pod = job_pod(("main", 900), ("agent", "running"))
    objects = {f"{path}job-1": REJECTED, f"{path}import-x": pod, JOB: job("main")}
    small = cluster("v1.28.9", off(), objects=objects)

    rejected = await examine_pod(small, OPTIONS, namespace="shop", name="job-1")
    unfinished = await examine_pod(small, OPTIONS, namespace="shop", name="import-x")

    assert "pod shop/job-1" in [each.subject for each in rejected.findings]
    assert "job shop/import" in only(unfinished, "WF705")


async def test_one_pod_of_another_feature_is_explained_by_its_fields() -> None:
    spec: JsonObject = {
        "nodeName": "n",
        "containers": [{"name": "a"}],
        "volumes": [{"name": "v", "image": {"reference": "x"}}],
    }
    pod: JsonObject = {"metadata": {"name": "web-1", "namespace": "shop"}, "spec": spec}
    options = ExaminationOptions(gate=load_gates()["ImageVolume"], now=NOW, ask_kubelets=False)
    found = await examine_pod(cluster(objects={POD: pod}), options, namespace="shop", name="web-1")

    assert found.pod is not None
    assert found.pod.in_pod == ("spec.volumes[].image",)
    assert found.pod.outcome is Outcome.OFF_IN_KUBELET


async def test_a_pod_without_a_node_has_no_outcome_yet() -> None:
    pod = stuck_pod(stored=True, owner=None, node="")
    found = await examine_pod(cluster(objects={POD: pod}), OPTIONS, namespace="shop", name="web-1")

    assert found.pod is not None
    assert found.pod.outcome is Outcome.UNKNOWN


async def test_a_node_that_cannot_be_read_is_a_gap_beside_the_pod() -> None:
    small = cluster(
        objects={POD: stuck_pod(stored=True, owner=None)},
        refusals={"/api/v1/nodes": (403, "forbidden")},
    )
    found = await examine_pod(small, OPTIONS, namespace="shop", name="web-1")

    assert [unseen.what for unseen in found.not_seen] == ["node n"]


async def test_a_pod_that_does_not_exist_is_the_users_mistake() -> None:
    with pytest.raises(InputError, match="there is no pod shop/nope"):
        await examine_pod(cluster(), OPTIONS, namespace="shop", name="nope")


async def test_a_pod_that_must_not_be_read_is_not() -> None:
    small = cluster(refusals={"/api/v1/namespaces/shop": (403, "forbidden")})
    with pytest.raises(ClusterError):
        await examine_pod(small, OPTIONS, namespace="shop", name="web-1")
