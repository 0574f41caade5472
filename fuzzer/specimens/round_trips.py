"""How do webhooks lose the fields they do not know?

The mechanisms seen in real webhooks, each emulated with the types of one Kubernetes minor:
decoding, changing and marshalling the whole pod; replacing or re-creating the lists they change;
and dropping the `remove` operations afterwards, which looks like a cure and moves values to the
wrong container.
"""

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.specimens.index_patches import diff, join
from webhook_fuzz.fuzzer.specimens.injections import (
    CONTAINER_LISTS,
    edited,
    elements,
    mark_patch,
)
from webhook_fuzz.fuzzer.specimens.programs import Specimen
from webhook_fuzz.fuzzer.specimens.replies import Patch, Patching, patch_once
from webhook_fuzz.fuzzer.specimens.typed_models import decode, marshal, round_trip

_CONTAINER_SCOPE = tuple(f"spec.{name}[]" for name in CONTAINER_LISTS)
_ENVIRONMENT: JsonObject = {"name": "SPECIMEN", "value": "injected"}


def typed_round_trip(minor: Minor) -> Patching:
    """Decode, inject, marshal, and diff the original bytes with the result.

    controller-runtime `admission.PatchResponseFromRaw`, kubewebhook, and everything hand-written
    after them.
    """
    return lambda pod: diff(pod, marshal(edited(decode(pod, minor), first=False), minor))


def _list_replacement(minor: Minor) -> Patching:
    """Add an environment variable to every container and send the lists as a whole."""

    def patching(pod: JsonObject) -> Patch:
        patch = mark_patch(pod)
        for name, containers in _typed_lists(pod, minor).items():
            for container in containers:
                env = container.get("env")
                container["env"] = [*(env if isinstance(env, list) else []), _ENVIRONMENT]
            value: list[JsonValue] = [*containers]
            patch.append({"op": "add", "path": join("/spec", name), "value": value})
        return patch

    return patching


def _remove_and_re_add(minor: Minor) -> Patching:
    """Remove every container and add it again, as the types of `minor` know it."""

    def patching(pod: JsonObject) -> Patch:
        patch = mark_patch(pod)
        for name, containers in _typed_lists(pod, minor).items():
            path = join("/spec", name)
            for index in reversed(range(len(containers))):
                patch.append({"op": "remove", "path": join(path, index)})
            for container in containers:
                patch.append({"op": "add", "path": join(path, "-"), "value": container})
        return patch

    return patching


def _typed_lists(pod: JsonObject, minor: Minor) -> dict[str, list[JsonObject]]:
    typed = round_trip(pod, minor)
    lists = {name: elements(typed, name) for name in CONTAINER_LISTS}
    return {name: containers for name, containers in lists.items() if containers}


def _prepend_with_migration(minor: Minor) -> Patching:
    """Prepend containers and keep unknown fields by dropping their `remove` operations.

    controller-runtime >= 0.20 `CustomDefaulter` (defaulter_custom.go dropSchemeRemovals): removals
    that decoding alone would cause are dropped. Lists are compared by index, so after prepending
    the unknown fields stay at the index and belong to another container.
    """

    def patching(pod: JsonObject) -> Patch:
        decoded = round_trip(pod, minor)
        patch = diff(pod, marshal(edited(decode(pod, minor), first=True), minor))
        by_decoding = [op for op in diff(pod, decoded) if op["op"] == "remove"]
        return [op for op in patch if op["op"] != "remove" or op not in by_decoding]

    return patching


_LOSSES = frozenset({"WF101", "WF102", "WF103", "WF108"})
# What decoding and marshalling leaves behind in a patch; whether it shows depends on the pod.
_TRACES = frozenset({"WF205"})

V1_25, V1_27, V1_32, V1_33 = Minor(1, 25), Minor(1, 27), Minor(1, 32), Minor(1, 33)

SPECIMENS = (
    Specimen(
        name="typed-round-trip-1.27",
        description="Decodes the pod into the types of 1.27 and marshals it back: every newer "
        "field is lost, native sidecars become plain init containers.",
        program=patch_once(typed_round_trip(V1_27)),
        expected_codes=_LOSSES | _TRACES,
        loses_since=V1_27,
    ),
    Specimen(
        name="typed-round-trip-1.33",
        description="The same program built with newer types: sidecars survive, what came after "
        "1.33 is lost.",
        program=patch_once(typed_round_trip(V1_33)),
        expected_codes=(_LOSSES | _TRACES) - {"WF101"},
        loses_since=V1_33,
    ),
    Specimen(
        name="list-replacement",
        description="Sends the whole lists of containers again, as the types of 1.25 know them: "
        "only fields of containers are lost.",
        program=patch_once(_list_replacement(V1_25)),
        expected_codes=_LOSSES | {"WF202"},
        possible_codes=_TRACES,
        loses_since=V1_25,
        loss_scope=_CONTAINER_SCOPE,
    ),
    Specimen(
        name="remove-and-re-add",
        description="Removes every container and adds it again, as the types of 1.27 know it.",
        program=patch_once(_remove_and_re_add(V1_27)),
        expected_codes=_LOSSES | {"WF203"},
        possible_codes=_TRACES,
        loses_since=V1_27,
        loss_scope=_CONTAINER_SCOPE,
    ),
    Specimen(
        name="prepend-with-migration",
        description="Prepends containers, compares by index and drops the removals of unknown "
        "fields (types of 1.32): values move to the wrong container.",
        program=patch_once(_prepend_with_migration(V1_32)),
        expected_codes=frozenset({"WF104"}),
        possible_codes=frozenset({"WF102", "WF103", "WF107", "WF108"}) | _TRACES,
        loss_scope=_CONTAINER_SCOPE,
    ),
)
