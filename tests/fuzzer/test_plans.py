"""Is what is sent chosen by the target, and are a user's own pods used?"""

import pytest

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.seeds.loading import SeedPod, shipped_seed
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.plans import build_plan


def test_the_newest_minor_is_the_target_unless_told_otherwise() -> None:
    plan = build_plan()
    assert plan.target == plan.catalogue.newest == Minor(1, 37)
    assert plan.minimal.name == "minimal"
    assert plan.sweep.unplaced == frozenset()


def test_probes_are_those_that_fit_the_target() -> None:
    assert "workload-reference" in build_plan(Minor(1, 35)).probes
    assert "workload-reference" not in build_plan(Minor(1, 36)).probes
    assert "pod-resource-claims-by-source" in build_plan(Minor(1, 30)).probes


@pytest.mark.parametrize("minor", [18, 19, 38, 99])
def test_a_target_nobody_knows_is_refused_with_the_range(minor: int) -> None:
    with pytest.raises(InputError) as caught:
        build_plan(Minor(1, minor))
    assert f"1.{minor}" in caught.value.message
    assert "1.37" in caught.value.hint


def test_own_pods_take_the_place_of_the_shipped_ones_and_are_defaulted() -> None:
    own = SeedPod(
        name="own",
        because="A user's.",
        namespace="shop",
        pod={"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "i"}]}},
    )
    plan = build_plan(pods=[own])
    assert [seed.name for seed in plan.seeds] == ["minimal", "own"]
    assert plan.seeds[1].pod == default_pod(own.pod) != own.pod
    assert {case.seed for case in plan.sweep.cases} == {"minimal", "own"}
    assert {case.namespace for case in plan.sweep.cases if case.seed == "own"} == {"shop"}


def test_shipped_seeds_are_not_changed() -> None:
    before = repr(shipped_seed("minimal"))
    build_plan()
    assert repr(shipped_seed("minimal")) == before
