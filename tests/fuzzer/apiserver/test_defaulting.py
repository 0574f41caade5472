import copy
from typing import Any

import pytest

from webhook_fuzz.fuzzer.apiserver.defaulting import default_patched_pod, default_pod
from webhook_fuzz.fuzzer.apiserver.image_references import default_pull_policy
from webhook_fuzz.fuzzer.apiserver.patches import apply_patch


def spec_of(**spec: object) -> dict[str, Any]:
    pod: Any = default_pod({"spec": {"containers": [], **spec}})  # type: ignore[dict-item]
    result: dict[str, Any] = pod["spec"]
    return result


def container_of(**members: object) -> dict[str, Any]:
    container: dict[str, Any] = spec_of(containers=[{"name": "c", "image": "i:1", **members}])[
        "containers"
    ][0]
    return container


def volume_of(**source: object) -> dict[str, Any]:
    volume: dict[str, Any] = spec_of(volumes=[{"name": "v", **source}])["volumes"][0]
    return volume


def test_an_empty_spec_gets_what_every_pod_has() -> None:
    assert default_pod({"spec": {}}) == {
        "kind": "Pod",
        "apiVersion": "v1",
        "spec": {
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        },
    }


def test_a_patched_pod_does_not_get_its_kind_back() -> None:
    pod = default_patched_pod({"spec": {}})
    assert pod["spec"] == default_pod({"spec": {}})["spec"]
    assert "kind" not in pod
    assert "apiVersion" not in pod


def test_amounts_of_whole_thousandths_keep_the_spelling_they_are_served_in() -> None:
    container = container_of(resources={"limits": {"cpu": "5.", "memory": "0.5", "x": "0.1u"}})
    assert container["resources"]["limits"] == {"cpu": "5.", "memory": "500m", "x": "1m"}


def test_a_defaulted_pod_is_the_same_object(pod: dict[str, Any]) -> None:
    assert default_pod(pod) is pod


def test_what_the_user_set_stays() -> None:
    spec = spec_of(dnsPolicy="None", enableServiceLinks=False, terminationGracePeriodSeconds=0)
    assert (spec["dnsPolicy"], spec["enableServiceLinks"]) == ("None", False)
    assert spec["terminationGracePeriodSeconds"] == 0


def test_a_negative_grace_period_becomes_one_second() -> None:
    assert spec_of(terminationGracePeriodSeconds=-1)["terminationGracePeriodSeconds"] == 1


@pytest.mark.parametrize(
    "account",
    [
        {"serviceAccount": "a"},
        {"serviceAccountName": "a"},
        {"serviceAccountName": "a", "serviceAccount": "b"},
    ],
)
def test_both_names_of_the_service_account_are_kept_alike(account: dict[str, str]) -> None:
    spec = spec_of(**account)
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("a", "a")


