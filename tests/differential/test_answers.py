"""Does the API server take every form of answer as the product says it does?

Each row is tried where failures are fatal, where they are ignored, and by a webhook that asked for
v1beta1. `expected` is for v1 where failures are fatal.
"""

import base64
from collections.abc import Mapping, Sequence

import orjson
import pytest

from testbed.agreements import Bench, check_agreement
from testbed.oracles import Chain, OutcomeKind, Respond, Trial, answer_body, patch_body
from webhook_fuzz.corpora.json_values import JsonValue

pytestmark = pytest.mark.real

JUDGED = (Chain.FAIL, Chain.IGNORE, Chain.BETA)
PASSED, DENIED = OutcomeKind.PASSED, OutcomeKind.DENIED
CALL_FAILED, INTERNAL = OutcomeKind.CALL_FAILED, OutcomeKind.INTERNAL
LABEL = b'[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]'
ENCODED = base64.b64encode(LABEL).decode()
REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}


def said(**members: JsonValue) -> Respond:
    """A v1 answer with these members of the response."""
    return lambda uid: answer_body(uid, **members)


def bytes_of(body: bytes) -> Respond:
    """The same bytes for everybody, with the uid in them."""
    return lambda uid: body.replace(b"UID", uid.encode())


def review_of(*, without: Sequence[str] = (), **members: object) -> Respond:
    """A review that allows, with other members of its own."""

    def respond(uid: str) -> bytes:
        review = {**REVIEW, "response": {"uid": uid, "allowed": True}, **members}
        return orjson.dumps({name: review[name] for name in review if name not in without})

    return respond


def response_of(**members: object) -> Respond:
    """A review with just these members of the response, `UID` being the uid."""
    return bytes_of(orjson.dumps({**REVIEW, "response": members}))


def status_of(**members: JsonValue) -> Respond:
    """A denial with this status."""
    return said(allowed=False, status=members)


Rows = Mapping[str, tuple[Respond, OutcomeKind]]

