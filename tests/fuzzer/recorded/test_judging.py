import ast
import base64
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from recorded import (
    Workloads,
    answered,
    copies_names,
    exchange_of,
    mixed_traffic,
    pod_review,
)
from replayed import creation, plain_pods, recorded
from webhook_fuzz.corpora import fields
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, FailureKind
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.fuzzer import apiserver, checks, differences
from webhook_fuzz.fuzzer.apiserver.answers import InvalidReason
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.recorded.applicability import Extent
from webhook_fuzz.fuzzer.recorded.fingerprints import is_opaque
from webhook_fuzz.fuzzer.recorded.judging import Judged, NotJudged, TrafficJudge
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen

CATALOGUE = load_catalogue()
UID = "11111111-2222-4333-8444-555555555555"


def make_judge(*, remembered: int = 1000) -> TrafficJudge:
    return TrafficJudge(CATALOGUE, CATALOGUE.newest, remembered=remembered)


def judge(recorded_exchange: RecordedExchange) -> Judged:
    found = make_judge().judge(recorded_exchange)
    assert isinstance(found, Judged)
    return found


def codes(recorded_exchange: RecordedExchange) -> set[str]:
    return {sight.code for sight in judge(recorded_exchange).judgement.sights}


def mesh_pod() -> JsonObject:
    return default_pod(shipped_seed("mesh").pod)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_taken_over_is_what_judging_in_full_finds(seed: int) -> None:
    taking_over, in_full = make_judge(), make_judge(remembered=0)
    for each in mixed_traffic(seed, 500):
        one, other = taking_over.judge(each), in_full.judge(each)
        assert isinstance(one, Judged)
        assert isinstance(other, Judged)
        assert (one.judgement, one.size) == (other.judgement, other.size), each.id
    assert taking_over.taken_over > 20


def test_replicas_are_judged_once_though_everything_random_differs() -> None:
    judging, workloads = make_judge(), Workloads(7, unusual=False)
    program = get_specimen("typed-round-trip-1.27").program
    for number in range(300):
        judging.judge(recorded(creation(workloads.pod(), number), program, number))
    assert judging.taken_over > 250


def test_findings_that_were_taken_over_name_the_pods_own_names() -> None:
    judging, workloads = make_judge(), Workloads(7, unusual=False)
    seen = set[str]()
    for number in range(200):
        judged = judging.judge(recorded(creation(workloads.pod(), number), copies_names, number))
        assert isinstance(judged, Judged)
        paths = {sight.path or "" for sight in judged.judgement.sights}
        seen |= {path for path in paths if path.startswith("spec.volumes[name=kube-api-access-")}
    assert judging.taken_over > 100
    assert len(seen) == 200


def test_only_so_many_exchanges_are_remembered() -> None:
    judging = make_judge(remembered=3)
    program = get_specimen("perfect").program
    for round_ in range(2):
        for number, pod in enumerate(plain_pods()):
            judging.judge(recorded(creation(pod, round_ * 10 + number), program))
    assert judging.taken_over == 0


def test_no_text_the_judging_compares_with_looks_like_a_random_name() -> None:
    texts = set[str]()
    for package in (apiserver, checks, differences, fields):
        for file in Path(str(package.__file__)).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.add(node.value)
    texts |= {step for field in CATALOGUE.fields for step in field.path.split(".")}
    texts -= set(map(str, InvalidReason))  # of answers, and not compared with anything in them
    assert [text for text in texts if is_opaque(text)] == []


@pytest.mark.parametrize(
    "name", ["latest", "1e-3", "500m", "default-scheduler", "http", "0", "unconfined", "12345678"]
)
def test_a_name_that_means_something_elsewhere_is_no_random_one(name: str) -> None:
    assert not is_opaque(name)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("typed-round-trip-1.27", "WF101"),
        ("removes-element", "WF105"),
        ("replaces-spec", "WF201"),
        ("list-replacement", "WF202"),
        ("undecodable-result", "WF006"),
        ("adds-unknown-field", "WF009"),
        ("wrong-uid", "WF003"),
        ("no-patch-type", "WF004"),
        ("http-500", "WF002"),
        ("needless-patch", "WF207"),
    ],
)
def test_recorded_pods_show_what_a_sweep_would_show(program: str, code: str) -> None:
    assert code in codes(recorded(creation(mesh_pod()), get_specimen(program).program))


