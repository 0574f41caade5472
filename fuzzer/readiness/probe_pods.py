"""Which pod shows whether a feature's field comes through admission?

The smallest one that the API server accepts and that carries every field behind the gate that has a
shipped probe. It asks for little and gives up every privilege, so that PodSecurity `restricted`,
quotas and limits are met where the field allows it. It is only ever sent as a dry run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, objects_at
from webhook_fuzz.corpora.probes.loading import InitKind, Probe, load_probes
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.generation.drafts import SIDECAR, Draft, Slot, plain_container
from webhook_fuzz.fuzzer.readiness.pod_explanations import find_fields

_NAME = "webhook-fuzz-probe-"
_APP = "app"
_RESTRICTED: JsonObject = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_RESOURCES: JsonObject = {
    "requests": {"cpu": "10m", "memory": "16Mi"},
    "limits": {"cpu": "10m", "memory": "16Mi"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePod:
    """A pod, and the catalogue paths of the fields behind the gate that it carries."""

    pod: JsonObject
    fields: tuple[str, ...]


def build_probe_pod(gate: Gate, target: Minor) -> ProbePod | None:
    """The pod for a gate, with its fields as an API server of `target` would know them.

    None when no shipped probe sets a field of the gate on a new pod.
    """
    catalogue = load_catalogue()
    draft = Draft(pod=_smallest_pod(), schema=catalogue.schema(catalogue.newest))
    guarded = frozenset(field.path for field in catalogue.fields if field.gate == gate.name)
    for probe in load_probes().values():
        if not probe.future and probe.fits(target) and guarded & frozenset(probe.all_paths()):
            _place(draft, probe, guarded)
    placed = dict.fromkeys(path for placement in draft.placements for path in placement.paths)
    fields = tuple(path for path in placed if path in guarded)
    if not fields:
        return None
    for path in placed.keys() - guarded:
        if path.startswith(tuple(f"{field}." for field in fields)):
            _remove(draft.pod, path.split("."))  # newer, and behind a gate of its own
    _restrict(object_at(draft.pod, "spec"))
    return ProbePod(pod=draft.pod, fields=fields)


def probe_with(gate: Gate, pod: JsonObject) -> ProbePod | None:
    """A user's own pod as a probe, under a name that is free; None without a field of the gate."""
    fields = tuple(find_fields(gate, pod))
    if not fields:
        return None
    metadata = {**object_at(pod, "metadata"), "generateName": _NAME}
    metadata.pop("name", None)
    metadata.pop("namespace", None)  # the request's counts
    return ProbePod(pod={**pod, "metadata": metadata}, fields=fields)


def _smallest_pod() -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": _NAME},
        "spec": {"containers": [plain_container(_APP)]},
    }


def _place(draft: Draft, probe: Probe, guarded: frozenset[str]) -> None:
    """In the first container list where the gate guards its field; what does not fit is left out.

    The same member may be behind different gates in `containers` and `initContainers`.
    """
    if not probe.at.lists:
        draft.place(probe)
        return
    # Where both would do, the app container makes the smaller pod.
    for container_list in sorted(probe.at.lists):
        if guarded.isdisjoint(probe.paths(container_list)):
            continue
        slot = _slot(draft, container_list, sidecar=probe.init is InitKind.SIDECAR)
        if slot.takes(probe) and draft.place(probe, slot):
            return


def _slot(draft: Draft, container_list: str, *, sidecar: bool) -> Slot:
    members = draft.members(container_list)
    if not members:
        members.append(plain_container(SIDECAR))
    slot = next(slot for slot in draft.slots() if slot.container_list == container_list)
    if sidecar and container_list == "initContainers":
        draft.place(load_probes()["native-sidecar"], slot)
    return slot


def _remove(holder: JsonObject, steps: Sequence[str]) -> None:
    """Take a catalogue path out of a pod, in every element of the lists on its way."""
    name, rest = steps[0], steps[1:]
    if not rest:
        holder.pop(name, None)
    elif name.endswith("[]"):
        for element in objects_at(holder, name.removesuffix("[]")):
            _remove(element, rest)
    elif name in holder:
        _remove(object_at(holder, name), rest)


def _restrict(spec: JsonObject) -> None:
    """Privileges and resources as the strictest namespaces ask, beside what the probes set."""
    windows = "windowsOptions" in object_at(spec, "securityContext")
    for name in ("initContainers", "containers"):
        for container in objects_at(spec, name):
            if not windows:
                container["securityContext"] = {
                    **_RESTRICTED,
                    **object_at(container, "securityContext"),
                }
            if "resources" not in spec and not container.get("resources"):
                container["resources"] = _RESOURCES
