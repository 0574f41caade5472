"""Observations made by hand: a pod, what a webhook answers to it, and what the checks say."""

import base64
from collections.abc import Sequence
from typing import TypeAlias

import orjson

from fakes import IDENTITY
from webhook_fuzz.corpora.exchanges import Answered, Exchange, Outcome
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation

UID = "3b241101-e2bb-4255-8caf-4136c566a962"
NEWEST = Minor(1, 37)

Operation: TypeAlias = dict[str, JsonValue]


def container(name: str, **more: JsonValue) -> JsonObject:
    """A container with an image, and nothing else the API server would not write."""
    return {"name": name, "image": f"registry.example.com/{name}:1", "resources": {}, **more}


def pod(*, metadata: JsonObject | None = None, **spec: JsonValue) -> JsonObject:
    """A defaulted pod with one app container, unless told otherwise."""
    return default_pod(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": "default", **(metadata or {})},
            "spec": {"containers": [container("app")], **spec},
            "status": {},
        }
    )


def add(path: str, value: JsonValue) -> Operation:
    """An `add` operation."""
    return {"op": "add", "path": path, "value": value}


def replace(path: str, value: JsonValue) -> Operation:
    """A `replace` operation."""
    return {"op": "replace", "path": path, "value": value}


def remove(path: str) -> Operation:
    """A `remove` operation."""
    return {"op": "remove", "path": path}


def answer(patch: Sequence[Operation] | None = None, **response: JsonValue) -> Answered:
    """An allowing answer with a patch; members of the response can be set otherwise."""
    members: JsonObject = {"uid": UID, "allowed": True}
    if patch is not None:
        members["patchType"] = "JSONPatch"
        members["patch"] = base64.b64encode(orjson.dumps(patch)).decode()
    review: JsonObject = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {**members, **response},
    }
    return Answered(status=200, content_type="application/json", body=orjson.dumps(review))


def observe(
    sent: JsonObject,
    answered: Sequence[Operation] | Outcome,
    *,
    trigger: Trigger = NO_TRIGGER,
    target: Minor = NEWEST,
) -> Observation:
    """What came of sending a pod; a list is a patch that is answered."""
    outcome = answer(answered) if isinstance(answered, Sequence) else answered
    review = build_review(sent, ReviewOptions(api_server=target, uid=UID))
    return Observation(
        exchange=Exchange(webhook=IDENTITY, review=review, outcome=outcome, seconds=0.01),
        catalogue=load_catalogue(),
        target=target,
        trigger=trigger,
    )


def findings(
    sent: JsonObject,
    answered: Sequence[Operation] | Outcome,
    *,
    trigger: Trigger = NO_TRIGGER,
    target: Minor = NEWEST,
) -> tuple[Finding, ...]:
    """What all checks find."""
    return tuple(run_checks(observe(sent, answered, trigger=trigger, target=target)))


def told(found: Sequence[Finding]) -> list[tuple[str, str | None]]:
    """The code and keyed path of each finding."""
    return [(finding.code, finding.path) for finding in found]