def test_a_correct_webhook_shows_nothing() -> None:
    assert codes(recorded(creation(mesh_pod()), get_specimen("perfect-prepend").program)) == set()


def test_the_new_fields_of_a_pod_are_told() -> None:
    judged = judge(recorded(creation(mesh_pod()), get_specimen("perfect").program))
    assert judged.judgement.fields == {"spec.initContainers[].restartPolicy"}


def test_an_update_is_judged_by_what_the_webhook_makes_of_the_new_object() -> None:
    pod = mesh_pod()
    review = pod_review(pod, operation="UPDATE", oldObject={**pod, "spec": {}})
    assert "WF101" in codes(recorded(review, get_specimen("typed-round-trip-1.27").program))


def test_a_v1beta1_answer_needs_no_uid() -> None:
    review = creation(mesh_pod()) | {"apiVersion": "admission.k8s.io/v1beta1"}
    answer = Answered(status=200, content_type="", body=b'{"response":{"allowed":true}}')
    assert codes(exchange_of(review, answer)) == set()
    assert codes(exchange_of(creation(mesh_pod()), answer)) == {"WF003"}


def deployment(patch: list[JsonObject]) -> RecordedExchange:
    kind: JsonObject = {"group": "apps", "version": "v1", "kind": "Deployment"}
    thing: JsonObject = {"metadata": {"name": "shop"}, "spec": {"replicas": 1, "newField": True}}
    review = pod_review(thing, kind=kind, uid=UID)
    return exchange_of(review, answered(patch, UID))


def test_of_other_kinds_the_answer_and_its_patch_are_judged() -> None:
    fails = deployment([{"op": "remove", "path": "/spec/paused"}])
    assert judge(fails).judgement.extent is Extent.OBJECT
    assert codes(fails) == {"WF005"}


def test_of_other_kinds_no_loss_is_claimed() -> None:
    assert codes(deployment([{"op": "remove", "path": "/spec/newField"}])) == set()


def test_a_patch_where_there_is_no_object_does_not_apply() -> None:
    review = pod_review({}, operation="DELETE", object=None, oldObject=mesh_pod(), uid=UID)
    judged = judge(exchange_of(review, answered([{"op": "add", "path": "/a", "value": 1}], UID)))
    assert judged.judgement.extent is Extent.ANSWER
    assert [sight.code for sight in judged.judgement.sights] == ["WF005"]
    assert not judged.judgement.patched


def test_a_deletion_without_a_patch_is_fine() -> None:
    review = pod_review({}, operation="DELETE", object=None, oldObject=mesh_pod(), uid=UID)
    allowed = Answered(
        status=200,
        content_type="application/json",
        body=orjson.dumps(
            {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": UID, "allowed": True},
            }
        ),
    )
    assert codes(exchange_of(review, allowed)) == set()


def test_a_call_nobody_waited_for_is_not_held_against_the_webhook() -> None:
    failed = CallFailure(kind=FailureKind.TIMEOUT, detail="the API server hung up")
    hung_up = exchange_of(creation(mesh_pod()), failed, hung_up=True)
    assert make_judge().judge(hung_up) is NotJudged.HUNG_UP
    assert codes(replace(hung_up, hung_up=False)) == {"WF001"}


@pytest.mark.parametrize(
    "review",
    [
        {},
        {"apiVersion": "admission.k8s.io/v1"},
        {"apiVersion": "admission.k8s.io/v1", "request": {"uid": 1, "object": {}}},
        {"apiVersion": "v1", "request": {"uid": UID, "object": {}}},
    ],
)
def test_what_is_no_review_is_not_judged(review: JsonObject) -> None:
    assert make_judge().judge(exchange_of(review, answered([], UID))) is NotJudged.UNREAD


def test_the_pods_of_a_sweep_are_left_out() -> None:
    pod = default_pod(
        {"spec": {"containers": [{"name": "wf-a", "image": "registry.example.com/wf/a:1"}]}}
    )
    made = recorded(creation(pod), get_specimen("perfect").program)
    assert make_judge().judge(made) is NotJudged.OUR_OWN


def annotated(value: str) -> JsonObject:
    pod = mesh_pod()
    metadata = pod["metadata"]
    assert isinstance(metadata, dict)
    return {**pod, "metadata": {**metadata, "annotations": {"config": value}}}


