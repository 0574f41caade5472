"""Do a few pods carry every probe in every position, without any being broken by another?"""

import copy
import re
from collections.abc import Iterator
from functools import cache

import pytest

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import containers
from webhook_fuzz.corpora.probes.loading import InitKind, Probe, load_probes
from webhook_fuzz.corpora.seeds.loading import SeedPod, load_shipped_seeds
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.decoding import Decoded, decode_object
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.generation.cases import Case, Placement, Position, Purpose
from webhook_fuzz.fuzzer.generation.drafts import MEMBERS, SIDECAR, goals_of
from webhook_fuzz.fuzzer.generation.exclusions import any_matches
from webhook_fuzz.fuzzer.generation.packing import Sweep, pack_sweep, subset_case, with_trigger

MINORS = [Minor(1, minor) for minor in (21, 28, 30, 33, 35, 37)]
NEWEST = MINORS[-1]
MOST_CASES = 24


def schema() -> FieldSchema:
    return load_catalogue().schema(NEWEST)


def probes_for(minor: Minor) -> dict[str, Probe]:
    return {name: probe for name, probe in load_probes().items() if probe.fits(minor)}


@cache
def sweep_for(minor: Minor) -> Sweep:
    return pack_sweep(load_shipped_seeds(), probes_for(minor), schema())


def placed(case: Case) -> Iterator[tuple[Placement, JsonObject | None]]:
    """Each placement with its container; None for a probe of the pod."""
    by_name = {(name, c.get("name")): c for name, c in containers(case.pod)}
    for placement in case.placements:
        at = (str(placement.container_list), placement.container)
        yield placement, by_name[at] if placement.container_list else None


def names(case: Case, container_list: str) -> list[JsonValue]:
    return [container.get("name") for _, container in containers(case.pod, container_list)]


@pytest.mark.parametrize("minor", MINORS, ids=str)
def test_every_probe_finds_room_in_every_position(minor: Minor) -> None:
    assert sweep_for(minor).unplaced == frozenset()


@pytest.mark.parametrize("minor", MINORS, ids=str)
def test_a_sweep_takes_few_calls(minor: Minor) -> None:
    assert len(sweep_for(minor).cases) <= MOST_CASES


@pytest.mark.parametrize("minor", MINORS, ids=str)
def test_every_goal_is_met_by_a_container_that_stands_there(minor: Minor) -> None:
    met: set[tuple[str, str | None, Position | None]] = set()
    for case in sweep_for(minor).cases:
        for placement in case.placements:
            if placement.container_list is None:
                met.add((placement.probe.name, None, None))
                continue
            order = names(case, placement.container_list)
            index = order.index(placement.container)
            met |= {
                (placement.probe.name, placement.container_list, position)
                for position in Position
                if position.index(len(order)) == index
            }
    wanted = {
        (name, *goal)
        for name, probe in probes_for(minor).items()
        if not probe.future
        for goal in goals_of(probe)
    }
    assert wanted <= met


@pytest.mark.parametrize("minor", MINORS, ids=str)
def test_every_creatable_new_field_of_the_target_is_in_a_pod(minor: Minor) -> None:
    catalogue = load_catalogue()
    carried = {path for case in sweep_for(minor).cases for path in case.fields}
    missing = {
        field.path
        for field in catalogue.new_roots()
        if field.creatable and field.exists_in(minor) and field.removed is None
    } - carried
    assert missing == set()


def test_the_native_sidecar_stands_first_in_the_middle_and_last() -> None:
    seen: set[Position] = set()
    for case in sweep_for(NEWEST).cases:
        order = names(case, "initContainers")
        assert len(order) >= MEMBERS
        if case.sidecar_at is not None:
            assert order.index(SIDECAR) == case.sidecar_at.index(len(order))
            seen.add(case.sidecar_at)
    assert seen == set(Position)


def test_every_seed_is_used() -> None:
    used = {case.seed for case in sweep_for(NEWEST).cases}
    assert used == {seed.name for seed in load_shipped_seeds()}


def test_one_pod_carries_the_future_fields_and_no_probe_of_a_released_one() -> None:
    (future,) = [case for case in sweep_for(NEWEST).cases if case.purpose is Purpose.FUTURE]
    assert {p.probe.name for p in future.placements if not p.probe.future} == {"native-sidecar"}
    assert {p.probe.name for p in future.placements if p.probe.future} == {
        name for name, probe in load_probes().items() if probe.future
    }
    others = [case for case in sweep_for(NEWEST).cases if case is not future]
    assert not any(p.probe.future for case in others for p in case.placements)


def test_packing_twice_gives_the_same_pods() -> None:
    again = pack_sweep(load_shipped_seeds(), probes_for(NEWEST), schema())
    assert again.cases == sweep_for(NEWEST).cases


def test_packing_changes_neither_seeds_nor_probes() -> None:
    seeds, probes = load_shipped_seeds(), load_probes()
    before = copy.deepcopy((seeds, dict(probes)))
    pack_sweep(seeds, probes_for(NEWEST), schema())
    assert (seeds, dict(probes)) == before


@pytest.mark.parametrize("minor", MINORS, ids=str)
def test_every_packed_pod_is_defaulted_and_decodes(minor: Minor) -> None:
    for case in sweep_for(minor).cases:
        assert default_pod(case.pod) == case.pod
        decoded = decode_object(case.pod, schema())
        assert isinstance(decoded, Decoded), case.name
        if case.purpose is not Purpose.FUTURE:
            # What the target has and the newest release has no more.
            dropped = {re.sub(r"\[\d+\]", "[]", path) for path in decoded.dropped}
            assert dropped <= {"spec.workloadRef", "spec.resourceClaims[].source"}, case.name


