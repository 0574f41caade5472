"""What was a pod's container meant to be, before the API server and the webhooks had their turn?

Three witnesses: the manifest kubectl applied (an annotation), the template of the owner, and
managedFields, in which the API server notes the client's fields before any webhook is asked and
which no webhook changes (k8s.io/apiserver pkg/endpoints/handlers/create.go: UpdateNoErrors before
Admit).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import named, object_at, objects_at, text_at

ALWAYS = "Always"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Where a manifest has a pod spec: a Pod, a workload, a CronJob.
_SPECS = (
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("spec",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Something that has restartPolicy Always for the container; `words` name it for people.

    `reached_pod` says that the next step from it is the pod itself: the template of the nearest
    owner, or the manifest of a pod that nobody owns.
    """

    words: str
    reached_pod: bool


def find_origin(pod: JsonObject, container: str, owners: Sequence[JsonObject]) -> Origin | None:
    """The nearest witness that the container was meant to be a native sidecar."""
    return next(_origins(pod, container, owners), None)


def _origins(pod: JsonObject, container: str, owners: Sequence[JsonObject]) -> Iterator[Origin]:
    for distance, owner in enumerate(owners):
        if _has_sidecar(owner, container):
            words = f"The template of {_describe(owner)}"
            yield Origin(words=words, reached_pod=distance == 0)
    for holder in (*owners, pod):
        if _has_sidecar(_applied(holder), container):
            words = f"The manifest last applied to {_describe(holder)}"
            yield Origin(words=words, reached_pod=holder is pod)


def template_of(owners: Sequence[JsonObject]) -> JsonObject | None:
    """The pod spec in the template of the nearest owner; None when there is none."""
    return next((found for owner in owners if (found := object_at(owner, *_SPECS[0]))), None)


def is_noted(pod: JsonObject, container: str) -> bool:
    """Whether some client's managed fields hold the container's restartPolicy."""
    key = 'k:{"name":' + orjson.dumps(container).decode() + "}"
    members = ("fieldsV1", "f:spec", "f:initContainers", key)
    return any("f:restartPolicy" in object_at(entry, *members) for entry in _notes(pod))


def has_notes(pod: JsonObject) -> bool:
    """Whether managedFields tell of the pod's creation at all."""
    return any(object_at(entry, "fieldsV1", "f:spec", "f:containers") for entry in _notes(pod))


def _notes(pod: JsonObject) -> list[JsonObject]:
    return objects_at(object_at(pod, "metadata"), "managedFields")


def _has_sidecar(holder: JsonObject, container: str) -> bool:
    specs = (object_at(holder, *members) for members in _SPECS)
    found = (dict(named(spec, "initContainers")).get(container, {}) for spec in specs)
    return any(each.get("restartPolicy") == ALWAYS for each in found)


def _applied(holder: JsonObject) -> JsonObject:
    text = text_at(object_at(holder, "metadata", "annotations"), _APPLIED)
    try:
        found: JsonValue = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _describe(holder: JsonObject) -> str:
    kind = text_at(holder, "kind") or "Pod"
    return f"{kind} {text_at(object_at(holder, 'metadata'), 'name')}"
