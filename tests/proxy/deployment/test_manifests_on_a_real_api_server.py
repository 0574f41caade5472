"""Does a real API server take every manifest, let the pods in, and grant no more than is needed?"""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from testbed.clusters import Cluster, administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.cluster.connections import Cluster as Api
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.proxy.deployment.applying import apply_objects, check_nothing_foreign
from webhook_fuzz.proxy.deployment.installations import (
    Installation,
    Volume,
    build_objects,
    pod_template,
)
from webhook_fuzz.proxy.deployment.places import path_of
from webhook_fuzz.proxy.deployment.removing import remove_installation

pytestmark = pytest.mark.real

GIVEN = Installation(
    namespace_labels={"team/ignore": "yes"},
    configurations=("mesh",),
    routes="routes: []\n",
    certificate={"tls.crt": b"certificate", "tls.key": b"key"},
    authority={"authority.pem": b"authority"},
    egress_to=("192.0.2.0/24",),
    volume=Volume(size="1Gi"),
)
OBJECTS = build_objects(GIVEN)
PODS = "/api/v1/namespaces/webhook-fuzz/pods"


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    options = ControlPlaneOptions(
        context="staging", controllers=("*",), disabled_admission_plugins=()
    )
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(programs, options=options) as plane:
        yield plane


@pytest.fixture(scope="module")
def cluster(plane: ControlPlane) -> Cluster:
    return administrator(plane)


def api_of(plane: ControlPlane) -> Api:
    return Api(ClusterOptions(context="staging", kubeconfig=plane.kubeconfig))


def said(_: str) -> None:
    """Nobody listens."""


async def test_every_manifest_is_taken_as_it_is_and_again_without_any_change(
    plane: ControlPlane, cluster: Cluster
) -> None:
    async with api_of(plane) as api:
        await check_nothing_foreign(api, OBJECTS)
        first = await apply_objects(api, OBJECTS, tell=said)
        second = await apply_objects(api, OBJECTS, tell=said)
    for each in OBJECTS:
        assert contains(cluster.get(path_of(each)), each), path_of(each)
    for before, after in zip(first, second, strict=True):
        assert cast("Any", after)["metadata"]["uid"] == cast("Any", before)["metadata"]["uid"]
        assert after.get("spec") == before.get("spec")
        (manager,) = {
            each["manager"]
            for each in cast("Any", after)["metadata"]["managedFields"]
            if each["operation"] == "Apply"
        }
        assert manager == "webhook-fuzz"


def contains(found: JsonValue, wanted: JsonValue) -> bool:
    """Whether everything wanted is there; the server adds defaults."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and contains(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        same = isinstance(found, list) and len(found) == len(wanted)
        return same and all(map(contains, found if isinstance(found, list) else [], wanted))
    return found == wanted


@pytest.mark.parametrize(
    "manifest",
    [each for each in OBJECTS if pod_template(each) is not None],
    ids=lambda each: str(each["kind"]),
)
def test_the_pods_pass_pod_security_restricted(manifest: JsonObject, cluster: Cluster) -> None:
    template = cast("dict[str, Any]", pod_template(manifest))
    pod: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "try-", "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    }
    wait_until(
        lambda: cluster.dry_run(PODS, pod).status == 201, what="the service account is there"
    )
    reply = cluster.dry_run(PODS, pod)
    assert (reply.status, reply.warnings) == (201, ())
    worse = cast("dict[str, Any]", copy.deepcopy(pod))
    worse["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = cluster.dry_run(PODS, worse)
    assert refused.status == 403
    assert "restricted" in refused.message


CONFIGURATIONS = "mutatingwebhookconfigurations"


@pytest.mark.parametrize(
    ("account", "verb", "resource", "name", "allowed"),
    [
        ("keeper", "list", CONFIGURATIONS, "", "yes"),
        ("keeper", "get", CONFIGURATIONS, "other", "yes"),
        ("keeper", "patch", CONFIGURATIONS, "mesh", "yes"),
        ("keeper", "patch", CONFIGURATIONS, "other", "no"),
        ("keeper", "patch", CONFIGURATIONS, "", "no"),
        ("keeper", "update", CONFIGURATIONS, "mesh", "no"),
        ("keeper", "delete", CONFIGURATIONS, "mesh", "no"),
        ("keeper", "get", "validatingwebhookconfigurations", "mesh", "no"),
        ("keeper", "get", "secrets", "webhook-fuzz-certificate", "no"),
        ("proxy", "get", CONFIGURATIONS, "mesh", "no"),
        ("proxy", "list", CONFIGURATIONS, "", "no"),
        ("proxy", "patch", CONFIGURATIONS, "mesh", "no"),
        ("proxy", "get", "secrets", "webhook-fuzz-certificate", "no"),
        ("proxy", "get", "configmaps", "webhook-fuzz-routes", "no"),
        ("proxy", "list", "pods", "", "no"),
    ],
)
def test_the_keeper_may_do_what_it_needs_and_the_proxy_nothing(
    account: str, verb: str, resource: str, name: str, allowed: str, cluster: Cluster
) -> None:
    group = "admissionregistration.k8s.io" if resource.endswith("configurations") else ""
    attributes: JsonObject = {"verb": verb, "resource": resource, "group": group, "name": name}
    if not group:
        attributes["namespace"] = "webhook-fuzz"
    review: JsonObject = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:webhook-fuzz:webhook-fuzz-{account}",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": attributes,
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    answer = cast("dict[str, Any]", cluster.create(path, review))
    assert answer["status"]["allowed"] is (allowed == "yes")


async def test_taking_it_away_leaves_the_cluster_as_it_was(
    plane: ControlPlane, cluster: Cluster
) -> None:
    given = Installation(namespace="second", volume=Volume(size="1Gi"))
    objects = build_objects(given)
    async with api_of(plane) as api:
        await apply_objects(api, objects, tell=said)
        await remove_installation(api, "second", seconds=60, tell=said)
        again: list[str] = []
        await remove_installation(api, "second", seconds=60, tell=again.append)
    assert again == []
    for each in objects:
        assert cluster.request("GET", path_of(each)).status == 404
    # The other installation has lost nothing.
    for each in OBJECTS:
        assert cluster.request("GET", path_of(each)).status == 200


def test_the_sidecar_of_the_page_is_taken_too(cluster: Cluster) -> None:
    """Service, Deployment and pods, in a namespace that enforces `restricted`."""
    text = (Path(__file__).resolve().parents[3] / "docs/proxy.md").read_text("utf-8")
    block = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[-1]
    cluster.create_namespace("shop", **{"pod-security.kubernetes.io/enforce": "restricted"})
    service, deployment = cast("list[JsonObject]", list(yaml.safe_load_all(block)))
    replies = [
        cluster.dry_run("/api/v1/namespaces/shop/services", service),
        cluster.dry_run("/apis/apps/v1/namespaces/shop/deployments", deployment),
    ]
    template = cast("dict[str, Any]", pod_template(deployment))
    pod: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "web-", "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
    }
    pods = "/api/v1/namespaces/shop/pods"
    wait_until(lambda: cluster.dry_run(pods, pod).status == 201, what="its account is there")
    replies.append(cluster.dry_run(pods, pod))
    assert [(reply.status, reply.warnings) for reply in replies] == [(201, ())] * 3
