"""What are the measurements made on?

Shipped seed pods of around 7 kB, the size of a pod with a sidecar or two; the answers of a webhook
that injects one the usual way; and the plan of a sweep with every shipped trigger.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import orjson

from webhook_fuzz.corpora.exchanges import Answered, Exchange, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.corpora.triggers.loading import load_shipped_triggers
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.plans import Plan, build_plan
from webhook_fuzz.fuzzer.specimens.injections import (
    annotation_patch,
    elements,
    injected_container,
    insertion_patch,
    mark_patch,
)
from webhook_fuzz.fuzzer.specimens.programs import Program
from webhook_fuzz.fuzzer.specimens.replies import patch_once

TARGET = Minor(1, 37)
_SEEDS = ("mesh", "native-sidecars", "vault")
_UID = "00000000-0000-4000-8000-000000000000"


def pods() -> list[JsonObject]:
    """Three seed pods of 6 to 8 kB, defaulted."""
    return [default_pod(shipped_seed(name).pod) for name in _SEEDS]


def injection_patch(pod: JsonObject) -> list[JsonObject]:
    """Eight operations: label, annotation, two containers, two volumes, variable and mount."""
    tokens: JsonObject = {"name": "tokens", "emptyDir": {"medium": "Memory"}}
    settings: JsonObject = {"name": "settings", "configMap": {"name": "agent", "defaultMode": 420}}
    mount: JsonObject = {"name": "tokens", "mountPath": "/var/run/tokens", "readOnly": True}
    return [
        *mark_patch(pod),
        *annotation_patch(pod, "agent.example/status", "injected"),
        *insertion_patch(pod, "initContainers", injected_container("agent-init"), first=True),
        *insertion_patch(pod, "containers", injected_container("agent"), first=False),
        *insertion_patch(pod, "volumes", tokens, first=False),
        *insertion_patch(pod, "volumes", settings, first=False),
        _appended(pod, "env", {"name": "AGENT_ADDRESS", "value": "https://agent.example"}),
        _appended(pod, "volumeMounts", mount),
    ]


def surgical_injection() -> Program:
    """A webhook that answers with `injection_patch`."""
    return patch_once(injection_patch)


def answer_reviews(program: Program, sent: Sequence[JsonObject]) -> list[Exchange]:
    """One exchange a pod: the review as the API server builds it, the program's answer in bytes."""
    webhook = WebhookIdentity(configuration="benchmarks", name="measured", url="")
    options = ReviewOptions(api_server=TARGET, uid=_UID)
    return [
        Exchange(
            webhook=webhook,
            review=review,
            outcome=Answered(
                status=200, content_type="application/json", body=program(review).body
            ),
            seconds=0.0,
        )
        for review in (build_review(pod, options) for pod in sent)
    ]


def patch_of(body: bytes) -> list[JsonObject]:
    """The operations in an answer, read without any of our own code."""
    encoded = orjson.loads(body)["response"].get("patch", "W10=")  # "[]"
    operations: list[JsonObject] = orjson.loads(base64.b64decode(encoded))
    return operations


def sweep_plan(triggers: int | None) -> Plan:
    """The plan for the target with the first so many shipped triggers, or all of them."""
    plan = _whole_plan()
    return replace(plan, triggers=plan.triggers[:triggers])


@cache
def _whole_plan() -> Plan:
    return build_plan(TARGET, triggers=load_shipped_triggers())


def _appended(pod: JsonObject, name: str, element: JsonObject) -> JsonObject:
    """The operation that appends to a list of the first container, or makes it."""
    path = f"/spec/containers/0/{name}"
    if elements(pod, "containers")[0].get(name):
        return {"op": "add", "path": f"{path}/-", "value": element}
    whole: list[JsonValue] = [element]
    return {"op": "add", "path": path, "value": whole}
