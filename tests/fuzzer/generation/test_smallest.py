"""Is the pod that shows one probe as small as it can be?"""

import pytest

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.pods import containers
from webhook_fuzz.corpora.probes.loading import InitKind, Place, load_probes
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.generation.cases import Case, Placement, Purpose
from webhook_fuzz.fuzzer.generation.smallest import alone_case, bare_case

MINIMAL = shipped_seed("minimal")
SCHEMA = load_catalogue().schema(Minor(1, 37))
PROBES = load_probes()
PLACEMENTS = [
    Placement(probe=probe, container_list=container_list)
    for probe in PROBES.values()
    for container_list in probe.at.lists or (None,)
]


def alone(placement: Placement, copies: int = 1, trigger: Trigger = NO_TRIGGER) -> Case | None:
    return alone_case(placement, MINIMAL, trigger, probes=PROBES, schema=SCHEMA, copies=copies)


def ids(placement: Placement) -> str:
    return f"{placement.probe.name}-{placement.container_list}"


@pytest.mark.parametrize("placement", PLACEMENTS, ids=ids)
def test_every_probe_fits_alone_on_the_smallest_pod(placement: Placement) -> None:
    case = alone(placement)
    assert case is not None
    assert case.purpose is Purpose.ALONE
    assert placement.probe.name in {placed.probe.name for placed in case.placements}
    assert set(placement.paths) <= set(case.fields)
    lists = [name for name, _ in containers(case.pod)]
    assert lists.count("containers") == 1
    assert lists.count("initContainers") == (placement.container_list == "initContainers")


@pytest.mark.parametrize("placement", PLACEMENTS, ids=ids)
def test_nothing_is_beside_it_but_the_sidecar_it_needs(placement: Placement) -> None:
    case = alone(placement)
    assert case is not None
    beside = {placed.probe.name for placed in case.placements} - {placement.probe.name}
    needs = placement.probe.init is InitKind.SIDECAR
    in_init = placement.container_list == "initContainers"
    assert beside == ({"native-sidecar"} if needs and in_init else set())


@pytest.mark.parametrize(
    "placement", [p for p in PLACEMENTS if p.probe.at is not Place.POD], ids=ids
)
def test_two_copies_are_on_two_containers_of_the_list(placement: Placement) -> None:
    case = alone(placement, copies=2)
    assert case is not None
    on = [p.container for p in case.placements if p.probe is placement.probe]
    assert len(on) == len(set(on)) == 2
    assert {p.container_list for p in case.placements} == {placement.container_list}


def test_a_seed_that_excludes_the_probe_gives_no_case() -> None:
    placement = Placement(probe=PROBES["selinux-change-policy"])
    windows = shipped_seed("windows")
    assert alone_case(placement, windows, NO_TRIGGER, probes=PROBES, schema=SCHEMA) is None


def test_the_bare_case_is_the_seed_with_the_trigger_and_nothing_else() -> None:
    assert bare_case(MINIMAL, NO_TRIGGER).pod == MINIMAL.pod
    case = bare_case(MINIMAL, Trigger(name="t", labels={"a": "b"}))
    metadata = case.pod["metadata"]
    assert isinstance(metadata, dict)
    assert isinstance(metadata["labels"], dict)
    assert metadata["labels"]["a"] == "b"
    assert (case.purpose, case.placements) == (Purpose.CONTROL, ())
