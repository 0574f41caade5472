import base64
import uuid
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.answers import (
    Answer,
    AnswerReader,
    InvalidAnswer,
    InvalidReason,
    ServerError,
    read_answer,
)

UID = "11111111-2222-3333-4444-555555555555"
PATCH = base64.b64encode(b'[{"op":"add","path":"/a","value":1}]').decode()


def body(version: str = "v1", /, **response: object) -> bytes:
    return orjson.dumps(
        {
            "apiVersion": f"admission.k8s.io/{version}",
            "kind": "AdmissionReview",
            "response": {"uid": UID, "allowed": True, **response},
        }
    )


def read(data: bytes, version: Literal["v1", "v1beta1"] = "v1") -> Answer | InvalidAnswer:
    return read_answer(data, uid=UID, version=version)


def accepted(data: bytes, version: Literal["v1", "v1beta1"] = "v1") -> Answer:
    answer = read(data, version)
    assert isinstance(answer, Answer), answer
    return answer


def refused(data: bytes, version: Literal["v1", "v1beta1"] = "v1") -> InvalidAnswer:
    answer = read(data, version)
    assert isinstance(answer, InvalidAnswer), answer
    return answer


def test_an_answer_without_a_patch_is_accepted() -> None:
    assert accepted(body()) == Answer(allowed=True, patch=None)


def test_a_patch_is_decoded() -> None:
    answer = accepted(body(patch=PATCH, patchType="JSONPatch"))
    assert answer.patch is not None
    assert answer.patch.operations == ({"op": "add", "path": "/a", "value": 1},)
    assert answer.patch_bytes == b'[{"op":"add","path":"/a","value":1}]'
    assert answer.deviations == ()


@pytest.mark.parametrize("text", [b"[]", b"null"])
def test_an_empty_patch_is_no_patch(text: bytes) -> None:
    patch = base64.b64encode(text).decode()
    assert accepted(body(patch=patch, patchType="JSONPatch")).patch is None


def test_warnings_and_audit_annotations_are_passed_on() -> None:
    answer = accepted(body(warnings=["a", None], auditAnnotations={"k": "v"}))
    assert answer.warnings == ("a", "")
    assert answer.audit_annotations == (("k", "v"),)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (None, 400, ""),
        ({"message": "no"}, 400, "no"),
        ({"message": "no", "code": 200}, 400, "no"),
        ({"reason": "Forbidden", "code": 403}, 403, "Forbidden"),
    ],
)
def test_a_denial_has_a_code_of_at_least_400(
    status: dict[str, Any] | None, code: int, message: str
) -> None:
    answer = accepted(body(allowed=False, status=status, patch=PATCH, patchType="JSONPatch"))
    assert (answer.allowed, answer.code, answer.message) == (False, code, message)
    assert answer.patch is None
    assert answer.deviations == ("the patch of a denial is ignored",)


def test_the_patch_of_a_denial_may_be_anything() -> None:
    junk = base64.b64encode(b"junk").decode()
    assert accepted(body(allowed=False, patch=junk, patchType="JSONPatch")).patch is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", InvalidReason.EMPTY),
        (b"<html><body>Bad Gateway</body></html>", InvalidReason.NOT_JSON),
        (b"ok", InvalidReason.NOT_JSON),
        (b'{"kind":', InvalidReason.NOT_JSON),
        (b"[]", InvalidReason.NOT_AN_ADMISSION_REVIEW),
        (b'"x"', InvalidReason.NOT_AN_ADMISSION_REVIEW),
        (
            b'{"apiVersion":"v1","kind":"Status","status":"Failure"}',
            InvalidReason.NOT_AN_ADMISSION_REVIEW,
        ),
        (b"{}", InvalidReason.NO_RESPONSE),
        (
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}',
            InvalidReason.NO_RESPONSE,
        ),
        (body("v1beta1"), InvalidReason.WRONG_VERSION),
        (body(uid="other"), InvalidReason.UID_MISMATCH),
        (body(uid=None), InvalidReason.UID_MISMATCH),
        (
            orjson.dumps({"response": {"uid": UID, "allowed": True}}),
            InvalidReason.NOT_AN_ADMISSION_REVIEW,
        ),
        (body(patch=PATCH), InvalidReason.PATCH_WITHOUT_TYPE),
        (body(patchType="JSONPatch"), InvalidReason.TYPE_WITHOUT_PATCH),
        (body(patch="", patchType="JSONPatch"), InvalidReason.TYPE_WITHOUT_PATCH),
        (body(patch=PATCH, patchType=""), InvalidReason.UNSUPPORTED_PATCH_TYPE),
        (body(patch=PATCH, patchType="MergePatch"), InvalidReason.UNSUPPORTED_PATCH_TYPE),
        (body(patch="!", patchType="JSONPatch"), InvalidReason.PATCH_NOT_BASE64),
        (
            body(patch=PATCH.rstrip("=") + "=", patchType="JSONPatch"),
            InvalidReason.PATCH_NOT_BASE64,
        ),
        (body(patch="e30=", patchType="JSONPatch"), InvalidReason.PATCH_NOT_A_PATCH),
        (body(patch=[{"op": "add"}], patchType="JSONPatch"), InvalidReason.WRONG_MEMBER_TYPE),
        (body(allowed="true"), InvalidReason.WRONG_MEMBER_TYPE),
        (body(warnings="careful"), InvalidReason.WRONG_MEMBER_TYPE),
        (body(status={"code": "403"}), InvalidReason.WRONG_MEMBER_TYPE),
        (orjson.dumps({"response": []}), InvalidReason.WRONG_MEMBER_TYPE),
    ],
)
def test_what_the_api_server_refuses_is_refused_for_the_same_reason(
    data: bytes, reason: InvalidReason
) -> None:
    invalid = refused(data)
    assert invalid.reason == reason
    assert invalid.detail
    assert invalid.server_error is ServerError.CALLING_WEBHOOK


