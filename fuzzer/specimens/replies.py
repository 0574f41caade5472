"""How does a webhook answer an AdmissionReview correctly?

The other modules do one thing wrong on top of these. Shapes: admission.k8s.io/v1
AdmissionResponse; `patch` is base64 of a JSON Patch (RFC 6902).
"""

import base64
from collections.abc import Callable
from typing import TypeAlias

import orjson

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program

Patch: TypeAlias = list[JsonObject]
Patching: TypeAlias = Callable[[JsonObject], Patch]

# Every specimen leaves this label and does nothing to a pod that has it: a webhook must survive
# being called with its own output.
MARK = "webhook-fuzz.dev/specimen"
MARK_VALUE = "acted"


def request_of(review: JsonObject) -> JsonObject:
    """`request` of a review; empty where there is none."""
    request = review.get("request")
    return request if isinstance(request, dict) else {}


def pod_of(review: JsonObject) -> JsonObject:
    """The pod that is reviewed; empty for a review without an object (DELETE)."""
    pod = request_of(review).get("object")
    return pod if isinstance(pod, dict) else {}


def build_response(review: JsonObject, patch: Patch | None = None) -> JsonObject:
    """An allowing `response`, with a patch unless that is empty."""
    response: JsonObject = {"uid": request_of(review).get("uid", ""), "allowed": True}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(patch)).decode()
    return response


def reply(response: JsonObject) -> Answer:
    """The answer whose `response` this is."""
    review: JsonObject = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    }
    return Answer(body=orjson.dumps(review))


def denial(review: JsonObject, message: str) -> Answer:
    """An answer that rejects the pod."""
    uid = request_of(review).get("uid", "")
    return reply({"uid": uid, "allowed": False, "status": {"code": 403, "message": message}})


def is_marked(pod: JsonObject) -> bool:
    """Whether a specimen has already acted on this pod."""
    metadata = pod.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return isinstance(labels, dict) and labels.get(MARK) == MARK_VALUE


def patch_once(patching: Patching) -> Program:
    """A program that patches pods with `patching`, and leaves alone what it has patched."""

    def program(review: JsonObject) -> Answer:
        pod = pod_of(review)
        done = not pod or is_marked(pod)
        return reply(build_response(review, [] if done else patching(pod)))

    return program
