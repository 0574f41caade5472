"""How do webhooks break the conversation with the API server?

Unreachable in time, wrong status, an answer that is no AdmissionReview, a patch the API server
cannot apply or decode, and refusals because of a field the webhook does not know.
"""

import base64

import orjson

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.specimens.faultless import surgical_patch
from webhook_fuzz.fuzzer.specimens.injections import CONTAINER_LISTS, elements, mark_patch
from webhook_fuzz.fuzzer.specimens.programs import Answer, Specimen
from webhook_fuzz.fuzzer.specimens.replies import (
    Patch,
    build_response,
    denial,
    patch_once,
    pod_of,
    reply,
)

# Longer than the longest timeoutSeconds (30) with the API server's deadline for all webhooks (34).
_NEVER_SECONDS = 60.0
# More than any answer limit in use.
_PADDING_BYTES = 64 * 1024 * 1024

_surgical = patch_once(surgical_patch)


def _slow(review: JsonObject) -> Answer:
    return Answer(body=_surgical(review).body, delay_seconds=_NEVER_SECONDS)


def _http_500(_: JsonObject) -> Answer:
    return Answer(body=b"internal error\n", status=500, content_type="text/plain")


def _answers_html(_: JsonObject) -> Answer:
    return Answer(body=b"<html><body>Sign in</body></html>\n", content_type="text/html")


def _wrong_uid(review: JsonObject) -> Answer:
    response = build_response(review, surgical_patch(pod_of(review)))
    return reply({**response, "uid": "00000000-0000-0000-0000-000000000000"})


def _no_patch_type(review: JsonObject) -> Answer:
    patch = base64.b64encode(orjson.dumps(surgical_patch(pod_of(review)))).decode()
    return reply({**build_response(review), "patch": patch})


def _invalid_patch(pod: JsonObject) -> Patch:
    return [*mark_patch(pod), {"op": "remove", "path": "/spec/specimenIsNotHere"}]


def _undecodable_result(pod: JsonObject) -> Patch:
    path = "/spec/terminationGracePeriodSeconds"
    return [*mark_patch(pod), {"op": "add", "path": path, "value": "30"}]


def _adds_unknown_field(pod: JsonObject) -> Patch:
    return [*surgical_patch(pod), {"op": "add", "path": "/spec/sidecarPolicy", "value": "Always"}]


def _denies_new_field(review: JsonObject) -> Answer:
    spec = pod_of(review).get("spec")
    if isinstance(spec, dict) and "hostnameOverride" in spec:
        return denial(review, "unknown field spec.hostnameOverride")
    return _surgical(review)


def _crashes_on_new_field(review: JsonObject) -> Answer:
    pod = pod_of(review)
    containers = [it for name in CONTAINER_LISTS for it in elements(pod, name)]
    if any("restartPolicyRules" in container for container in containers):
        return Answer(
            body=b"panic: runtime error: index out of range [0] with length 0\n",
            status=500,
            content_type="text/plain",
        )
    return _surgical(review)


def _oversized_answer(review: JsonObject) -> Answer:
    return Answer(body=_surgical(review).body, padding_bytes=_PADDING_BYTES)


def _unescaped_pointer(pod: JsonObject) -> Patch:
    """The `/` of an annotation's key separates two steps of the path, and the first is missing."""
    path = "/metadata/annotations/specimen.example/injected-by"
    return [*surgical_patch(pod), {"op": "add", "path": path, "value": "webhook-fuzz"}]


def _misescaped_pointer(pod: JsonObject) -> Patch:
    """Escaped in the wrong order: `/` to `~1`, then its `~` to `~0`; another key appears."""
    key = "specimen.example/escaped".replace("/", "~1").replace("~", "~0")
    path = f"/metadata/annotations/{key}"
    return [*surgical_patch(pod), {"op": "add", "path": path, "value": "webhook-fuzz"}]


SPECIMENS = (
    Specimen(
        name="slow",
        description="Never answers within any timeout.",
        program=_slow,
        expected_codes=frozenset({"WF001"}),
    ),
    Specimen(
        name="http-500",
        description="Answers every review with status 500.",
        program=_http_500,
        expected_codes=frozenset({"WF002"}),
    ),
    Specimen(
        name="answers-html",
        description="Answers with a web page and status 200, as a login proxy would.",
        program=_answers_html,
        expected_codes=frozenset({"WF003"}),
    ),
    Specimen(
        name="wrong-uid",
        description="Does not echo the uid of the request.",
        program=_wrong_uid,
        expected_codes=frozenset({"WF003"}),
    ),
    Specimen(
        name="no-patch-type",
        description="Sends a patch without patchType.",
        program=_no_patch_type,
        expected_codes=frozenset({"WF004"}),
    ),
    Specimen(
        name="invalid-patch",
        description="Removes a member that is not there: the patch does not apply.",
        program=patch_once(_invalid_patch),
        expected_codes=frozenset({"WF005"}),
    ),
    Specimen(
        name="undecodable-result",
        description='Sets terminationGracePeriodSeconds to the text "30".',
        program=patch_once(_undecodable_result),
        expected_codes=frozenset({"WF006"}),
    ),
    Specimen(
        name="denies-new-field",
        description="Denies pods with spec.hostnameOverride, which it does not know.",
        program=_denies_new_field,
        expected_codes=frozenset({"WF007"}),
    ),
    Specimen(
        name="crashes-on-new-field",
        description="Answers 500 to containers with restartPolicyRules.",
        program=_crashes_on_new_field,
        expected_codes=frozenset({"WF008"}),
        possible_codes=frozenset({"WF002"}),  # what a single call shows
    ),
    Specimen(
        name="adds-unknown-field",
        description="Adds spec.sidecarPolicy, which no API server knows: dropped without a word.",
        program=patch_once(_adds_unknown_field),
        expected_codes=frozenset({"WF009"}),
    ),
    Specimen(
        name="unescaped-pointer",
        description="Leaves the / of an annotation's key unescaped in a path.",
        program=patch_once(_unescaped_pointer),
        expected_codes=frozenset({"WF010"}),
        possible_codes=frozenset({"WF005"}),
    ),
    Specimen(
        name="misescaped-pointer",
        description="Escapes an annotation's key in the wrong order: another key appears.",
        program=patch_once(_misescaped_pointer),
        expected_codes=frozenset({"WF010"}),
        possible_codes=frozenset({"WF308"}),
    ),
    Specimen(
        name="oversized-answer",
        description="Sends 64 MiB of blanks after its answer.",
        program=_oversized_answer,
        expected_codes=frozenset({"WF403"}),
    ),
)
