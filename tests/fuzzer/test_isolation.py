"""Are the probes found that a webhook stumbles over, in few calls, and none that are innocent?"""

from collections.abc import Callable

import orjson
import pytest

from observed import answer, observe
from quality.sweeping import plan_of
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, FailureKind
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.fuzzer.generation.cases import Case, Placement
from webhook_fuzz.fuzzer.generation.smallest import alone_case
from webhook_fuzz.fuzzer.isolation import (
    MOST_CALLS,
    blocked_finding,
    find_culprits,
    is_blocked,
    without_new_fields,
)
from webhook_fuzz.fuzzer.observations import Observation

DENIED = answer(allowed=False, status={"message": "not this"})
ALLOWED = answer()
Denies = Callable[[JsonObject], bool]


def having(*words: str) -> Denies:
    return lambda pod: any(f'"{word}"'.encode() in orjson.dumps(pod) for word in words)


def packed_with(*probes: str) -> tuple[Case, SeedPod]:
    plan = plan_of()
    case = next(
        case
        for case in plan.sweep.cases
        if {placement.probe.name for placement in case.placements} >= set(probes)
    )
    return case, next(seed for seed in plan.seeds if seed.name == case.seed)


async def isolated(
    denies: Denies, *probes: str, known: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], int]:
    case, seed = packed_with(*probes)
    calls = 0

    async def send(sent: Case) -> Observation:
        nonlocal calls
        calls += 1
        return observe(sent.pod, DENIED if denies(sent.pod) else ALLOWED)

    found = await find_culprits(case, seed, send, schema=plan_of().schema, known=known)
    return found, calls


async def test_one_culprit_is_found_in_a_handful_of_calls() -> None:
    found, calls = await isolated(having("hostnameOverride"), "hostname-override")
    assert found == ("hostname-override",)
    assert calls < 20


async def test_two_culprits_are_found_together() -> None:
    found, _ = await isolated(
        having("hostnameOverride", "appArmorProfile"), "hostname-override", "pod-apparmor"
    )
    # The containers' own profile has the same name.
    assert set(found) >= {"hostname-override", "pod-apparmor"}
    assert set(found) <= {"hostname-override", "pod-apparmor", "container-apparmor"}


async def test_culprits_that_are_known_are_left_out() -> None:
    known = ("hostname-override",)
    found, calls = await isolated(having("hostnameOverride"), "hostname-override", known=known)
    assert (found, calls) == ((), 1)
    found, _ = await isolated(
        having("hostnameOverride", "supplementalGroupsPolicy"),
        "hostname-override",
        "supplemental-groups-policy",
        known=known,
    )
    assert found == ("supplemental-groups-policy",)


async def test_the_native_sidecar_itself_is_tried_before_anything_that_needs_one() -> None:
    def denies(pod: JsonObject) -> bool:
        spec = pod["spec"]
        assert isinstance(spec, dict)
        inits = spec.get("initContainers")
        return b'"restartPolicy":"Always"' in orjson.dumps(inits)

    found, calls = await isolated(denies, "native-sidecar", "stop-signal")
    assert (found, calls) == (("native-sidecar",), 2)


async def test_a_seed_that_is_denied_anyway_blames_no_probe() -> None:
    assert await isolated(lambda _: True, "hostname-override") == ((), 1)


async def test_a_combination_blames_no_probe() -> None:
    found, _ = await isolated(
        lambda pod: having("hostnameOverride")(pod) and having("evictionResponders")(pod),
        "hostname-override",
        "eviction-responders",
    )
    assert found == ()


async def test_halving_stops_after_so_many_calls() -> None:
    bare = [True]

    def denies(_: JsonObject) -> bool:
        return not bare.pop() if bare else True

    _, calls = await isolated(denies, "native-sidecar", "stop-signal")
    assert calls <= MOST_CALLS


@pytest.mark.parametrize(
    ("outcome", "blocked"),
    [
        (ALLOWED, False),
        (answer([]), False),
        (DENIED, True),
        (CallFailure(kind=FailureKind.STATUS, detail="500", status=500), True),
        (Answered(status=200, content_type="", body=b"oops"), True),
    ],
)
def test_a_pod_is_blocked_by_a_denial_or_a_useless_answer(
    outcome: Answered | CallFailure,
    blocked: bool,  # noqa: FBT001
) -> None:
    assert is_blocked(observe(plan_of().minimal.pod, outcome)) is blocked


class TestBlockedFinding:
    def test_a_denial_is_wf007_with_the_webhooks_own_words(self) -> None:
        (found,) = blocked_finding(observe(plan_of().minimal.pod, DENIED), ["spec.hostUsers"])
        assert (found.code, found.field) == ("WF007", "spec.hostUsers")
        assert "not this" in found.explanation

    def test_a_failure_is_wf008_with_what_happened(self) -> None:
        failed = CallFailure(kind=FailureKind.RESET, detail="the connection was reset")
        (found,) = blocked_finding(observe(plan_of().minimal.pod, failed), ["spec.hostUsers"])
        assert found.code == "WF008"
        assert "reset" in found.explanation

    def test_the_first_new_field_is_named(self) -> None:
        fields = ["spec.dnsConfig", "spec.wfFutureField", "spec.hostUsers"]
        (found,) = blocked_finding(observe(plan_of().minimal.pod, DENIED), fields)
        assert found.field == "spec.wfFutureField"

    def test_fields_that_have_always_been_there_are_not_told_as_new(self) -> None:
        observation = observe(plan_of().minimal.pod, DENIED)
        assert blocked_finding(observation, ["spec.dnsConfig", "spec.hostAliases"]) == ()


class TestWithoutNewFields:
    def control(self, probe: str, container_list: str | None = None) -> Case | None:
        plan = plan_of()
        placement = Placement(probe=plan.probes[probe], container_list=container_list)
        case = alone_case(
            placement, plan.minimal, NO_TRIGGER, probes=plan.probes, schema=plan.schema
        )
        assert case is not None
        return without_new_fields(case, plan.catalogue)

    def test_only_what_the_field_stands_on_is_left(self) -> None:
        case = self.control("container-host-process", "containers")
        assert case is not None
        assert having("hostNetwork")(case.pod)
        spec = case.pod["spec"]
        assert isinstance(spec, dict)
        assert not having("hostProcess")({"c": spec["containers"]})
        assert (case.placements, case.fields) == ((), frozenset())

    def test_without_the_member_of_a_one_of_there_is_nothing_to_compare(self) -> None:
        assert self.control("image-volume") is None
        assert self.control("liveness-grpc", "containers") is None

    def test_the_case_given_is_not_changed(self) -> None:
        case = self.control("hostname-override")
        assert case is not None
        assert not having("hostnameOverride")(case.pod)
