import copy
from typing import Any

import orjson
import pytest

from quality.sweeping import plan_of
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.corpora.triggers.loading import load_shipped_triggers
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.reviews import (
    PodWriter,
    ReviewEncoder,
    ReviewOptions,
    build_review,
    encode_review,
)
from webhook_fuzz.fuzzer.generation.packing import with_trigger

# Sent by the webhook client of k8s.io/apiserver v0.34.1 for a server-side dry run.
AS_SENT = (
    rb'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"11111111-2222-3333-4444-555555555555","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"requestKind":{"group":"","version":"v1","kind":"Pod"},"requestResource":{"group":"","version":"v1","resource":"pods"},"namespace":"default","operation":"CREATE","userInfo":{"username":"kubernetes-admin","groups":["kubeadm:cluster-admins","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=abc"]}},"object":{"kind":"Pod","apiVersion":"v1","metadata":{"generateName":"p-","namespace":"default"},"spec":{"initContainers":[{"name":"ic","image":"i","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"containers":[{"name":"c","image":"i","args":["a\u003cb\u003e\u0026c"],"resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler","enableServiceLinks":true},"status":{}},"oldObject":null,"dryRun":true,"options":{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1","dryRun":["All"],"fieldManager":"kubectl-create","fieldValidation":"Strict"}}}'
    b"\n"
)  # fmt: skip


def options(**changes: Any) -> ReviewOptions:  # noqa: ANN401 - members of ReviewOptions
    members: dict[str, Any] = {"api_server": Minor(1, 34), "uid": "u", **changes}
    return ReviewOptions(**members)