BODIES: Rows = {
    "allowed": (answer_body, PASSED),
    "a patch": (lambda uid: patch_body(uid, LABEL), PASSED),
    "an empty body": (bytes_of(b""), CALL_FAILED),
    "blanks": (bytes_of(b"  \n"), CALL_FAILED),
    "HTML": (bytes_of(b"<html><body>Bad Gateway</body></html>"), CALL_FAILED),
    "text": (bytes_of(b"ok"), CALL_FAILED),
    "cut-off JSON": (bytes_of(b'{"apiVersion":"admission.k8s.io/v1"'), CALL_FAILED),
    "JSON null": (bytes_of(b"null"), CALL_FAILED),
    "a JSON list": (bytes_of(b"[]"), CALL_FAILED),
    "an empty object": (bytes_of(b"{}"), CALL_FAILED),
    "trailing junk": (lambda uid: answer_body(uid) + b"x", CALL_FAILED),
    "two answers": (lambda uid: answer_body(uid) * 2, CALL_FAILED),
    "a byte order mark": (lambda uid: b"\xef\xbb\xbf" + answer_body(uid), PASSED),
    "YAML": (
        bytes_of(
            b"apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n"
            b"response:\n  uid: UID\n  allowed: true\n"
        ),
        PASSED,
    ),
    "YAML with a document mark": (
        bytes_of(
            b"---\napiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n"
            b"response: {uid: UID, allowed: yes}\n"
        ),
        PASSED,
    ),
    "unknown members": (review_of(extra=1, metadata={"name": "x"}), PASSED),
    "the request sent back": (review_of(request={"uid": "x", "object": {"a": 1}}), PASSED),
    "a request of the wrong type": (review_of(request=5), CALL_FAILED),
    "no response": (review_of(without=["response"]), CALL_FAILED),
    "a null response": (review_of(response=None), CALL_FAILED),
    "an empty response": (response_of(), CALL_FAILED),
    "a response that is a list": (review_of(response=[]), CALL_FAILED),
    "Response in capitals": (review_of(without=["response"], Response={}), CALL_FAILED),
    "another uid": (response_of(uid="other", allowed=True), CALL_FAILED),
    "no uid": (response_of(allowed=True), CALL_FAILED),
    "a numeric uid": (response_of(uid=5, allowed=True), CALL_FAILED),
    "a duplicate uid, the last one right": (
        bytes_of(
            b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",'
            b'"response":{"uid":"other","allowed":true,"uid":"UID"}}'
        ),
        PASSED,
    ),
    "no apiVersion": (review_of(without=["apiVersion"]), CALL_FAILED),
    "no kind": (review_of(without=["kind"]), CALL_FAILED),
    "neither apiVersion nor kind": (review_of(without=["apiVersion", "kind"]), CALL_FAILED),
    "an empty apiVersion": (review_of(apiVersion=""), CALL_FAILED),
    "an apiVersion of another type": (review_of(apiVersion=1), CALL_FAILED),
    "v1beta1": (review_of(apiVersion="admission.k8s.io/v1beta1"), CALL_FAILED),
    "v1 of the core group": (review_of(apiVersion="v1"), CALL_FAILED),
    "v2": (review_of(apiVersion="admission.k8s.io/v2"), CALL_FAILED),
    "another kind": (review_of(kind="Pod"), CALL_FAILED),
    "a kind in lower case": (review_of(kind="admissionreview"), CALL_FAILED),
    "allowed is missing": (response_of(uid="UID"), DENIED),
    "allowed is null": (response_of(uid="UID", allowed=None), DENIED),
    "allowed is a text": (response_of(uid="UID", allowed="true"), CALL_FAILED),
    "allowed is 1": (response_of(uid="UID", allowed=1), CALL_FAILED),
    "Allowed in capitals": (response_of(uid="UID", Allowed=True), DENIED),
}
PATCHES: Rows = {
    "a patch without a type": (said(patch=ENCODED), CALL_FAILED),
    "a type without a patch": (said(patchType="JSONPatch"), CALL_FAILED),
    "a type with an empty patch": (said(patchType="JSONPatch", patch=""), CALL_FAILED),
    "a type with a null patch": (said(patchType="JSONPatch", patch=None), CALL_FAILED),
    "an empty type": (said(patchType="", patch=ENCODED), CALL_FAILED),
    "an empty type without a patch": (said(patchType=""), CALL_FAILED),
    "a null type": (said(patchType=None, patch=ENCODED), CALL_FAILED),
    "both null": (said(patchType=None, patch=None), PASSED),
    "MergePatch": (said(patchType="MergePatch", patch=ENCODED), CALL_FAILED),
    "jsonpatch in lower case": (said(patchType="jsonpatch", patch=ENCODED), CALL_FAILED),
    "a type of another type": (said(patchType=1, patch=ENCODED), CALL_FAILED),
    "another type for an empty list": (
        said(patchType="MergePatch", patch=base64.b64encode(b"[]").decode()),
        PASSED,
    ),
    "the patch as a list": (said(patchType="JSONPatch", patch=[]), CALL_FAILED),
    "the patch as an object": (said(patchType="JSONPatch", patch={}), CALL_FAILED),
    "the patch not encoded": (said(patchType="JSONPatch", patch=LABEL.decode()), CALL_FAILED),
    "base64 without padding": (
        said(patchType="JSONPatch", patch=base64.b64encode(LABEL + b" ").decode().rstrip("=")),
        CALL_FAILED,
    ),
    "base64 with too much padding": (said(patchType="JSONPatch", patch=ENCODED + "="), CALL_FAILED),
    "base64 with line breaks": (
        said(patchType="JSONPatch", patch=f"{ENCODED[:8]}\r\n{ENCODED[8:]}\n"),
        PASSED,
    ),
    "base64 with blanks": (
        said(patchType="JSONPatch", patch=f"{ENCODED[:8]} {ENCODED[8:]}"),
        CALL_FAILED,
    ),
    "base64 of the URL alphabet": (
        said(patchType="JSONPatch", patch=base64.urlsafe_b64encode(b"[\xc3\xbe>?]").decode()),
        CALL_FAILED,
    ),
    "Patch in capitals": (said(PatchType="JSONPatch", Patch=ENCODED), PASSED),
    "the patch of a denial": (
        said(allowed=False, patchType="JSONPatch", patch=ENCODED),
        DENIED,
    ),
    "a denial with a patch without a type": (said(allowed=False, patch=ENCODED), CALL_FAILED),
    "a denial with an undecodable patch": (
        said(allowed=False, patchType="JSONPatch", patch=base64.b64encode(b"{").decode()),
        DENIED,
    ),
}
DENIALS: Rows = {
    "a denial": (said(allowed=False), DENIED),
    "with a code and a message": (status_of(code=403, message="no & no"), DENIED),
    "with a code of success": (status_of(code=200, message="fine"), DENIED),
    "with code 0": (status_of(code=0), DENIED),
    "with code 399": (status_of(code=399), DENIED),
    "with code 400": (status_of(code=400), DENIED),
    "with code 599": (status_of(code=599, message="far out"), DENIED),
    "with a negative code": (status_of(code=-1), DENIED),
    "with a code that is a text": (status_of(code="403"), CALL_FAILED),
    "with a code that is too large": (status_of(code=2**31), CALL_FAILED),
    "with a fraction of a code": (status_of(code=403.5), CALL_FAILED),
    "with a reason": (status_of(reason="Forbidden"), DENIED),
    "with a message and a reason": (status_of(message="m", reason="Forbidden"), DENIED),
    "with an empty message and a reason": (status_of(message="", reason="Forbidden"), DENIED),
    "with a status that is a text": (said(allowed=False, status="Failure"), CALL_FAILED),
    "with a status that says Success": (status_of(status="Success", message="m"), DENIED),
    "with a message in two lines": (status_of(message="one\ntwo"), DENIED),
    "with details": (status_of(message="m", details={"name": "x", "causes": []}), DENIED),
    "allowed with the status of a denial": (
        said(status={"code": 403, "message": "no", "status": "Failure"}),
        PASSED,
    ),
}
OTHERS: Rows = {
    "warnings": (said(warnings=["one", "two & three"]), PASSED),
    "no warnings": (said(warnings=[]), PASSED),
    "warnings and a denial": (said(allowed=False, warnings=["one"]), DENIED),
    "warnings that are a text": (said(warnings="one"), CALL_FAILED),
    "warnings that are numbers": (said(warnings=[1]), CALL_FAILED),
    "audit annotations": (said(auditAnnotations={"key": "value", "bad key!": "x"}), PASSED),
    "audit annotations that are numbers": (said(auditAnnotations={"key": 1}), CALL_FAILED),
    "audit annotations that are null": (said(auditAnnotations=None), PASSED),
}
STATUSES = (200, 201, 202, 203, 206, 207, 226, 300, 304, 400, 401, 403, 404, 409, 500, 502, 503)


@pytest.mark.parametrize(
    "rows", [BODIES, PATCHES, DENIALS, OTHERS], ids=["bodies", "patches", "denials", "others"]
)
async def test_every_form_of_answer_is_taken_alike(rows: Rows, bench: Bench) -> None:
    trials = [
        Trial(name=f"{name} ({chain})", respond=respond, chain=chain)
        for chain in JUDGED
        for name, (respond, _) in rows.items()
    ]
    results = await check_agreement(bench, f"answers, {len(rows)} forms", trials)
    kinds = {result.trial.name: result.outcome.kind for result in results}
    wrong = {
        name: kinds[f"{name} ({Chain.FAIL})"]
        for name, (_, expected) in rows.items()
        if kinds[f"{name} ({Chain.FAIL})"] is not expected
    }
    assert wrong == {}


async def test_every_status_is_taken_alike(bench: Bench) -> None:
    trials = [
        Trial(name=f"{status} ({chain})", respond=answer_body, status=status, chain=chain)
        for chain in JUDGED
        for status in STATUSES
    ]
    await check_agreement(bench, "HTTP statuses", trials)