def overwritten(before: str, after: str, *, raw: bool) -> RecordedExchange:
    review = pod_review(annotated(before), uid=UID)
    patch: JsonObject = {"op": "replace", "path": "/metadata/annotations/config", "value": after}
    return exchange_of(review, answered([patch], UID), raw=raw)


def test_whether_a_redacted_annotation_says_less_is_not_claimed() -> None:
    redacted = judge(overwritten("redacted-00000000", "redacted-11111111", raw=False)).judgement
    assert redacted.sights == ()
    assert redacted.unclaimed == 1
    assert codes(overwritten("one", "two", raw=False)) == {"WF107"}
    assert codes(overwritten("redacted-00000000", "two", raw=True)) == {"WF107"}


@pytest.mark.parametrize(("value", "claimed"), [("redacted-00000000", False), ("a lot", True)])
def test_the_type_of_a_redacted_value_is_not_claimed(value: str, *, claimed: bool) -> None:
    patch: JsonObject = {
        "op": "add",
        "path": "/spec/containers/0/resources",
        "value": {"limits": {"cpu": value}},
    }
    review = pod_review(mesh_pod(), uid=UID)
    made = exchange_of(review, answered([patch], UID), raw=False)
    assert ("WF006" in codes(made)) is claimed


def test_a_loss_of_a_field_nobody_knows_is_told_in_words_that_are_true_of_traffic() -> None:
    pod = mesh_pod()
    spec = pod["spec"]
    assert isinstance(spec, dict)
    review = pod_review({**pod, "spec": {**spec, "fieldOf138": 1}}, uid=UID)
    removed: JsonObject = {"op": "remove", "path": "/spec/fieldOf138"}
    judged = judge(exchange_of(review, answered([removed], UID)))
    (told,) = [f for f in judged.findings or () if f.code == "WF108"]
    assert "newer than Kubernetes" in told.explanation


def test_a_patch_of_many_operations_is_not_judged() -> None:
    patch: list[JsonObject] = [{"op": "test", "path": "/spec", "value": 1}] * 5_001
    made = exchange_of(pod_review(mesh_pod(), uid=UID), answered(patch, UID))
    assert make_judge().judge(made) is NotJudged.TOO_MANY


@pytest.mark.parametrize("where", ["sent", "added"])
def test_a_pod_of_many_elements_is_not_judged(where: str) -> None:
    pod = mesh_pod()
    many: list[JsonValue] = [{"key": f"k{number}"} for number in range(501)]
    spec = pod["spec"]
    assert isinstance(spec, dict)
    added: JsonObject = {"op": "add", "path": "/spec/tolerations", "value": [*many]}
    if where == "sent":
        pod = {**pod, "spec": {**spec, "tolerations": [*many]}}
    made = exchange_of(pod_review(pod, uid=UID), answered([added] if where == "added" else [], UID))
    assert make_judge().judge(made) is NotJudged.TOO_LARGE


def test_an_object_of_no_shape_costs_nothing_but_itself() -> None:
    spec: JsonObject = {"containers": {"a": [1]}, "volumes": 3, "initContainers": [None, 1]}
    review = pod_review({"metadata": [], "spec": spec}, uid=UID)
    patch: JsonObject = {"op": "add", "path": "/spec/containers/b", "value": 1}
    judged = make_judge().judge(exchange_of(review, answered([patch], UID)))
    assert judged is NotJudged.FAILED or isinstance(judged, Judged)


def test_an_object_nested_too_deep_is_counted() -> None:
    deep: JsonObject = {}
    for _ in range(900):
        deep = {"a": deep}
    review = pod_review({"spec": deep, "metadata": {}}, uid=UID)
    assert make_judge().judge(exchange_of(review, answered([], UID))) is NotJudged.TOO_DEEP


def test_a_patch_written_with_blanks_around_it_is_found_as_well() -> None:
    judging = make_judge()
    patch = base64.b64encode(orjson.dumps([{"op": "add", "path": "/spec/nodeName", "value": "a"}]))
    for number in range(2):
        review = creation(mesh_pod(), number)
        request = review["request"]
        assert isinstance(request, dict)
        body = (
            '{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": '
            f'{{"uid": "{request["uid"]}", "allowed": true, "patchType": "JSONPatch", '
            f'"patch": "{patch.decode()}"}}}}'
        )
        made = Answered(status=200, content_type="", body=body.encode())
        judging.judge(exchange_of(review, made, number))
    assert judging.taken_over == 1