def request_of(pod: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    request: Any = build_review(pod, options(**changes))["request"]
    result: dict[str, Any] = request
    return result


def test_a_review_is_byte_for_byte_what_the_api_server_sends() -> None:
    sent = orjson.loads(AS_SENT)["request"]
    review = build_review(sent["object"], options(uid=sent["uid"], user=sent["userInfo"]))
    assert encode_review(review) == AS_SENT


def test_v1beta1_differs_in_its_api_version_only(pod: dict[str, Any]) -> None:
    v1, v1beta1 = build_review(pod, options()), build_review(pod, options(version="v1beta1"))
    assert v1beta1["apiVersion"] == "admission.k8s.io/v1beta1"
    assert v1beta1["request"] == v1["request"]


def test_up_to_1_33_every_metadata_has_a_creation_timestamp() -> None:
    pod: dict[str, Any] = {
        "metadata": {"name": "p", "labels": {}},
        "spec": {
            "volumes": [
                {"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
                {"name": "f", "emptyDir": {}},
            ]
        },
    }
    before = copy.deepcopy(pod)
    old = request_of(pod, api_server=Minor(1, 33))["object"]
    assert list(old["metadata"]) == ["name", "creationTimestamp", "labels"]
    assert old["metadata"]["creationTimestamp"] is None
    template = old["spec"]["volumes"][0]["ephemeral"]["volumeClaimTemplate"]
    assert template == {"spec": {"resources": {}}, "metadata": {"creationTimestamp": None}}
    new = request_of(pod, api_server=Minor(1, 34))["object"]
    assert new["metadata"] == before["metadata"]
    assert new["spec"]["volumes"][0]["ephemeral"]["volumeClaimTemplate"]["metadata"] == {}
    assert pod == before


def test_the_name_is_absent_where_the_api_server_generates_it(pod: dict[str, Any]) -> None:
    assert "name" not in request_of(pod)
    named = {**pod, "metadata": {"name": "p"}}
    assert request_of(named)["name"] == "p"


def test_an_update_carries_the_old_object_and_its_subresource(pod: dict[str, Any]) -> None:
    request = request_of(
        pod, operation="UPDATE", old_object=pod, sub_resource="resize", dry_run=False
    )
    assert request["oldObject"] == request["object"]
    assert (request["subResource"], request["requestSubResource"]) == ("resize", "resize")
    assert request["dryRun"] is False
    assert request["options"] == {
        "kind": "UpdateOptions",
        "apiVersion": "meta.k8s.io/v1",
        "fieldManager": "kubectl-create",
        "fieldValidation": "Strict",
    }


def test_a_delete_has_no_object(pod: dict[str, Any]) -> None:
    old = {**pod, "metadata": {"name": "p"}}
    request = request_of(None, operation="DELETE", old_object=old)
    assert request["object"] is None
    assert request["name"] == "p"
    assert request["options"]["kind"] == "DeleteOptions"


def test_empty_members_of_the_user_are_left_out(pod: dict[str, Any]) -> None:
    user: dict[str, Any] = {"username": "u", "uid": "", "groups": [], "extra": {}}
    assert request_of(pod, user=user)["userInfo"] == {"username": "u"}


def test_what_go_always_writes_is_there_and_the_rest_is_shared(pod: dict[str, Any]) -> None:
    del pod["status"]
    del pod["spec"]["containers"][1]["resources"]
    request = request_of(pod)
    assert request["object"]["status"] == {}
    assert request["object"]["spec"]["containers"][1]["resources"] == {}
    assert request["object"]["spec"]["containers"][0] is pod["spec"]["containers"][0]
    assert request["object"]["spec"]["volumes"] is pod["spec"]["volumes"]
    assert "resources" not in pod["spec"]["containers"][1]


@pytest.mark.parametrize(
    "pod", [{}, {"spec": None}, {"spec": []}, {"spec": {"volumes": [None]}}, {"metadata": 5}]
)
def test_odd_pods_can_be_sent_too(pod: dict[str, Any]) -> None:
    assert encode_review(build_review(pod, options(api_server=Minor(1, 30)))).endswith(b"}\n")


@pytest.mark.parametrize("api_server", [Minor(1, 29), Minor(1, 37)], ids=str)
def test_an_encoder_writes_the_same_bytes_for_every_review_of_a_sweep(api_server: Minor) -> None:
    encoder, plan = ReviewEncoder(), plan_of()
    triggers = [NO_TRIGGER, *load_shipped_triggers()]
    for trigger in triggers:
        for case in plan.sweep.cases[:2]:
            pod = with_trigger(case, trigger).pod
            review = build_review(pod, options(api_server=api_server))
            assert encoder.encode(review) == encode_review(review)


def test_an_encoder_escapes_what_stands_inside_and_outside_of_a_spec(pod: dict[str, Any]) -> None:
    pod["metadata"]["annotations"] = {"<a>": "&\u2028é"}
    pod["spec"]["hostname"] = "<&>\u2029ü"
    encoder = ReviewEncoder()
    for _ in range(2):
        review = build_review(pod, options())
        assert encoder.encode(review) == encode_review(review)


@pytest.mark.parametrize("spec", [{"x": float(2**70), "y": "\ud800"}, {"x": 2**70}, None, [], "x"])
def test_an_encoder_writes_odd_specs_too(spec: Any) -> None:  # noqa: ANN401 - any JSON value
    review = build_review({"metadata": {}, "spec": spec}, options())
    assert ReviewEncoder().encode(review) == encode_review(review)


def test_an_encoder_writes_a_review_without_a_pod() -> None:
    review = build_review(None, options(operation="DELETE"))
    assert ReviewEncoder().encode(review) == encode_review(review)


def test_an_encoder_keeps_apart_more_specs_than_it_remembers() -> None:
    encoder = ReviewEncoder()
    for turn in range(200):
        review = build_review({"spec": {"hostname": f"h{turn}"}}, options())
        assert encoder.encode(review) == encode_review(review)


@pytest.mark.parametrize("api_server", [Minor(1, 29), Minor(1, 37)], ids=str)
def test_a_writer_writes_the_same_pod_into_every_review_of_a_sweep(api_server: Minor) -> None:
    writer, said = PodWriter(api_server), options(api_server=api_server)
    cases = plan_of().sweep.cases[:2]
    pods: list[Any] = [
        with_trigger(case, trigger).pod for trigger in load_shipped_triggers() for case in cases
    ]
    pods += [pods[0], {}, {"spec": None}, {"spec": []}, None]
    for pod in pods:
        assert build_review(pod, said, writer=writer) == build_review(pod, said)


def test_a_writer_gives_pods_that_share_a_spec_the_same_written_one() -> None:
    writer = PodWriter(Minor(1, 37))
    spec: Any = {"containers": [{"name": "c"}]}
    first, second = writer.write({"spec": spec}), writer.write({"metadata": {}, "spec": spec})
    assert first["spec"] is second["spec"]
    assert first["spec"] == {"containers": [{"name": "c", "resources": {}}]}