def values_at(value: JsonValue, steps: list[str]) -> list[JsonValue]:
    if not steps:
        return [value]
    name = steps[0].removesuffix("[]")
    member = value.get(name) if isinstance(value, dict) else None
    if member is None:
        return []
    if name == steps[0]:
        return values_at(member, steps[1:])
    found = member if isinstance(member, list) else []
    return [below for element in found for below in values_at(element, steps[1:])]


@pytest.mark.parametrize("minor", MINORS, ids=str)
def test_every_placement_is_in_the_pod_it_is_said_to_be_in(minor: Minor) -> None:
    for case in sweep_for(minor).cases:
        for placement, container in placed(case):
            whole = case.pod if container is None else container
            for path in placement.probe.fields:
                assert values_at(whole, path.split(".")), f"{path} in {case.name}"


@pytest.mark.parametrize("minor", MINORS, ids=str)
def test_no_packed_pod_has_what_one_of_its_probes_excludes(minor: Minor) -> None:
    for case in sweep_for(minor).cases:
        for placement in case.placements:
            assert not any_matches(placement.probe.excludes, case.pod), (
                f"{placement.probe.name} in {case.name}"
            )


@pytest.mark.parametrize("minor", MINORS, ids=str)
def test_what_only_a_sidecar_or_only_a_plain_init_container_takes_is_on_one(minor: Minor) -> None:
    for case in sweep_for(minor).cases:
        for placement, container in placed(case):
            if container is None or placement.container_list != "initContainers":
                continue
            is_sidecar = container.get("restartPolicy") == "Always"
            if placement.probe.init is not InitKind.ANY:
                assert is_sidecar is (placement.probe.init is InitKind.SIDECAR), case.name


@pytest.mark.parametrize(
    "path",
    [
        ["livenessProbe", "grpc", "service"],
        ["lifecycle", "preStop", "sleep", "seconds"],
        ["securityContext", "appArmorProfile", "localhostProfile"],
        ["workingDir"],
    ],
)
def test_canaries_are_unlike_in_every_container_of_a_pod(path: list[str]) -> None:
    compared = 0
    for case in sweep_for(NEWEST).cases:
        values = [v for _, container in containers(case.pod) for v in values_at(container, path)]
        ours = [repr(value) for value in values if "c" in str(value) or isinstance(value, int)]
        compared += len(ours) > 1
        assert len(ours) == len(set(ours)), case.name
    assert compared > 3


class TestWithTrigger:
    def test_adds_the_trigger_and_keeps_probes_and_purpose(self) -> None:
        case = sweep_for(NEWEST).cases[0]
        trigger = Trigger(name="t", annotations={"inject": "yes"}, namespace="mesh")
        triggered = with_trigger(case, trigger)
        metadata = triggered.pod["metadata"]
        assert isinstance(metadata, dict)
        assert isinstance(metadata["annotations"], dict)
        assert metadata["annotations"]["inject"] == "yes"
        assert (triggered.namespace, metadata["namespace"]) == ("mesh", "mesh")
        assert triggered.placements == case.placements
        assert triggered.trigger is trigger

    def test_defaults_what_the_trigger_brings(self) -> None:
        spec: JsonObject = {"containers": [{"name": "agent", "image": "a:1"}]}
        triggered = with_trigger(sweep_for(NEWEST).cases[0], Trigger(name="t", spec=spec))
        assert default_pod(triggered.pod) == triggered.pod

    def test_without_a_trigger_is_the_same_case(self) -> None:
        case = sweep_for(NEWEST).cases[0]
        assert with_trigger(case, NO_TRIGGER) is case


class TestSubsetCase:
    @staticmethod
    def seed_of(case: Case) -> SeedPod:
        return next(seed for seed in load_shipped_seeds() if seed.name == case.seed)

    @pytest.mark.parametrize("number", range(6))
    def test_with_all_probes_is_the_same_pod(self, number: int) -> None:
        case = sweep_for(NEWEST).cases[number]
        all_names = {placement.probe.name for placement in case.placements}
        again = subset_case(case, self.seed_of(case), all_names, schema())
        assert again.pod == case.pod
        assert again.placements == case.placements

    def test_keeps_the_places_of_the_probes_it_keeps(self) -> None:
        case = sweep_for(NEWEST).cases[0]
        kept = {"native-sidecar", "stop-signal"}
        subset = subset_case(case, self.seed_of(case), kept, schema())
        assert {p.probe.name for p in subset.placements} <= kept
        assert subset.placements == tuple(p for p in case.placements if p.probe.name in kept)
        assert names(subset, "containers") == names(case, "containers")

    def test_keeps_the_trigger(self) -> None:
        trigger = Trigger(name="t", labels={"a": "b"})
        case = with_trigger(sweep_for(NEWEST).cases[0], trigger)
        subset = subset_case(case, self.seed_of(case), {"stop-signal"}, schema())
        metadata = subset.pod["metadata"]
        assert isinstance(metadata, dict)
        assert isinstance(metadata["labels"], dict)
        assert metadata["labels"]["a"] == "b"

    def test_without_any_probe_is_the_seed_with_its_extra_containers(self) -> None:
        case = sweep_for(NEWEST).cases[0]
        bare = subset_case(case, self.seed_of(case), (), schema())
        assert bare.placements == ()
        assert names(bare, "initContainers") == names(case, "initContainers")


def test_a_user_pod_that_has_no_room_for_a_probe_is_said_to_have_none() -> None:
    windows = next(seed for seed in load_shipped_seeds() if seed.name == "windows")
    sweep = pack_sweep([windows], probes_for(NEWEST), schema())
    assert ("selinux-change-policy", None, None) in sweep.unplaced
    assert len(sweep.cases) <= MOST_CASES
