"""What does a webhook look like that does everything right?

Any finding on one of these is a false alarm. They edit the raw JSON or write their operations by
hand; `perfect-index-diff` is right although its patch looks wrong: prepending and comparing by
index removes and replaces members of the first container only to put them back one further.
"""

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.specimens.index_patches import diff, join
from webhook_fuzz.fuzzer.specimens.injections import (
    CONTAINER_LISTS,
    annotation_patch,
    edited,
    elements,
    injected_container,
    insertion_patch,
    mark_patch,
)
from webhook_fuzz.fuzzer.specimens.programs import Specimen
from webhook_fuzz.fuzzer.specimens.replies import Patch, patch_once

_VOLUME: JsonObject = {"name": "specimen-scratch", "emptyDir": {}}


def surgical_patch(pod: JsonObject, *, first: bool = False) -> Patch:
    """An init container, an annotation, a label and a volume, one operation each."""
    init = injected_container("specimen-init")
    return [
        *mark_patch(pod),
        *annotation_patch(pod, "specimen.example/injected-by", "webhook-fuzz"),
        *insertion_patch(pod, "initContainers", init, first=first),
        *insertion_patch(pod, "volumes", _VOLUME, first=False),
    ]


def _prepend(pod: JsonObject) -> Patch:
    agent = injected_container("specimen-agent")
    return [
        *surgical_patch(pod, first=True),
        *insertion_patch(pod, "containers", agent, first=True),
    ]


def _raw_diff(pod: JsonObject) -> Patch:
    """Edit the raw JSON and say what was inserted, element by element."""
    changed = edited(pod, first=True)
    patch = diff(pod.get("metadata", {}), changed["metadata"], "/metadata")
    for name in CONTAINER_LISTS:
        patch += _inserted(elements(pod, name), elements(changed, name), join("/spec", name))
    return patch


def _inserted(before: list[JsonObject], after: list[JsonObject], path: str) -> Patch:
    if not before:
        value: list[JsonValue] = [*after]
        return [{"op": "add", "path": path, "value": value}]
    return [
        {"op": "add", "path": join(path, index), "value": element}
        for index, element in enumerate(after)
        if element not in before
    ]


SPECIMENS = (
    Specimen(
        name="perfect",
        description="Appends an init container and a volume, adds a label and an annotation, "
        "and touches nothing else.",
        program=patch_once(surgical_patch),
    ),
    Specimen(
        name="perfect-prepend",
        description="The same, with the init container and a container put first.",
        program=patch_once(_prepend),
    ),
    Specimen(
        name="perfect-raw",
        description="Edits the raw JSON, then compares raw with raw, element by element.",
        program=patch_once(_raw_diff),
    ),
    Specimen(
        name="perfect-index-diff",
        description="Edits the raw JSON, puts containers first and compares by index: the patch "
        "looks destructive, the pod is right.",
        program=patch_once(lambda pod: diff(pod, edited(pod, first=True))),
    ),
)
