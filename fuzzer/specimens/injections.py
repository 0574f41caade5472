"""What do these webhooks inject, and where is it in a pod?

An init container, a container, a volume, a label: complete with the values the API server would
default, so that nothing about them differs when a webhook is called with its own output.
"""

from copy import deepcopy

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.specimens.index_patches import join
from webhook_fuzz.fuzzer.specimens.replies import MARK, MARK_VALUE, Patch

CONTAINER_LISTS = ("initContainers", "containers")


def injected_container(name: str) -> JsonObject:
    """A container as the API server would store it."""
    return {
        "name": name,
        "image": "registry.example/specimen:1.0",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def member(parent: JsonObject, name: str) -> JsonObject:
    """The object at `name`, made where there is none."""
    found = parent.get(name)
    if not isinstance(found, dict):
        found = {}
        parent[name] = found
    return found


def elements(pod: JsonObject, name: str) -> list[JsonObject]:
    """The elements of a list of the spec, themselves and not copies; empty where there is none."""
    spec = pod.get("spec")
    found = spec.get(name) if isinstance(spec, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def mark(pod: JsonObject) -> None:
    """Label the pod as acted upon, in place."""
    member(member(pod, "metadata"), "labels")[MARK] = MARK_VALUE


def insert(pod: JsonObject, name: str, element: JsonObject, *, first: bool = False) -> None:
    """Put `element` at the end, or the beginning, of a list of the spec, in place."""
    spec = member(pod, "spec")
    found = spec.get(name)
    before: list[JsonValue] = found if isinstance(found, list) else []
    spec[name] = [element, *before] if first else [*before, element]


def edited(pod: JsonObject, *, first: bool) -> JsonObject:
    """A copy of the pod with the label, an init container and a container."""
    result = deepcopy(pod)
    mark(result)
    insert(result, "initContainers", injected_container("specimen-init"), first=first)
    insert(result, "containers", injected_container("specimen-agent"), first=first)
    return result


def mark_patch(pod: JsonObject) -> Patch:
    """The operation that adds the label and touches nothing else."""
    return [_add_entry(pod, "labels", MARK, MARK_VALUE)]


def annotation_patch(pod: JsonObject, key: str, value: str) -> Patch:
    """The operation that adds an annotation and touches nothing else."""
    return [_add_entry(pod, "annotations", key, value)]


def insertion_patch(pod: JsonObject, name: str, element: JsonObject, *, first: bool) -> Patch:
    """The operation that puts an element into a list of the spec and touches nothing else."""
    path = join("/spec", name)
    if not elements(pod, name):
        return [{"op": "add", "path": path, "value": [element]}]
    return [{"op": "add", "path": join(path, 0 if first else "-"), "value": element}]


def _add_entry(pod: JsonObject, name: str, key: str, value: str) -> JsonObject:
    metadata = pod.get("metadata")
    path = join("/metadata", name)
    if isinstance(metadata, dict) and isinstance(metadata.get(name), dict):
        return {"op": "add", "path": join(path, key), "value": value}
    return {"op": "add", "path": path, "value": {key: value}}