def test_a_container_gets_its_defaults() -> None:
    assert container_of() == {
        "name": "c",
        "image": "i:1",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry.example.com:5000/a/b", "Always"),
        ("registry.example.com:5000/a/b:v1", "IfNotPresent"),
        ("nginx@sha256:" + "a" * 64, "IfNotPresent"),
        ("nginx:latest@sha256:" + "a" * 64, "Always"),
        ("nginx:latest@sha256:abc", "IfNotPresent"),
        ("Nginx", "IfNotPresent"),
        ("Host/x", "Always"),
        ("a/B:latest", "IfNotPresent"),
        ("a" * 64, "IfNotPresent"),
        ("a..b", "IfNotPresent"),
        ("", "IfNotPresent"),
        ("a" * 300, "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy


def test_ports_and_references_get_their_defaults() -> None:
    container = container_of(
        ports=[{"containerPort": 1}, {"containerPort": 2, "protocol": "UDP"}],
        env=[
            {"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "b", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "c", "valueFrom": {"fileKeyRef": {"key": "k"}}},
            {"name": "d", "value": ""},
        ],
    )
    assert [port["protocol"] for port in container["ports"]] == ["TCP", "UDP"]
    assert [variable.get("valueFrom") for variable in container["env"]] == [
        {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}},
        {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}},
        {"fileKeyRef": {"key": "k", "optional": False}},
        None,
    ]


def test_probes_and_hooks_get_their_defaults() -> None:
    container = container_of(
        livenessProbe={"httpGet": {"port": 1}, "periodSeconds": 5},
        readinessProbe={"grpc": {"port": 1}},
        lifecycle={"preStop": {"httpGet": {"port": 1}}, "postStart": {"exec": {}}},
    )
    assert container["livenessProbe"] == {
        "httpGet": {"port": 1, "path": "/", "scheme": "HTTP"},
        "periodSeconds": 5,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert container["readinessProbe"]["grpc"] == {"port": 1, "service": ""}
    assert container["lifecycle"] == {
        "preStop": {"httpGet": {"port": 1, "path": "/", "scheme": "HTTP"}},
        "postStart": {"exec": {}},
    }


def test_limits_are_requests_too_and_fine_amounts_are_rounded_up() -> None:
    resources = container_of(
        resources={"limits": {"cpu": "1500u", "memory": "1Gi"}, "requests": {"memory": "1Mi"}}
    )["resources"]
    assert resources == {
        "limits": {"cpu": "2m", "memory": "1Gi"},
        "requests": {"cpu": "2m", "memory": "1Mi"},
    }


def test_limits_of_ephemeral_containers_are_no_requests() -> None:
    container = {"name": "e", "image": "i", "resources": {"limits": {"cpu": "1"}}}
    assert spec_of(ephemeralContainers=[container])["ephemeralContainers"][0]["resources"] == {
        "limits": {"cpu": "1"}
    }


def test_on_the_host_network_ports_are_host_ports_also_where_the_old_pod_is_known() -> None:
    pod = default_pod(
        {"spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]}}
    )
    patched: Any = apply_patch(pod, [{"op": "add", "path": "/spec/hostNetwork", "value": True}])
    result: Any = default_pod(patched, reuse=pod)
    assert result["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "hostPort": 80}
    ]


@pytest.mark.parametrize(
    ("source", "defaulted"),
    [
        ({}, {"emptyDir": {}}),
        ({"emptyDir": None}, {"emptyDir": {}}),
        ({"emptyDir": {}}, {"emptyDir": {}}),
        ({"secret": {}}, {"secret": {"defaultMode": 420}}),
        ({"configMap": {"defaultMode": 0}}, {"configMap": {"defaultMode": 0}}),
        ({"hostPath": {"path": "/"}}, {"hostPath": {"path": "/", "type": ""}}),
        ({"image": {"reference": "a"}}, {"image": {"reference": "a", "pullPolicy": "Always"}}),
        ({"iscsi": {}}, {"iscsi": {"iscsiInterface": "default"}}),
        ({"rbd": {}}, {"rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}}),
        ({"scaleIO": {}}, {"scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"}}),
        (
            {"azureDisk": {}},
            {
                "azureDisk": {
                    "cachingMode": "ReadWrite",
                    "fsType": "ext4",
                    "readOnly": False,
                    "kind": "Shared",
                }
            },
        ),
        (
            {"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "f"}}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "p", "fieldRef": {"fieldPath": "f", "apiVersion": "v1"}}],
                    "defaultMode": 420,
                }
            },
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                    "defaultMode": 420,
                }
            },
        ),
        (
            {"ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
            {"ephemeral": {"volumeClaimTemplate": {"spec": {"volumeMode": "Filesystem"}}}},
        ),
        (
            {"ephemeral": {"volumeClaimTemplate": {}}},
            {"ephemeral": {"volumeClaimTemplate": {"spec": {"volumeMode": "Filesystem"}}}},
        ),
    ],
)
def test_volumes_get_their_defaults(source: dict[str, Any], defaulted: dict[str, Any]) -> None:
    volume = volume_of(**source)
    assert {name: volume[name] for name in volume if name != "name"} == defaulted


def test_an_image_volume_whose_source_was_dropped_becomes_an_empty_directory() -> None:
    assert volume_of() == {"name": "v", "emptyDir": {}}


def test_defaulting_with_reuse_gives_what_defaulting_without_gives(pod: dict[str, Any]) -> None:
    patched: Any = apply_patch(
        pod,
        [
            {
                "op": "add",
                "path": "/spec/containers/0",
                "value": {"name": "new", "image": "i", "ports": [{"containerPort": 1}]},
            },
            {"op": "add", "path": "/spec/volumes/-", "value": {"name": "new"}},
            {"op": "remove", "path": "/spec/containers/1/terminationMessagePath"},
        ],
    )
    before = copy.deepcopy(patched)
    result: Any = default_pod(patched, reuse=pod)
    assert result == default_pod(patched)
    assert patched == before
    assert result["spec"]["initContainers"] is pod["spec"]["initContainers"]
    assert result["spec"]["containers"][2] is pod["spec"]["containers"][1]
    assert default_pod(result) is result


ODD_SPECS: list[Any] = [
    None,
    [],
    {"containers": {}},
    {
        "containers": [None, 5, {"env": 5, "ports": [1], "resources": {"limits": []}}],
        "volumes": "x",
    },
]


@pytest.mark.parametrize("spec", ODD_SPECS)
def test_values_of_the_wrong_type_are_left_alone(spec: Any) -> None:  # noqa: ANN401 - anything
    assert isinstance(default_pod({"spec": spec}), dict)
