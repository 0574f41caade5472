"""Is a broken conversation told as what it is, and a correct one not at all?"""

import orjson
import pytest

from observed import NEWEST, UID, add, answer, container, findings, pod, remove, told
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, FailureKind, Outcome
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.findings import Finding

ANNOTATED = pod(metadata={"annotations": {"a": "b"}})


def answered(response: JsonObject) -> Answered:
    review: JsonObject = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": UID, "allowed": True, **response},
    }
    return Answered(status=200, content_type="application/json", body=orjson.dumps(review))


def failure(kind: FailureKind, status: int | None = None) -> CallFailure:
    return CallFailure(kind=kind, detail="what happened", status=status)


def codes(found: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in found]


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failed_call_is_one_finding(kind: FailureKind) -> None:
    told_as = {
        FailureKind.STATUS: "WF002",
        FailureKind.MALFORMED_HTTP: "WF003",
        FailureKind.TOO_LARGE: "WF403",
    }
    (found,) = findings(pod(), failure(kind, 500))
    assert found.code == told_as.get(kind, "WF001")
    assert "What happened" in found.explanation


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"[]",
        b'{"kind":"Status","apiVersion":"v1"}',
        b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","response":{}}',
        b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}',
    ],
)
def test_a_body_that_is_no_answer_to_the_review_is_wf003(body: bytes) -> None:
    outcome = Answered(status=200, content_type="application/json", body=body)
    assert codes(findings(pod(), outcome)) == ["WF003"]


@pytest.mark.parametrize("response", [{"uid": "another"}, {"uid": None}])
def test_a_uid_that_is_not_echoed_is_wf003(response: dict[str, JsonValue]) -> None:
    assert codes(findings(pod(), answer([], **response))) == ["WF003"]


@pytest.mark.parametrize(
    "response",
    [
        {"patch": "W10="},
        {"patchType": "JSONPatch"},
        {"patch": "W10=", "patchType": ""},
        {"patch": "W3sib3AiOiJhZGQifV0=", "patchType": "JSONMergePatch"},
        {"patch": "???", "patchType": "JSONPatch"},
        {"patch": "e30=", "patchType": "JSONPatch"},
    ],
)
def test_a_patch_that_is_none_is_wf004(response: dict[str, JsonValue]) -> None:
    assert codes(findings(pod(), answered(response))) == ["WF004"]


@pytest.mark.parametrize(
    "outcome",
    [
        answer(),
        answer([]),
        answer(allowed=False, status={"code": 403, "message": "no"}),
        answer(allowed=False),
        answer(warnings=["w"], auditAnnotations={"a": "b"}),
    ],
)
def test_a_correct_answer_without_a_patch_is_nothing(outcome: Outcome) -> None:
    assert findings(pod(), outcome) == ()


def test_the_operation_that_does_not_apply_is_named() -> None:
    patch = [add("/metadata/labels", {}), remove("/spec/notThere")]
    (found,) = findings(pod(), patch)
    assert (found.code, found.culprits) == ("WF005", (1,))
    assert "remove /spec/notThere" in found.explanation


@pytest.mark.parametrize(
    "operation",
    [
        {"op": ["add"], "path": "/spec", "value": {}},
        {"op": {}, "path": "/spec/volumes/0"},
        {"op": "add", "path": 5, "value": 1},
        {"path": "/spec"},
        {},
        {"op": "remove", "path": "/spec//x"},
        {"op": "remove", "path": "/spec/containers/" + "9" * 5000},
        {"op": "replace", "path": "/spec/containers/" + "9" * 5000 + "/env", "value": []},
        {"op": "remove", "path": "/metadata/labels/{a[b]}"},
        {"op": "copy", "path": "/spec/{", "from": "/spec"},
        {"op": "add", "path": "/spec/", "value": "x"},
        {"op": "add", "path": "/spec/a.b[c]{d}", "value": {"": {"]": 1}}},
        {"op": "add", "path": "/spec/containers/-", "value": None},
        {"op": "add", "path": "/spec/containers/0", "value": 7},
        {"op": "replace", "path": "", "value": []},
        {"op": "replace", "path": "", "value": {}},
        {"op": "replace", "path": "/spec", "value": None},
        {"op": "add", "path": "/spec/containers/0/env", "value": [None, 3, {"": None}]},
        {"op": "add", "path": "/metadata/labels", "value": {"a": None, "b": {"c": 1}}},
        {"op": "add", "path": "/spec/volumes", "value": [{"na.me": {"x[": [{"}": 1}]}}]},
    ],
)
def test_no_operation_a_webhook_can_send_brings_the_checks_down(
    operation: dict[str, JsonValue],
) -> None:
    findings(pod(wfFutureField={"{": {"a.b": [1]}}), [operation])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/spec/terminationGracePeriodSeconds", "30"),
        ("/spec/terminationGracePeriodSeconds", 30.5),
        ("/spec/hostNetwork", "yes"),
        ("/spec/containers/0/args", "not a list"),
        ("/spec/containers/0/resources/limits", {"cpu": "lots"}),
    ],
)
def test_a_value_of_the_wrong_type_is_wf006(path: str, value: JsonValue) -> None:
    assert codes(findings(pod(), [add(path, value)])) == ["WF006"]


