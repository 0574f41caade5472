import pytest

from blamed import SCHEMA, build_pod, container
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.blames.actors import UNKNOWN, USER, Stage
from webhook_fuzz.fuzzer.blames.plugins import limits_recogniser, preview, recognise_plugin
from webhook_fuzz.fuzzer.blames.trees import Node, blame, walk

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN: JsonObject = {"name": "kube-api-access-x2x9k", "projected": {"sources": []}}
MOUNT: JsonObject = {"name": "kube-api-access-x2x9k", "mountPath": TOKEN_PATH, "readOnly": True}


def toleration(taint: str, **others: JsonValue) -> JsonObject:
    return {
        "key": f"node.kubernetes.io/{taint}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
        **others,
    }


def nodes(before: JsonObject, after: JsonObject) -> dict[str, Node]:
    last = Stage(actor=UNKNOWN, pod=after, recognise=recognise_plugin)
    return dict(walk(blame([Stage(actor=USER, pod=before), last], SCHEMA)))


def test_the_service_account_s_volume_and_mounts_are_recognised() -> None:
    found = nodes(
        build_pod({"containers": [container("app")]}),
        build_pod(
            {
                "containers": [container("app", volumeMounts=[MOUNT])],
                "volumes": [TOKEN],
                "serviceAccountName": "default",
                "serviceAccount": "default",
            }
        ),
    )
    for path in (
        "spec.volumes",
        "spec.volumes[name=kube-api-access-x2x9k].name",
        f"spec.containers[name=app].volumeMounts[mountPath={TOKEN_PATH}].readOnly",
        "spec.serviceAccountName",
        "spec.serviceAccount",
    ):
        assert found[path].setter.name == "ServiceAccount", path


def test_a_service_account_somebody_chose_is_not_the_plugin_s() -> None:
    found = nodes(build_pod({}), build_pod({"serviceAccountName": "robot"}))
    assert found["spec.serviceAccountName"].setter is UNKNOWN


def test_a_volume_that_is_only_called_like_the_token_s_is_not_the_plugin_s() -> None:
    found = nodes(
        build_pod({}), build_pod({"volumes": [{"name": "kube-api-access-x2x9k", "emptyDir": {}}]})
    )
    assert found["spec.volumes[name=kube-api-access-x2x9k].name"].setter is UNKNOWN


def test_tolerations_for_some_minutes_are_the_plugin_s_whatever_the_flag_says() -> None:
    mine: JsonObject = {"key": "mine", "operator": "Exists"}
    found = nodes(
        build_pod({"tolerations": [mine]}),
        build_pod({"tolerations": [mine, toleration("not-ready", tolerationSeconds=60)]}),
    )
    assert found["spec.tolerations[0].key"].setter is USER
    assert found["spec.tolerations[1].key"].setter.name == "DefaultTolerationSeconds"


@pytest.mark.parametrize(
    "other",
    [
        toleration("not-ready", tolerationSeconds=None),
        toleration("disk-pressure"),
        toleration("not-ready", effect="NoSchedule"),
        toleration("not-ready", operator="Equal"),
    ],
)
def test_other_tolerations_are_not(other: JsonObject) -> None:
    found = nodes(build_pod({}), build_pod({"tolerations": [other]}))
    assert found["spec.tolerations[0].key"].setter is UNKNOWN


def test_priority_and_overhead_have_one_plugin_each() -> None:
    found = nodes(
        build_pod({}),
        build_pod(
            {"priority": 7, "preemptionPolicy": "Never", "overhead": {"cpu": "1"}, "hostname": "a"}
        ),
    )
    assert found["spec.priority"].setter.name == "Priority"
    assert found["spec.preemptionPolicy"].setter.name == "Priority"
    assert found["spec.overhead{cpu}"].setter.name == "RuntimeClass"
    assert found["spec.hostname"].setter is UNKNOWN


def test_what_is_gone_is_no_plugin_s_work() -> None:
    found = nodes(build_pod({"priority": 7}), build_pod({}))
    assert found["spec.priority"].remover is UNKNOWN


def test_limit_ranger_is_known_by_its_own_annotation() -> None:
    said = (
        "LimitRanger plugin set: cpu, memory request for container app; "
        "cpu limit for container app; memory limit for init container setup"
    )
    pod = build_pod(
        {
            "containers": [
                container(
                    "app",
                    resources={"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1"}},
                ),
                container("other", resources={"limits": {"cpu": "2"}}),
            ],
            "initContainers": [container("setup", resources={"limits": {"memory": "1Gi"}})],
        },
        annotations={"kubernetes.io/limit-ranger": said},
    )
    before = build_pod(
        {
            "containers": [container("app"), container("other")],
            "initContainers": [container("setup")],
        }
    )
    last = Stage(actor=UNKNOWN, pod=pod, recognise=limits_recogniser(pod))
    found = dict(walk(blame([Stage(actor=USER, pod=before), last], SCHEMA)))
    for path in (
        "metadata.annotations{kubernetes.io/limit-ranger}",
        "spec.containers[name=app].resources.requests{memory}",
        "spec.containers[name=app].resources.limits{cpu}",
        "spec.initContainers[name=setup].resources.limits{memory}",
    ):
        assert found[path].setter.name == "LimitRanger", path
    other = found["spec.containers[name=other].resources.limits{cpu}"]
    assert other.setter is UNKNOWN


def test_without_the_annotation_nothing_is_limit_ranger_s() -> None:
    pod = build_pod({"containers": [container("app", resources={"limits": {"cpu": "1"}})]})
    before = build_pod({"containers": [container("app")]})
    last = Stage(actor=UNKNOWN, pod=pod, recognise=limits_recogniser(pod))
    found = dict(walk(blame([Stage(actor=USER, pod=before), last], SCHEMA)))
    assert found["spec.containers[name=app].resources.limits{cpu}"].setter is UNKNOWN


def test_the_preview_has_what_plugins_added_and_nothing_a_webhook_did() -> None:
    mine: JsonObject = {"name": "mine", "emptyDir": {}}
    before = build_pod({"containers": [container("app"), "broken"], "volumes": [mine]})
    reply = build_pod(
        {
            "containers": [
                container("injected", volumeMounts=[MOUNT]),
                container("app", volumeMounts=[MOUNT]),
            ],
            "volumes": [mine, TOKEN, {"name": "injected", "emptyDir": {}}],
            "tolerations": [toleration("not-ready"), {"key": "injected"}],
            "serviceAccountName": "default",
            "priority": 3,
            "hostname": "injected",
        },
        labels={"injected": "yes"},
    )
    assert preview(before, reply) == build_pod(
        {
            "containers": [container("app", volumeMounts=[MOUNT]), "broken"],
            "volumes": [mine, TOKEN],
            "tolerations": [toleration("not-ready")],
            "serviceAccountName": "default",
            "priority": 3,
        }
    )


def test_a_pod_to_which_plugins_added_nothing_is_its_own_preview() -> None:
    pod = build_pod({"containers": [container("app")], "serviceAccountName": "robot"})
    assert preview(pod, build_pod({"serviceAccountName": "robot"})) is pod
    assert preview(pod, {"spec": None}) is pod
