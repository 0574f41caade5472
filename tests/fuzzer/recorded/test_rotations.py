"""Which new fields the copies of live pods carry, one after the other."""

import pytest

from replayed import plain_pods
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.fuzzer.generation.cases import Case, Position, Purpose
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.recorded.rotations import FUTURE_EVERY, Rotation

PLAN = build_plan()
SEED = SeedPod(name="live", because="It passed.", namespace="default", pod=plain_pods()[0])


def rotation() -> Rotation:
    return Rotation(probes=PLAN.probes, schema=PLAN.schema)


def test_over_time_every_field_a_sweep_tries_was_on_a_copy() -> None:
    rotating = rotation()
    tried = set[str]()
    while not rotating.rounds:
        tried |= rotating.next_case(SEED).fields
    for _ in range(FUTURE_EVERY):
        tried |= rotating.next_case(SEED).fields

    assert tried == frozenset[str]().union(*(case.fields for case in PLAN.sweep.cases))


def test_the_sidecar_stands_first_in_the_middle_and_last() -> None:
    rotating = rotation()

    assert {rotating.next_case(SEED).sidecar_at for _ in range(3)} == set(Position)


def test_what_no_release_has_is_sent_apart() -> None:
    rotating = rotation()
    cases = [rotating.next_case(SEED) for _ in range(2 * FUTURE_EVERY)]
    future = [case for case in cases if case.purpose is Purpose.FUTURE]

    assert len(future) == 2
    assert all(placement.probe.future for placement in future[0].placements[1:])
    assert not any(
        placement.probe.future
        for case in cases
        if case.purpose is Purpose.SWEEP
        for placement in case.placements
    )


def blame(rotating: Rotation, name: str) -> Case:
    """Block whatever carries a probe until it is the only one on a copy."""
    while True:
        case = rotating.next_case(SEED)
        if any(placement.probe.name == name for placement in case.placements):
            blamed = rotating.note_blocked(case)
            if blamed is not None:
                return case


class TestACopyThatIsBlocked:
    def test_is_followed_by_its_probes_one_by_one(self) -> None:
        rotating = rotation()
        first = rotating.next_case(SEED)
        rotating.note_blocked(first)
        next_one = rotating.next_case(SEED)

        assert next_one.purpose is Purpose.ALONE
        assert {placement.probe.name for placement in next_one.placements} == {"native-sidecar"}

    @pytest.mark.parametrize("name", ["image-volume", "native-sidecar"])
    def test_leads_to_the_one_to_blame_which_is_left_out_from_then_on(self, name: str) -> None:
        rotating = rotation()
        alone = blame(rotating, name)
        later = [rotating.next_case(SEED) for _ in range(4 * FUTURE_EVERY)]

        assert alone.placements[-1].probe.name == name
        assert not any(p.probe.name == name for case in later for p in case.placements)


def test_the_live_pod_itself_is_never_changed() -> None:
    before = repr(SEED.pod)
    rotating = rotation()
    for _ in range(FUTURE_EVERY):
        rotating.next_case(SEED)

    assert repr(SEED.pod) == before
