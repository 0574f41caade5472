import json
from pathlib import Path

import pytest
import yaml

from command_lines import run_cli
from discovered import FIRST, INJECTOR, small_cluster
from served_clusters import served

POD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: a, image: b}]}
"""
BARE = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: shop}}
spec: {containers: [{name: a, image: b}]}
"""


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    file = tmp_path / "webhooks.yaml"
    version = "admissionregistration.k8s.io/v1"
    documents = [{"apiVersion": version, **each} for each in (INJECTOR, FIRST)]
    file.write_text(yaml.safe_dump_all(documents), "utf-8")
    return file


async def test_manifests_are_listed_in_the_order_of_the_calls(
    manifests: Path, tmp_path: Path
) -> None:
    ran = await run_cli("webhooks", "--file", manifests, cwd=tmp_path)
    assert ran.code == 0
    order = [ran.out.index(name) for name in ("url.example", "inject.example", "gone.example")]
    assert order == sorted(order)


async def test_a_pod_in_a_namespace_is_answered_for(manifests: Path, tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD, "utf-8")
    arguments = ("--file", manifests, "--pod", "pod.yaml", "--format", "json")
    ran = await run_cli("webhooks", *arguments, cwd=tmp_path)
    listed = json.loads(ran.out)
    assert listed["asked"] == "the pods of deployment/web in the namespace shop"
    decisions = [each["called"]["decision"] for each in listed["webhooks"]]
    assert decisions == ["undecided", "undecided", "skipped"]
    assert "labels of the namespace shop" in listed["webhooks"][1]["called"]["reason"]
    assert listed["namespaces"] is None


async def test_a_namespace_alone_is_answered_for(manifests: Path, tmp_path: Path) -> None:
    ran = await run_cli("webhooks", "--file", manifests, "--namespace", "shop", cwd=tmp_path)
    assert "For new pods in the namespace shop:" in ran.out
    assert "It depends on the pod: matchConditions." in ran.out


async def test_a_file_with_several_pods_is_refused(manifests: Path, tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text(f"{POD}\n---{POD}", "utf-8")
    ran = await run_cli("webhooks", "--file", manifests, "--pod", "pods.yaml", cwd=tmp_path)
    assert ran.code == 2
    assert "holds 2 pods" in ran.err


async def test_a_file_without_webhooks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD, "utf-8")
    ran = await run_cli("webhooks", "--file", "pod.yaml", cwd=tmp_path)
    assert ran.code == 2
    assert "there is no MutatingWebhookConfiguration in it" in ran.err


async def test_files_and_a_context_do_not_go_together(manifests: Path, tmp_path: Path) -> None:
    ran = await run_cli("webhooks", "--file", manifests, "--context", "x", cwd=tmp_path)
    assert ran.code == 2
    assert "not several" in ran.err


async def test_a_cluster_is_listed_and_knows_the_user_and_the_namespaces(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(BARE, "utf-8")
    async with served(small_cluster(), tmp_path) as kubeconfig:
        arguments = ("--kubeconfig", kubeconfig, "--no-dial", "--pod", "pod.yaml")
        ran = await run_cli("webhooks", *arguments, cwd=tmp_path)
    assert ran.code == 0
    assert "new pods in 1 of 3" in ran.out
    assert "For pod/web in the namespace shop created by me:" in ran.out
    assert "  0  not called  a-first/url.example.com: The matchCondition not-me is" in ran.out
    assert "  1  called      injector/inject.example.com" in ran.out
    assert "WF613" in ran.out


async def test_an_old_api_server_hides_no_webhooks(tmp_path: Path) -> None:
    cluster = small_cluster()
    cluster.objects = {**cluster.objects, "/version": {"gitVersion": "v1.33.1"}}
    async with served(cluster, tmp_path) as kubeconfig:
        ran = await run_cli("webhooks", "--kubeconfig", kubeconfig, cwd=tmp_path)
    assert ran.code == 0
    assert "WF613" not in ran.out


async def test_a_namespace_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async with served(small_cluster(), tmp_path) as kubeconfig:
        arguments = ("--kubeconfig", kubeconfig, "--namespace", "nowhere")
        ran = await run_cli("webhooks", *arguments, cwd=tmp_path)
    assert ran.code == 2
    assert "there is no namespace nowhere" in ran.err


async def test_what_may_not_be_seen_makes_the_list_incomplete(tmp_path: Path) -> None:
    refusals = {"/api/v1/namespaces/sys/pods": (403, "pods is forbidden")}
    async with served(small_cluster(refusals), tmp_path) as kubeconfig:
        ran = await run_cli("webhooks", "--kubeconfig", kubeconfig, cwd=tmp_path)
    assert ran.code == 3
    assert "not seen: pods" in ran.out


async def test_the_pods_of_a_workload_are_created_by_nobody_we_know(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD, "utf-8")
    async with served(small_cluster(), tmp_path) as kubeconfig:
        arguments = ("--kubeconfig", kubeconfig, "--no-dial", "--pod", "pod.yaml")
        ran = await run_cli("webhooks", *arguments, cwd=tmp_path)
    assert "created by" not in ran.out
    assert "it reads the user" in " ".join(ran.out.split())
