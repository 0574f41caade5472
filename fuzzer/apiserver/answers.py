"""What does a webhook's answer say, and would the API server accept it?

The body is read as leniently and as strictly as kube-apiserver reads it: YAML is accepted, the
content type does not matter, member names are case-sensitive, unknown members are ignored, a v1
answer has to echo uid, apiVersion and kind, a v1beta1 answer need not. What is tolerated but
wrong is reported as a deviation.

Source: k8s.io/client-go rest/request.go Result.Into, k8s.io/apiserver
pkg/admission/plugin/webhook/request/admissionreview.go VerifyAdmissionResponse and
.../mutating/dispatcher.go callAttrMutatingHook.
"""

import base64
import re
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.answer_bodies import UnreadableBodyError, read_body
from webhook_fuzz.fuzzer.apiserver.answer_schemas import ANSWER
from webhook_fuzz.fuzzer.apiserver.decoding import DecodeError, decode_object
from webhook_fuzz.fuzzer.apiserver.patches import Patch, UndecodablePatch, decode_patch

# An undecodable patch is a failure of the call, covered by failurePolicy, from this minor on.
_PATCH_FAILURES_ARE_CALL_FAILURES = Minor(1, 34)
_HTTP_BAD_REQUEST = 400

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Stands for the uid of the review in answers that are compared. No webhook can know it.
_ANY_UID: Final = str(uuid.uuid4())
_ANY_UID_BYTES: Final = _ANY_UID.encode()
# A webhook has a handful of answers, or another one for every pod: then keeping them is no use.
_ANSWERS_KEPT = 32
_LONGEST_KEPT = 64 * 1024


class InvalidReason(StrEnum):
    """In which way an answer is unusable."""

    EMPTY = "empty"
    NOT_JSON = "not-json"
    NOT_AN_ADMISSION_REVIEW = "not-an-admission-review"
    WRONG_VERSION = "wrong-version"
    WRONG_MEMBER_TYPE = "wrong-member-type"
    NO_RESPONSE = "no-response"
    UID_MISMATCH = "uid-mismatch"
    PATCH_WITHOUT_TYPE = "patch-without-type"
    TYPE_WITHOUT_PATCH = "type-without-patch"
    UNSUPPORTED_PATCH_TYPE = "unsupported-patch-type"
    PATCH_NOT_BASE64 = "patch-not-base64"
    PATCH_NOT_A_PATCH = "patch-not-a-patch"


class ServerError(StrEnum):
    """The class of error the API server makes of it: only the first honours failurePolicy."""

    CALLING_WEBHOOK = "failed calling webhook"
    INTERNAL = "internal error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer the API server accepts.

    `patch` are the operations, None without a patch; `patch_bytes` the patch as decoded from
    base64. `code` and `message` are the denial's, as the client gets them (empty when allowed).
    `deviations` are sentences about what the server tolerates and a webhook should not do.
    """

    allowed: bool
    patch: Patch | None
    patch_bytes: bytes = b""
    code: int = 0
    message: str = ""
    warnings: tuple[str, ...] = ()
    audit_annotations: tuple[tuple[str, str], ...] = ()
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidAnswer:
    """An answer the API server does not accept; `detail` says it in the server's words."""

    reason: InvalidReason
    detail: str
    server_error: ServerError = ServerError.CALLING_WEBHOOK


def read_answer(
    body: bytes, *, uid: str, version: ReviewVersion, api_server: Minor | None = None
) -> Answer | InvalidAnswer:
    """What the body of a 2xx answer to the review `uid` amounts to.

    `version` is the AdmissionReview version that was sent; without `api_server` a current one is
    meant. The reason of an InvalidAnswer is the first the server would meet. Never raises,
    whatever the bytes are.
    """
    try:
        review, deviations = _read_review(body, version)
        data = _decode_patch_bytes(review)
        response = _response(review, version, uid)
        patch = _patch(response, data, version, api_server)
        return _answer(response, data, patch, deviations + _tolerated(review, response, version))
    except _InvalidError as invalid:
        return invalid.answer


