"""Temporary namespaces, gated pods and seeds on a kube-apiserver with controllers."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest

from testbed.clusters import Cluster as Administrator
from testbed.clusters import administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from testbed.registrations import build_pod
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.live_pods import GATE, live_pod
from webhook_fuzz.fuzzer.cluster.namespaces import (
    NamespaceOptions,
    delete_leftovers,
    work_namespace,
)
from webhook_fuzz.fuzzer.cluster.workloads import read_workload_pods
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane

pytestmark = pytest.mark.real

NAMESPACES = "/api/v1/namespaces"
# Also the service account's token volume, as in life, and namespaces that are really deleted.
OPTIONS = ControlPlaneOptions(controllers=("*",), disabled_admission_plugins=())
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.live_pods import live_pod
from webhook_fuzz.fuzzer.cluster.namespaces import NamespaceOptions, work_namespace

POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}

async def main():
    async with Cluster(ClusterOptions(kubeconfig=Path(sys.argv[1]))) as api:
        async with work_namespace(api, NamespaceOptions()) as work:
            async with live_pod(api, POD, work):
                print(work.name, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Generator[ControlPlane]:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(programs, options=OPTIONS) as running:
        yield running


@pytest.fixture(scope="module")
def admin(plane: ControlPlane) -> Administrator:
    return administrator(plane)


def options(plane: ControlPlane) -> ClusterOptions:
    return ClusterOptions(kubeconfig=plane.kubeconfig)


def names(admin: Administrator, path: str) -> set[str]:
    items = cast("list[dict[str, Any]]", admin.get(path)["items"])
    return {item["metadata"]["name"] for item in items}


async def test_a_temporary_namespace_takes_pods_and_leaves_nothing(
    plane: ControlPlane, admin: Administrator
) -> None:
    wanted = NamespaceOptions(labels={"team": "a"})
    async with Cluster(options(plane)) as api, work_namespace(api, wanted) as work:
        assert work.labels["kubernetes.io/metadata.name"] == work.name
        assert work.labels["team"] == "a"
        reply = admin.dry_run(f"{NAMESPACES}/{work.name}/pods", build_pod("p"))
        assert (reply.status, reply.message) == (201, "")

    wait_until(lambda: work.name not in names(admin, NAMESPACES), what="the namespace is gone")


async def test_a_gated_pod_is_stored_as_admission_made_it_and_deleted(
    plane: ControlPlane, admin: Administrator
) -> None:
    async with Cluster(options(plane)) as api, work_namespace(api, NamespaceOptions()) as work:
        async with live_pod(api, build_pod("p"), work) as stored:
            found: Any = stored
            assert found["spec"]["schedulingGates"] == [{"name": GATE}]
            assert found["status"]["conditions"][0]["reason"] == "SchedulingGated"
            assert found["spec"]["volumes"][0]["name"].startswith("kube-api-access-")
            assert len(names(admin, f"{NAMESPACES}/{work.name}/pods")) == 1
        assert names(admin, f"{NAMESPACES}/{work.name}/pods") == set()


async def test_what_a_killed_run_left_behind_is_deleted_at_the_next_start(
    plane: ControlPlane, admin: Administrator, tmp_path: Path
) -> None:
    ran = subprocess.run(  # noqa: ASYNC221, S603 - nothing else happens meanwhile; it is our own
        [sys.executable, "-c", KILLED, str(plane.kubeconfig)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    left = ran.stdout.strip()
    assert ran.returncode == -signal.SIGKILL
    assert left in names(admin, NAMESPACES)

    async with Cluster(options(plane)) as api:
        assert await delete_leftovers(api) == (left,)

    wait_until(lambda: left not in names(admin, NAMESPACES), what="the leftovers are gone")


async def test_the_namespace_of_a_run_that_goes_on_is_not_touched(
    plane: ControlPlane, admin: Administrator
) -> None:
    async with Cluster(options(plane)) as api, work_namespace(api, NamespaceOptions()) as work:
        assert await delete_leftovers(api) == ()
        assert work.name in names(admin, NAMESPACES)


async def test_a_namespace_made_anew_under_its_name_survives(
    plane: ControlPlane, admin: Administrator
) -> None:
    async with Cluster(options(plane)) as api, work_namespace(api, NamespaceOptions()) as work:
        admin.delete(f"{NAMESPACES}/{work.name}")
        wait_until(lambda: work.name not in names(admin, NAMESPACES), what="it is gone")
        admin.create_namespace(work.name)

    assert work.name in names(admin, NAMESPACES)
    admin.delete(f"{NAMESPACES}/{work.name}")


async def test_a_cancelled_run_leaves_nothing(plane: ControlPlane, admin: Administrator) -> None:
    made: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with Cluster(options(plane)) as api, work_namespace(api, NamespaceOptions()) as work:
            made.set_result(work.name)
            await asyncio.Event().wait()

    running = asyncio.create_task(run())
    name = await made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

    wait_until(lambda: name not in names(admin, NAMESPACES), what="the namespace is gone")


async def test_a_given_namespace_shows_what_may_refuse_pods(
    plane: ControlPlane, admin: Administrator
) -> None:
    admin.create_namespace("given", **{"pod-security.kubernetes.io/enforce": "baseline"})
    hard: JsonObject = {"hard": {"pods": "5"}}
    admin.create(f"{NAMESPACES}/given/resourcequotas", _named("ResourceQuota", "few", hard))
    limits: JsonObject = {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}
    admin.create(f"{NAMESPACES}/given/limitranges", _named("LimitRange", "small", limits))

    async with Cluster(options(plane)) as api:
        async with work_namespace(api, NamespaceOptions(name="given")) as work:
            assert work.restrictions.sentences == (
                "PodSecurity enforces baseline",
                "quotas limit pods: few",
                "limit ranges change or refuse pods: small",
            )
            assert work.lacks({"team": "a"}) == {"team": "a"}
        with pytest.raises(InputError, match="there is no namespace gone"):
            async with work_namespace(api, NamespaceOptions(name="gone")):
                pass

    assert "given" in names(admin, NAMESPACES)


async def test_a_live_pod_honours_pod_security(plane: ControlPlane, admin: Administrator) -> None:
    admin.create_namespace("strict", **{"pod-security.kubernetes.io/enforce": "restricted"})
    strict = NamespaceOptions(name="strict")
    async with Cluster(options(plane)) as api, work_namespace(api, strict) as work:
        with pytest.raises(ClusterError, match='violates PodSecurity "restricted:latest"'):
            async with live_pod(api, build_pod("p"), work):
                pass

    assert names(admin, f"{NAMESPACES}/strict/pods") == set()


async def test_the_seeds_are_what_the_controllers_create(
    plane: ControlPlane, admin: Administrator
) -> None:
    admin.create_namespace("shop")
    wait_until(
        lambda: admin.request("GET", f"{NAMESPACES}/shop/serviceaccounts/default").status == 200,
        what="the namespace has a service account",
    )
    for name in ("web", "cart"):
        admin.create("/apis/apps/v1/namespaces/shop/deployments", _deployment(name))
    admin.create(f"{NAMESPACES}/shop/pods", build_pod("bare"))
    wait_until(lambda: len(names(admin, f"{NAMESPACES}/shop/pods")) == 3, what="the pods are there")
    before = json.dumps(admin.get(f"{NAMESPACES}/shop/pods")["items"])

    async with Cluster(options(plane)) as api:
        found = await read_workload_pods(api, namespace="shop")

    assert [seed.name for seed in found.seeds] == ["shop/deployment/cart", "shop/pod/bare"]
    assert found.alike["shop/deployment/cart"] == 1
    assert found.not_seen == ()
    for seed in found.seeds:
        reply = admin.dry_run(f"{NAMESPACES}/default/pods", _moved(seed.pod))
        assert (reply.status, reply.message) == (201, "")
    assert json.dumps(admin.get(f"{NAMESPACES}/shop/pods")["items"]) == before


def _named(kind: str, name: str, spec: JsonObject) -> JsonObject:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _deployment(name: str) -> JsonObject:
    labels: JsonObject = {"app": name}
    containers: JsonObject = {"containers": [{"name": "c", "image": "i"}]}
    template: JsonObject = {"metadata": {"labels": labels}, "spec": containers}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def _moved(pod: JsonObject) -> JsonObject:
    metadata = {**cast("JsonObject", pod["metadata"]), "namespace": "default"}
    return {**pod, "metadata": metadata}