def test_an_undecodable_patch_honours_the_failure_policy_since_1_34() -> None:
    data = body(patch="e30=", patchType="JSONPatch")
    for minor, error in ((33, ServerError.INTERNAL), (34, ServerError.CALLING_WEBHOOK)):
        invalid = read_answer(data, uid=UID, version="v1", api_server=Minor(1, minor))
        assert isinstance(invalid, InvalidAnswer)
        assert invalid.server_error is error
        named = "received undecodable patch in webhook response" in invalid.detail
        assert named is (error is ServerError.CALLING_WEBHOOK)


def test_member_names_are_case_sensitive_and_unknown_ones_are_told() -> None:
    answer = accepted(body(Patch=PATCH, PatchType="JSONPatch"))
    assert answer.patch is None
    assert answer.deviations == (
        "`response.Patch` is no member of AdmissionReview",
        "`response.PatchType` is no member of AdmissionReview",
    )


def test_a_v1beta1_answer_need_not_name_itself_nor_the_request() -> None:
    data = orjson.dumps({"response": {"allowed": True, "patch": PATCH}})
    answer = accepted(data, "v1beta1")
    assert answer.patch is not None
    assert len(answer.deviations) == 3
    assert refused(body("v1"), "v1beta1").reason == InvalidReason.WRONG_VERSION


def test_a_yaml_body_is_accepted_and_told() -> None:
    text = (
        "kind: AdmissionReview\napiVersion: admission.k8s.io/v1\n"
        f"response:\n  uid: {UID}\n  allowed: yes\n"
    )
    answer = accepted(text.encode())
    assert answer.deviations == ("the body is YAML, not JSON",)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: [*a, *a]",
        "a: !!python/object/apply:os.system [id]",
        "a: " + "[" * 20_000,
        "a: .nan",
        "? [a]\n: b",
        "\x00",
        "a: b\n" * 100_000,
    ],
)
def test_yaml_that_json_cannot_say_is_refused_without_a_crash(text: str) -> None:
    assert refused(text.encode()).reason == InvalidReason.NOT_JSON


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"response":{"allowed":true,"status":{"code":' + b"9" * 100_000 + b"}}}",
        b'{"response":{"uid":1e400}}',
        b'{"response":{"allowed":true,"allowed":false}}',
        b'{"response":{"uid":"\\ud800\xff"}}',
        b"\xff\xfe",
    ],
)
def test_hostile_bodies_do_not_crash(data: bytes) -> None:
    assert refused(data).detail


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_no_bytes_crash_the_reading(data: bytes) -> None:
    assert isinstance(read(data), InvalidAnswer)
    embedded = body(patch=base64.b64encode(data).decode(), patchType="JSONPatch")
    assert isinstance(read(embedded), Answer | InvalidAnswer)


def echoing(uid: str, text: str = "{}") -> bytes:
    """An answer to the review `uid`; the uid also stands wherever `text` has UID."""
    response = f'"uid":"{uid}","allowed":false,"status":{{"message":"{text}"}}'
    written = (
        f'{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{{{response}}}}}'
    )
    return written.replace("UID", uid).encode()


def test_a_reader_reads_answers_that_differ_in_the_uid_they_echo_once() -> None:
    reader = AnswerReader()
    uids = [str(uuid.UUID(int=number)) for number in range(3)]
    answers = [reader.read(echoing(uid), uid=uid, version="v1") for uid in uids]
    assert isinstance(answers[0], Answer)
    assert all(answer is answers[0] for answer in answers)
    assert answers[0] == read_answer(echoing(uids[0]), uid=uids[0], version="v1")


@pytest.mark.parametrize(
    "written",
    [
        echoing("UID"),
        echoing("UID", "denied UID"),
        echoing("another", "denied UID"),
        echoing("another"),
        echoing("\\u0031" + UID[1:], "denied UID"),
        echoing(str(uuid.UUID(int=0))),
        echoing("UID").replace(b"v1", b"v1beta1"),
        echoing("UID").replace(b'"uid":', b'"Uid":'),
        echoing("UID").replace(b'"allowed":false', b'"allowed":true,"patch":"UID"'),
        echoing("UID").replace(b'"allowed":false', b'"UID":false'),
        echoing("UID") + b" " * (70 * 1024),
        b"uid: UID",
        b"UID",
        b"",
    ],
)
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("api_server", [None, Minor(1, 33)])
def test_a_reader_reads_every_answer_as_it_is_read_alone(
    written: bytes, version: Literal["v1", "v1beta1"], api_server: Minor | None
) -> None:
    reader = AnswerReader()
    for uid in (UID, str(uuid.UUID(int=1)), str(uuid.UUID(int=0)), "true", ""):
        data = written.replace(b"UID", uid.encode())
        alone = read_answer(data, uid=uid, version=version, api_server=api_server)
        assert reader.read(data, uid=uid, version=version, api_server=api_server) == alone


def test_a_reader_tells_api_servers_and_more_answers_than_it_remembers_apart() -> None:
    reader = AnswerReader()
    no_patch = body(patch=base64.b64encode(b"{}").decode(), patchType="JSONPatch")
    for turn in range(100):
        data = echoing(UID, f"no {turn}")
        assert reader.read(data, uid=UID, version="v1") == read(data)
    for minor in (Minor(1, 33), Minor(1, 37)):
        alone = read_answer(no_patch, uid=UID, version="v1", api_server=minor)
        assert reader.read(no_patch, uid=UID, version="v1", api_server=minor) == alone