class AnswerReader:
    """Reads many answers as `read_answer` does, those that differ in the uid they echo only once.

    That is what a webhook says to most pods of a sweep: 3 us an answer instead of 17.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, Minor | None], Answer] = {}

    def read(
        self, body: bytes, *, uid: str, version: ReviewVersion, api_server: Minor | None = None
    ) -> Answer | InvalidAnswer:
        """What the body of a 2xx answer to the review `uid` amounts to."""
        echoed = uid.encode()
        if (
            version != "v1"
            or len(body) > _LONGEST_KEPT
            or body.count(echoed) != 1
            or not _UUID.fullmatch(uid)
        ):
            return read_answer(body, uid=uid, version=version, api_server=api_server)
        key = (body.replace(echoed, _ANY_UID_BYTES), api_server)
        known = self._known.get(key)
        if known is not None:
            return known
        # A v1 answer is accepted only with the uid at `response.uid`: if this one is, the one place
        # replaced was that, and whatever the uid is, the rest is read alike.
        answer = read_answer(key[0], uid=_ANY_UID, version=version, api_server=api_server)
        if not isinstance(answer, Answer):
            return read_answer(body, uid=uid, version=version, api_server=api_server)
        self._keep(key, answer)
        return answer

    def _keep(self, key: tuple[bytes, Minor | None], answer: Answer) -> None:
        if len(self._known) >= _ANSWERS_KEPT:
            del self._known[next(iter(self._known))]
        self._known[key] = answer


class _InvalidError(Exception):
    """Carries an InvalidAnswer out of the reading."""

    def __init__(
        self,
        reason: InvalidReason,
        detail: str,
        server_error: ServerError = ServerError.CALLING_WEBHOOK,
    ) -> None:
        super().__init__(detail)
        self.answer = InvalidAnswer(reason=reason, detail=detail, server_error=server_error)


def _read_review(body: bytes, version: ReviewVersion) -> tuple[JsonObject, tuple[str, ...]]:
    """The body decoded into AdmissionReview's types, with what was odd about it."""
    if not body:
        raise _InvalidError(InvalidReason.EMPTY, "0-length response")
    try:
        value, deviations = read_body(body)
    except UnreadableBodyError as error:
        raise _InvalidError(InvalidReason.NOT_JSON, str(error)) from None
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise _InvalidError(
            InvalidReason.NOT_AN_ADMISSION_REVIEW,
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{json_type_name(value)}",
        )
    _check_kind(value, version)
    decoded = decode_object(value, ANSWER)
    if isinstance(decoded, DecodeError):
        raise _InvalidError(InvalidReason.WRONG_MEMBER_TYPE, decoded.message)
    ignored = tuple(f"`{path}` is no member of AdmissionReview" for path in decoded.dropped)
    return decoded.value, (*deviations, *ignored)


def _check_kind(review: JsonObject, version: ReviewVersion) -> None:
    """A body that says it is something else is converted or refused; a silent one is decoded."""
    kind, api_version = review.get("kind"), review.get("apiVersion")
    expected = f"admission.k8s.io/{version}"
    if isinstance(kind, str) and kind not in ("", "AdmissionReview"):
        raise _InvalidError(
            InvalidReason.NOT_AN_ADMISSION_REVIEW,
            f'expected an AdmissionReview, got kind "{kind}"',
        )
    if isinstance(api_version, str) and api_version not in ("", expected):
        raise _InvalidError(
            InvalidReason.WRONG_VERSION,
            f"expected webhook response of {expected}, got {api_version}",
        )


def _response(review: JsonObject, version: ReviewVersion, uid: str) -> JsonObject:
    """The response of a review. Source: admissionreview.go VerifyAdmissionResponse."""
    response = review.get("response")
    if not isinstance(response, dict):
        raise _InvalidError(InvalidReason.NO_RESPONSE, "webhook response was absent")
    if version == "v1beta1":
        return response
    if (echoed := response.get("uid", "")) != uid:
        raise _InvalidError(
            InvalidReason.UID_MISMATCH, f'expected response.uid="{uid}", got "{echoed}"'
        )
    if not review.get("kind") or not review.get("apiVersion"):
        found = f"{review.get('apiVersion') or '/'}, Kind={review.get('kind') or ''}"
        raise _InvalidError(
            InvalidReason.NOT_AN_ADMISSION_REVIEW,
            f"expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {found}",
        )
    _check_patch_type(response)
    return response


