"""Which small pods show that what broke breaks by itself?

A loss seen on a packed pod is sent again alone: one probe on the smallest pod, and where that does
not show it, on the seed pod it was first seen on. At most two calls for each broken field.
"""

from collections.abc import Iterator

from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.fuzzer.generation.cases import Case, Placement
from webhook_fuzz.fuzzer.generation.smallest import alone_case, bare_case
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.tallies import Found, Tally


def control_cases(tally: Tally, minimal: SeedPod) -> Iterator[Case]:
    """The minimal pod without any probe, once with each trigger something was found with.

    What it shows has nothing to do with new fields, and it is the smallest reproducer.
    """
    triggers = {found.case.trigger.name: found.case.trigger for found in tally.found.values()}
    for trigger in triggers.values():
        yield bare_case(minimal, trigger)


def confirmation_cases(tally: Tally, plan: Plan) -> Iterator[Case]:
    """One probe alone on the minimal seed (the first one) for every finding not yet shown alone."""
    for found, placement in unconfirmed(tally):
        case = alone_case(
            placement,
            plan.minimal,
            found.case.trigger,
            probes=plan.probes,
            schema=plan.schema,
            copies=2 if found.finding.moved_to else 1,
        )
        if case is not None:
            yield case


def second_cases(tally: Tally, plan: Plan) -> Iterator[Case]:
    """The probe on the seed it was first seen broken on, for what the minimal pod did not show."""
    by_name = {seed.name: seed for seed in plan.seeds}
    for found, placement in unconfirmed(tally):
        seed = by_name.get(found.case.seed)
        if seed is None or seed is plan.minimal:
            continue
        case = alone_case(
            placement,
            seed,
            found.case.trigger,
            probes=plan.probes,
            schema=plan.schema,
            copies=2,
        )
        if case is not None:
            yield case


def unconfirmed(tally: Tally) -> list[tuple[Found, Placement]]:
    """The findings about a probed field that only packed pods have shown, with the probe."""
    return [
        (found, placement)
        for found in tally.found.values()
        if not found.alone and (placement := placement_of(found, tally)) is not None
    ]


def placement_of(found: Found, tally: Tally) -> Placement | None:
    """The probe that brought the field a finding is about: itself, or the value it is part of."""
    own = field = found.finding.field
    while field and (field == own or field not in _EVERYTHING):
        if field in tally.placements:
            return tally.placements[field]
        below = [path for path in tally.placements if path.startswith((f"{field}.", f"{field}["))]
        if below:
            return tally.placements[below[0]]
        field = field.rpartition(".")[0].removesuffix("[]").removesuffix("{}")
    return None


# Any probe is below these: none is about a field because it is.
_EVERYTHING = {"metadata", "spec", "spec.containers", "spec.initContainers", "spec.volumes"}
