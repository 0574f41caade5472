"""How do webhooks damage what they know?

Faults that need no new field: values, elements and annotations that are overwritten, removed or
put in another order, and patches larger than their purpose. All edit raw JSON, so that nothing
else is lost.
"""

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.specimens.index_patches import join
from webhook_fuzz.fuzzer.specimens.injections import CONTAINER_LISTS, elements, mark_patch
from webhook_fuzz.fuzzer.specimens.programs import Specimen
from webhook_fuzz.fuzzer.specimens.replies import Patch, build_response, patch_once, pod_of, reply


def _removes_element(pod: JsonObject) -> Patch:
    """Remove the first environment variable found in a container."""
    patch = mark_patch(pod)
    for index, container in enumerate(elements(pod, "containers")):
        if container.get("env"):
            return [*patch, {"op": "remove", "path": f"/spec/containers/{index}/env/0"}]
    return patch


def _loses_annotations(pod: JsonObject) -> Patch:
    annotations: JsonObject = {"specimen.example/injected-by": "webhook-fuzz"}
    return [*mark_patch(pod), {"op": "add", "path": "/metadata/annotations", "value": annotations}]


def _overwrites_value(pod: JsonObject) -> Patch:
    patch = mark_patch(pod)
    for index, container in enumerate(elements(pod, "containers")):
        image = f"mirror.example/{container.get('image')}"
        patch.append({"op": "replace", "path": f"/spec/containers/{index}/image", "value": image})
    return patch


def _replaces_spec(pod: JsonObject) -> Patch:
    spec = pod.get("spec")
    known = spec if isinstance(spec, dict) else {}
    selector = known.get("nodeSelector")
    nodes = {**(selector if isinstance(selector, dict) else {}), "specimen.example/pool": "a"}
    value: JsonObject = {**known, "nodeSelector": nodes}
    return [*mark_patch(pod), {"op": "replace", "path": "/spec", "value": value}]


def _recreates(pod: JsonObject) -> Patch:
    """Remove the first container and add it, unchanged, where it was."""
    patch, path = mark_patch(pod), "/spec/containers/0"
    for container in elements(pod, "containers")[:1]:
        patch.append({"op": "remove", "path": path})
        patch.append({"op": "add", "path": path, "value": container})
    return patch


def _reorders(pod: JsonObject) -> Patch:
    """Move the first element of the first list with several to its end."""
    patch = mark_patch(pod)
    for name in CONTAINER_LISTS:
        if len(elements(pod, name)) > 1:
            path = join("/spec", name)
            return [*patch, {"op": "move", "from": join(path, 0), "path": join(path, "-")}]
    return patch


def _ghost_element(pod: JsonObject) -> Patch:
    """A container with nothing but an environment variable, meant for one that is not there."""
    ghost: JsonObject = {"env": [{"name": "SPECIMEN", "value": "injected"}]}
    return [*mark_patch(pod), {"op": "add", "path": "/spec/containers/-", "value": ghost}]


def _needless_patch(pod: JsonObject) -> Patch:
    return [
        {"op": "replace", "path": "/spec/containers/0/image", "value": container.get("image")}
        for container in elements(pod, "containers")[:1]
    ]


SPECIMENS = (
    Specimen(
        name="removes-element",
        description="Removes an environment variable.",
        program=patch_once(_removes_element),
        expected_codes=frozenset({"WF105"}),
        possible_codes=frozenset({"WF102", "WF103", "WF108"}),  # what the variable carried
    ),
    Specimen(
        name="loses-annotations",
        description="Sets its annotation by replacing all annotations.",
        program=patch_once(_loses_annotations),
        expected_codes=frozenset({"WF106"}),
        possible_codes=frozenset({"WF202"}),
    ),
    Specimen(
        name="overwrites-value",
        description="Points every image at a mirror.",
        program=patch_once(_overwrites_value),
        expected_codes=frozenset({"WF107"}),
    ),
    Specimen(
        name="replaces-spec",
        description="Sends the whole spec to add a node selector; nothing is lost today.",
        program=patch_once(_replaces_spec),
        expected_codes=frozenset({"WF201"}),
    ),
    Specimen(
        name="recreates-element",
        description="Removes a container and adds it unchanged.",
        program=patch_once(_recreates),
        expected_codes=frozenset({"WF203"}),
    ),
    Specimen(
        name="reorders",
        description="Moves the first init container, or container, to the end.",
        program=patch_once(_reorders),
        expected_codes=frozenset({"WF204"}),
    ),
    Specimen(
        name="ghost-element",
        description="Adds a container without name and image.",
        program=patch_once(_ghost_element),
        expected_codes=frozenset({"WF206"}),
        possible_codes=frozenset({"WF308"}),
    ),
    Specimen(
        name="needless-patch",
        description="Replaces an image by itself.",
        # No mark: the mark would be a change.
        program=lambda review: reply(build_response(review, _needless_patch(pod_of(review)))),
        expected_codes=frozenset({"WF207"}),
    ),
)