def _check_patch_type(response: JsonObject) -> None:
    has_patch, patch_type = bool(response.get("patch")), response.get("patchType")
    if has_patch and patch_type is None:
        raise _InvalidError(
            InvalidReason.PATCH_WITHOUT_TYPE,
            "webhook returned response.patch but not response.patchType",
        )
    if not has_patch and patch_type is not None:
        raise _InvalidError(
            InvalidReason.TYPE_WITHOUT_PATCH,
            "webhook returned response.patchType but not response.patch",
        )
    if patch_type == "":
        raise _InvalidError(
            InvalidReason.UNSUPPORTED_PATCH_TYPE,
            'webhook returned invalid response.patchType of ""',
        )


def _answer(
    response: JsonObject, data: bytes, patch: Patch | None, deviations: tuple[str, ...]
) -> Answer:
    allowed = response.get("allowed") is True
    code, message = (0, "") if allowed else _denial(response.get("status"))
    return Answer(
        allowed=allowed,
        patch=patch,
        patch_bytes=data,
        code=code,
        message=message,
        warnings=_texts(response.get("warnings")),
        audit_annotations=_entries(response.get("auditAnnotations")),
        deviations=deviations,
    )


def _decode_patch_bytes(review: JsonObject) -> bytes:
    """Source: encoding/json of []byte: standard alphabet, padded, line breaks ignored."""
    response = review.get("response")
    patch = response.get("patch") if isinstance(response, dict) else None
    if not isinstance(patch, str):
        return b""
    text = patch.replace("\r", "").replace("\n", "")
    try:
        # Python forgives padding in excess, Go does not.
        data = base64.b64decode(text, validate=True) if len(text) % 4 == 0 else None
    except ValueError:
        data = None
    if data is None:
        raise _InvalidError(InvalidReason.PATCH_NOT_BASE64, "illegal base64 data in response.patch")
    return data


def _patch(
    response: JsonObject, data: bytes, version: ReviewVersion, api_server: Minor | None
) -> Patch | None:
    """The operations of an allowing answer; None for an empty list, which is no patch."""
    if not data or response.get("allowed") is not True:
        return None
    patch = decode_patch(data)
    if isinstance(patch, UndecodablePatch):
        if api_server is not None and api_server < _PATCH_FAILURES_ARE_CALL_FAILURES:
            raise _InvalidError(InvalidReason.PATCH_NOT_A_PATCH, patch.detail, ServerError.INTERNAL)
        raise _InvalidError(
            InvalidReason.PATCH_NOT_A_PATCH,
            f"received undecodable patch in webhook response: {patch.detail}",
        )
    if not patch.operations:
        return None
    patch_type = response.get("patchType")
    if version == "v1" and patch_type != "JSONPatch":
        raise _InvalidError(
            InvalidReason.UNSUPPORTED_PATCH_TYPE, f'unsupported patch type "{patch_type}"'
        )
    return patch


def _denial(status: JsonValue) -> tuple[int, str]:
    """The code and reason of a denial as the client gets them.

    Source: k8s.io/apiserver pkg/admission/plugin/webhook/errors/statuserror.go ToStatusErr.
    """
    members = status if isinstance(status, dict) else {}
    code, message = members.get("code"), members.get("message") or members.get("reason")
    number = code if isinstance(code, int) else 0
    return max(number, _HTTP_BAD_REQUEST), message if isinstance(message, str) else ""


def _tolerated(review: JsonObject, response: JsonObject, version: ReviewVersion) -> tuple[str, ...]:
    """What is wrong with an accepted answer."""
    v1_only = version == "v1beta1"
    has_patch = bool(response.get("patch"))
    odd = {
        "the answer has no apiVersion and kind, which v1 demands": v1_only
        and not (review.get("apiVersion") and review.get("kind")),
        "the response has no uid, which v1 demands": v1_only and not response.get("uid"),
        "the patch has no patchType JSONPatch, which v1 demands": v1_only
        and has_patch
        and response.get("patchType") != "JSONPatch",
        "the patch of a denial is ignored": has_patch and response.get("allowed") is not True,
    }
    return tuple([sentence for sentence, applies in odd.items() if applies])


def _texts(value: JsonValue) -> tuple[str, ...]:
    elements = value if isinstance(value, list) else []
    return tuple([element for element in elements if isinstance(element, str)])


def _entries(value: JsonValue) -> tuple[tuple[str, str], ...]:
    members = value if isinstance(value, dict) else {}
    return tuple([(key, entry) for key, entry in members.items() if isinstance(entry, str)])
