"""What do the product's rules make of an answer that was given to a real API server?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import orjson

from testbed.oracles import INTERNAL, MANAGER, Chain, Outcome, OutcomeKind, Result
from testbed.version_differences import as_defaulted_by
from webhook_fuzz.corpora.admission import ReviewVersion, UserInfo
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.answers import InvalidAnswer, ServerError, read_answer
from webhook_fuzz.fuzzer.apiserver.decoding import DecodeError, decode_object
from webhook_fuzz.fuzzer.apiserver.defaulting import default_patched_pod
from webhook_fuzz.fuzzer.apiserver.json_patch_versions import json_patch_version
from webhook_fuzz.fuzzer.apiserver.patches import Patch, PatchError, apply_patch
from webhook_fuzz.fuzzer.apiserver.reviews import (
    ReviewOptions,
    as_written,
    build_review,
    encode_review,
)

ACCEPTED_STATUSES = range(200, 207)
"""As in fuzzer/transports/direct.py, where statuses are judged."""
VERSIONS: Mapping[Chain, ReviewVersion] = {Chain.BETA: "v1beta1"}
"""The AdmissionReview version a webhook gets that does not get v1."""


def emulate(result: Result, minor: Minor) -> Outcome:
    """The outcome by the product's rules, of the review that was really sent.

    A message is there where the product promises the API server's own words.
    """
    request = _request(result)
    sent = cast("JsonObject", request["object"])
    outcome = _outcome(result, sent, str(request["uid"]), minor)
    if outcome.kind is OutcomeKind.CALL_FAILED and result.trial.chain is Chain.IGNORE:
        return Outcome(kind=OutcomeKind.PASSED, pod=sent)
    return outcome


def emulate_review(result: Result, minor: Minor) -> bytes:
    """The body the product sends for the pod, the user and the uid of a real review."""
    request = _request(result)
    options = ReviewOptions(
        api_server=minor,
        uid=str(request["uid"]),
        version=VERSIONS.get(result.trial.chain, "v1"),
        namespace=str(request["namespace"]),
        name=str(request.get("name", "")),
        user=cast("UserInfo", request["userInfo"]),
        field_manager=MANAGER,
    )
    return encode_review(build_review(cast("JsonObject", request["object"]), options))


def _request(result: Result) -> JsonObject:
    return cast("JsonObject", orjson.loads(result.review)["request"])


def _outcome(result: Result, sent: JsonObject, uid: str, minor: Minor) -> Outcome:
    if result.trial.status not in ACCEPTED_STATUSES:
        return Outcome(kind=OutcomeKind.CALL_FAILED)
    version = VERSIONS.get(result.trial.chain, "v1")
    answer = read_answer(result.trial.respond(uid), uid=uid, version=version, api_server=minor)
    if isinstance(answer, InvalidAnswer):
        failed = answer.server_error is ServerError.CALLING_WEBHOOK
        # The words of Go's JSON scanner are not promised.
        return Outcome(kind=OutcomeKind.CALL_FAILED if failed else OutcomeKind.INTERNAL)
    if not answer.allowed:
        outcome = Outcome(kind=OutcomeKind.DENIED, code=answer.code, message=answer.message)
    elif answer.patch is None:
        outcome = Outcome(kind=OutcomeKind.PASSED, pod=sent)
    else:
        outcome = _patched(sent, answer.patch, minor)
    return replace(outcome, warnings=answer.warnings)


def _patched(sent: JsonObject, patch: Patch, minor: Minor) -> Outcome:
    try:
        patched = apply_patch(sent, patch, json_patch=json_patch_version(minor))
    except PatchError as error:
        kind = OutcomeKind.PANIC if error.panics else OutcomeKind.INTERNAL
        return Outcome(kind=kind, code=500, message=INTERNAL + error.message)
    decoded = decode_object(patched, load_catalogue().schema(minor), reuse=sent)
    if isinstance(decoded, DecodeError):
        # Which Go type refused it is worded as well as it can be known, and not promised.
        return Outcome(kind=OutcomeKind.INTERNAL)
    defaulted = default_patched_pod(decoded.value, reuse=sent)
    pod = as_written(as_defaulted_by(minor, decoded.value, defaulted), minor)
    return Outcome(kind=OutcomeKind.PASSED, pod=pod)
