"""What is the smallest pod that shows what one probe shows?

Used to confirm a finding alone, and as the reproducer that goes into a vendor's issue tracker.
"""

import copy
from collections.abc import Iterable, Mapping

from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.probes.loading import InitKind, Place, Probe
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.applying import apply_trigger
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.generation.cases import Case, Placement, Purpose, fields_of
from webhook_fuzz.fuzzer.generation.drafts import SIDECAR, Draft, Slot, plain_container


def bare_case(seed: SeedPod, trigger: Trigger) -> Case:
    """The seed as it is, with the trigger and no probe."""
    return _case(seed, trigger, copy.deepcopy(seed.pod), (), Purpose.CONTROL, "control")


def alone_case(
    placement: Placement,
    seed: SeedPod,
    trigger: Trigger,
    *,
    probes: Mapping[str, Probe],
    schema: FieldSchema,
    copies: int = 1,
) -> Case | None:
    """One probe on a seed, on `copies` containers of its list where it is at containers.

    Two copies show a value moving from one container to another. None if the seed cannot take it.
    """
    draft = Draft(pod=copy.deepcopy(seed.pod), schema=schema)
    draft.forget_defaults()
    probe, container_list = placement.probe, placement.container_list
    if container_list is None:
        if not draft.place(probe):
            return None
    else:
        placed = [_place(draft, slot, probe, probes) for slot in _slots(draft, placement, copies)]
        if not any(placed):
            return None
    name = f"alone-{probe.name}-{seed.name}"
    return _case(seed, trigger, draft.pod, tuple(draft.placements), Purpose.ALONE, name)


def _slots(draft: Draft, placement: Placement, copies: int) -> Iterable[Slot]:
    """Containers for the probe: the seed's own app containers, or init containers of ours."""
    container_list = str(placement.container_list)
    members = draft.members(container_list)
    wanted = [SIDECAR, "wf-init-0"] if container_list == "initContainers" else ["wf-app-1"]
    have = 0 if container_list == "initContainers" else len(members)
    for name in wanted[: max(0, copies - have)]:
        members.append(plain_container(name))
    return [slot for slot in draft.slots() if slot.container_list == container_list][-copies:]


def _place(draft: Draft, slot: Slot, probe: Probe, probes: Mapping[str, Probe]) -> bool:
    sidecar = probes.get("native-sidecar")
    needs_sidecar = probe.init is InitKind.SIDECAR and slot.container_list == "initContainers"
    if needs_sidecar and sidecar is not None and not slot.takes(probe):
        draft.place(sidecar, slot)
    return probe.at is not Place.POD and slot.takes(probe) and draft.place(probe, slot)


def _case(
    seed: SeedPod,
    trigger: Trigger,
    pod: JsonObject,
    placements: tuple[Placement, ...],
    purpose: Purpose,
    name: str,
) -> Case:
    return Case(
        name=name,
        purpose=purpose,
        seed=seed.name,
        trigger=trigger,
        namespace=trigger.namespace or seed.namespace,
        pod=default_pod(apply_trigger(pod, trigger)),
        placements=placements,
        fields=fields_of(placements),
    )
