"""Is what is installed what the files say, and nothing but the stated differences?"""

import hashlib
import re
from typing import Any, cast

import jsonpatch
import pytest

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.proxy.deployment.installations import (
    AUTHORITY,
    CERTIFICATE,
    IMAGE,
    LABELS,
    PROXY,
    Installation,
    Volume,
    build_objects,
    check_networks,
    find,
    load_manifests,
    pod_template,
)


def pod_specs(objects: list[JsonObject]) -> list[dict[str, Any]]:
    templates = [template for each in objects if (template := pod_template(each)) is not None]
    return [cast("dict[str, Any]", template["spec"]) for template in templates]


def test_an_installation_with_nothing_given_is_the_manifests_themselves() -> None:
    assert build_objects(Installation()) == load_manifests()


EVERYTHING = Installation(
    namespace="elsewhere",
    image="registry.example.com/tool@sha256:00",
    namespace_labels={"team/ignore": "yes"},
    configurations=("mesh", "vault"),
    routes="routes: []\n",
    certificate={"tls.crt": b"certificate"},
    authority={"authority.pem": b"authority"},
    egress_to=("192.0.2.0/24",),
    volume=Volume(size="5Gi", storage_class="shared"),
)
DIFFERENCES: dict[str, dict[str, object]] = {
    "Namespace": {"/metadata/name": "elsewhere", "/metadata/labels/team~1ignore": "yes"},
    "ClusterRole": {
        "/metadata/name": "webhook-fuzz-keeper-elsewhere",
        "/rules/1/resourceNames/0": "mesh",
        "/rules/1/resourceNames/1": "vault",
    },
    "ClusterRoleBinding": {
        "/metadata/name": "webhook-fuzz-keeper-elsewhere",
        "/roleRef/name": "webhook-fuzz-keeper-elsewhere",
        "/subjects/0/namespace": "elsewhere",
    },
    "ConfigMap": {"/data": {"routes.yaml": "routes: []\n"}},
    "Secret webhook-fuzz-certificate": {"/data": {"tls.crt": "Y2VydGlmaWNhdGU="}},
    "Secret webhook-fuzz-authority": {"/data": {"authority.pem": "YXV0aG9yaXR5"}},
    "NetworkPolicy webhook-fuzz-proxy": {
        "/spec/egress/2": {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}
    },
    "PersistentVolumeClaim": {
        "/spec/storageClassName": "shared",
        "/spec/resources/requests/storage": "5Gi",
    },
    "Deployment": {
        "/spec/template/spec/containers/0/image": EVERYTHING.image,
        "/spec/template/metadata/annotations": {
            "webhook-fuzz/routes": hashlib.sha256(b"routes: []\n").hexdigest()
        },
    },
    "CronJob": {"/spec/jobTemplate/spec/template/spec/containers/0/image": EVERYTHING.image},
}
"""Besides the namespace every object is in."""


def test_with_everything_given_it_differs_in_exactly_what_was_given() -> None:
    built, manifests = build_objects(EVERYTHING), load_manifests(volume=True)
    for manifest, each in zip(manifests, built, strict=True):
        kind, name = manifest["kind"], cast("JsonObject", manifest["metadata"])["name"]
        expected = DIFFERENCES.get(f"{kind} {name}", DIFFERENCES.get(str(kind), {}))
        found = {
            operation["path"]: operation["value"]
            for operation in jsonpatch.make_patch(manifest, each)
        }
        if "namespace" in cast("JsonObject", manifest["metadata"]):
            assert found.pop("/metadata/namespace") == "elsewhere"
        assert found == expected


def test_the_volume_takes_the_place_of_the_temporary_one_and_its_claim_comes_first() -> None:
    with_volume = load_manifests(volume=True)
    kinds = [each["kind"] for each in with_volume]
    (volume,) = (v for v in pod_specs(with_volume)[0]["volumes"] if v["name"] == "recordings")
    assert volume == {
        "name": "recordings",
        "persistentVolumeClaim": {"claimName": "webhook-fuzz-recordings"},
    }
    assert kinds.index("PersistentVolumeClaim") < kinds.index("Deployment")
    assert len(with_volume) == len(load_manifests()) + 1


def test_every_object_and_every_pod_says_whose_it_is() -> None:
    for each in load_manifests(volume=True):
        metadata = cast("dict[str, Any]", each["metadata"])
        assert metadata["labels"].items() >= LABELS.items()
        template = cast("dict[str, Any]", pod_template(each) or {"metadata": metadata})
        assert template["metadata"]["labels"].items() >= LABELS.items()


def test_the_default_image_has_the_version_of_this_tool() -> None:
    assert f"localhost/webhook-fuzz:{tool_version()}" == IMAGE
    for spec in pod_specs(load_manifests()):
        assert {container["image"] for container in spec["containers"]} == {IMAGE}


def test_the_selectors_find_the_pods_of_the_proxy_and_not_those_of_the_keeper() -> None:
    objects = cast("list[Any]", load_manifests())
    labels = {
        each["kind"]: cast("Any", pod_template(each))["metadata"]["labels"]
        for each in objects
        if pod_template(each) is not None
    }
    deployment = cast("Any", find(objects, "Deployment", PROXY))["spec"]["selector"]["matchLabels"]
    service = cast("Any", find(objects, "Service", PROXY))["spec"]["selector"]
    budget = cast("Any", find(objects, "PodDisruptionBudget", PROXY))["spec"]["selector"]
    for selector in (deployment, service, budget["matchLabels"]):
        assert selector.items() <= labels["Deployment"].items()
        assert not selector.items() <= labels["CronJob"].items()


def test_only_the_keeper_gets_a_token_and_nobody_mounts_the_authority() -> None:
    proxy, keeper = pod_specs(load_manifests())
    assert proxy["automountServiceAccountToken"] is False
    assert keeper["automountServiceAccountToken"] is True
    secrets = [v["secret"]["secretName"] for v in proxy["volumes"] if "secret" in v]
    assert secrets == [CERTIFICATE]
    assert AUTHORITY not in str(keeper)


def test_a_call_has_time_to_end_before_the_proxy_is_killed() -> None:
    proxy, _ = pod_specs(load_manifests())
    # timeoutSeconds of a webhook is at most 30.
    assert proxy["terminationGracePeriodSeconds"] > 30 + 10


@pytest.mark.parametrize("given", ["10.0.0.1", "10.0.0.1/8", "example.com/8"])
def test_what_is_no_network_is_refused(given: str) -> None:
    check_networks(["10.0.0.0/8", "2001:db8::/32"])
    with pytest.raises(ValueError, match=re.escape(given)):
        check_networks([given])