@pytest.mark.parametrize("value", [[], "pod", 3])
def test_something_else_in_place_of_the_pod_does_not_decode(value: JsonValue) -> None:
    found = codes(findings(pod(), [{"op": "replace", "path": "", "value": value}]))
    assert {"WF005", "WF006"} & set(found)


class TestAddsUnknownField:
    @pytest.mark.parametrize(
        ("path", "value", "found_at"),
        [
            ("/spec/sidecarPolicy", "Always", "spec.sidecarPolicy"),
            ("/spec/HostNetwork", True, "spec.HostNetwork"),
            (
                "/spec/containers/-",
                container("agent", Env=[]) | {"restartpolicy": "Always"},
                "spec.containers[name=agent].restartpolicy",
            ),
            (
                "/spec/volumes",
                [{"name": "v", "emptyDir": {"sizelimit": "1Gi"}}],
                "spec.volumes[name=v].emptyDir.sizelimit",
            ),
            ("/spec/a.b", 1, "spec{a.b}"),
        ],
    )
    def test_fires_with_the_member_that_is_dropped(
        self, path: str, value: JsonValue, found_at: str
    ) -> None:
        assert told(findings(pod(), [add(path, value)])) == [("WF009", found_at)]

    def test_fires_for_a_native_sidecar_where_the_target_does_not_have_them(self) -> None:
        patch = [add("/spec/initContainers", [container("mesh", restartPolicy="Always")])]
        found = findings(pod(), patch, target=Minor(1, 27))
        assert told(found) == [("WF009", "spec.initContainers[name=mesh].restartPolicy")]

    @pytest.mark.parametrize("target", [Minor(1, 28), NEWEST])
    def test_is_silent_for_a_native_sidecar_where_the_target_has_them(self, target: Minor) -> None:
        patch = [add("/spec/initContainers", [container("mesh", restartPolicy="Always")])]
        assert findings(pod(), patch, target=target) == ()

    def test_is_silent_for_what_the_webhook_copied_from_the_user(self) -> None:
        sent = pod(containers=[container("app", wfFutureField={"a": 1})])
        patch = [add("/spec/containers/-", container("copy", wfFutureField={"a": 1}))]
        assert findings(sent, patch) == ()


class TestBadPointerEscaping:
    def test_fires_where_a_slash_leads_below_a_key(self) -> None:
        (found,) = findings(ANNOTATED, [add("/metadata/annotations/x.io/injected", "y")])
        assert (found.code, found.field) == ("WF010", "metadata.annotations{}")

    def test_fires_where_another_key_appears(self) -> None:
        found = findings(ANNOTATED, [add("/metadata/annotations/x.io~01injected", "y")])
        assert told(found) == [("WF010", "metadata.annotations{x.io~1injected}")]

    def test_is_silent_where_it_is_escaped(self) -> None:
        assert findings(ANNOTATED, [add("/metadata/annotations/x.io~1injected", "y")]) == ()

    def test_is_silent_where_the_map_itself_is_missing(self) -> None:
        found = findings(pod(), [add("/metadata/annotations/x.io~1injected", "y")])
        assert codes(found) == ["WF005"]
