"""What does a pod look like with a trigger on it?

Pure: the pod given is not changed, and the answer shares with it what the trigger leaves alone.
Apply triggers before API defaulting: a container that is appended carries only what it says.
"""

from collections.abc import Mapping

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.triggers.merging import EVERY_CONTAINER, merge_objects


def apply_trigger(pod: JsonObject, trigger: Trigger) -> JsonObject:
    """`pod` with the trigger's labels, annotations, service account, namespace, image and spec.

    `namespace_labels` change nothing here: they are the namespace's. The image goes into the
    containers the pod has, not into those `spec` appends. The pod itself is returned when the
    trigger has nothing to add.
    """
    additions: list[JsonObject] = [
        _metadata(trigger),
        _service_account(pod, trigger),
        _image(trigger),
        {"spec": trigger.spec} if trigger.spec else {},
    ]
    for addition in filter(None, additions):
        pod = merge_objects(pod, addition)
    return pod


def _metadata(trigger: Trigger) -> JsonObject:
    metadata: JsonObject = {}
    if trigger.labels:
        metadata["labels"] = _strings(trigger.labels)
    if trigger.annotations:
        metadata["annotations"] = _strings(trigger.annotations)
    if trigger.namespace is not None:
        metadata["namespace"] = trigger.namespace
    return {"metadata": metadata} if metadata else {}


def _service_account(pod: JsonObject, trigger: Trigger) -> JsonObject:
    """The deprecated `serviceAccount` mirrors the name in every pod the API server sends."""
    name = trigger.service_account_name
    if name is None:
        return {}
    spec = pod.get("spec")
    mirrored: JsonObject = {"serviceAccount": name}
    is_mirrored = isinstance(spec, dict) and "serviceAccount" in spec
    return {"spec": {"serviceAccountName": name, **(mirrored if is_mirrored else {})}}


def _image(trigger: Trigger) -> JsonObject:
    if trigger.image is None:
        return {}
    everywhere: list[JsonValue] = [{"name": EVERY_CONTAINER, "image": trigger.image}]
    return {"spec": {"containers": everywhere, "initContainers": everywhere}}


def _strings(values: Mapping[str, str]) -> JsonObject:
    return dict(values)
