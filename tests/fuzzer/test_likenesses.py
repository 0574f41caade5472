"""Are findings taken over only where judging again would find the same?"""

from dataclasses import replace
from typing import Any

import pytest

from observed import Operation, add, answer, observe, remove
from observed import replace as replacing
from quality.sweeping import plan_of, swept
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.generation.packing import with_trigger
from webhook_fuzz.fuzzer.likenesses import is_alike
from webhook_fuzz.fuzzer.observations import Observation

METADATA: JsonObject = {"labels": {"app": "a"}, "annotations": {"note": "b"}}
INJECT = Trigger(name="inject", annotations={"agent/inject": "yes"})
VOLUME: JsonObject = {"name": "agent", "emptyDir": {}}
LOSS = remove("/spec/initContainers/0/restartPolicy")

Judged = tuple[Case, Observation, CaseJudged]


def case_with(metadata: JsonObject) -> Case:
    case = plan_of().sweep.cases[0]
    old = case.pod["metadata"]
    assert isinstance(old, dict)
    rest = {name: value for name, value in old.items() if name not in METADATA}
    return replace(case, pod={**case.pod, "metadata": {**rest, **metadata}})


def judge(case: Case, patch: list[Operation]) -> CaseJudged:
    observation = observe(case.pod, patch, trigger=case.trigger)
    return CaseJudged(case=case, observation=observation, findings=tuple(run_checks(observation)))


def judged(
    patch: list[Operation],
    *,
    trigger: Trigger = INJECT,
    before: list[Operation] | None = None,
    metadata: JsonObject = METADATA,
) -> Judged:
    """A case with a trigger, its answer, and the case without that was answered `before`."""
    case = case_with(metadata)
    earlier = judge(case, patch if before is None else before)
    triggered = with_trigger(case, trigger)
    return triggered, observe(triggered.pod, patch, trigger=trigger), earlier


@pytest.mark.parametrize(
    "patch",
    [
        [add("/spec/volumes/-", VOLUME)],
        [LOSS],
        [replacing("/spec/volumes", [VOLUME])],
        [add("/metadata/annotations/agent~1status", "injected"), LOSS],
        [add("/metadata/labels/app", "other")],
        [replacing("/metadata/annotations/note", "other"), add("/metadata/labels/new", "c")],
    ],
)
@pytest.mark.parametrize(
    "trigger", [INJECT, Trigger(name="l", labels={"x": "y"}), Trigger(name="n", namespace="shop")]
)
def test_a_patch_that_cannot_see_the_trigger_is_judged_as_before(
    patch: list[Operation], trigger: Trigger
) -> None:
    case, observation, earlier = judged(patch, trigger=trigger)
    assert is_alike(case, observation, earlier)
    assert tuple(run_checks(observation)) == earlier.findings


@pytest.mark.parametrize(
    "operation",
    [
        remove("/metadata/annotations/note"),
        replacing("/metadata/annotations/agent~1inject", "done"),
        replacing("/metadata/labels", {"app": "a"}),
        add("/metadata/annotations/note/below", "x"),
        add("/metadata/namespace", "shop"),
        add("/metadata/finalizers/x", "y"),
        replacing("/spec", {}),
        add("/spec/volumes/-", None),
        {"op": "move", "from": "/metadata/labels/app", "path": "/spec/hostname"},
        {"op": "copy", "from": "/metadata/labels/app", "path": "/spec/hostname"},
        {"op": "test", "path": "/spec/dnsPolicy", "value": "ClusterFirst"},
        {"op": "add", "value": "x"},
    ],
)
def test_a_patch_that_could_see_the_trigger_is_judged_anew(operation: Operation) -> None:
    case, observation, earlier = judged([add("/spec/volumes/-", VOLUME), operation])
    assert not is_alike(case, observation, earlier)


@pytest.mark.parametrize(
    "trigger",
    [
        Trigger(name="s", service_account_name="robot"),
        Trigger(name="i", image="registry.example/java:1"),
        Trigger(name="v", spec={"volumes": [VOLUME]}),
    ],
)
def test_a_trigger_that_changes_the_spec_is_judged_anew(trigger: Trigger) -> None:
    case, observation, earlier = judged([LOSS], trigger=trigger)
    assert not is_alike(case, observation, earlier)


INTO_SPEC = [
    Trigger(name="s", service_account_name="robot", labels={"x": "y"}),
    Trigger(name="i", image="registry.example/java:1"),
    Trigger(name="v", spec={"volumes": [{"name": "brought", "emptyDir": {}}]}),
    Trigger(name="h", spec={"hostNetwork": True}),
    Trigger(name="e", spec={"containers": [{"name": "*", "env": [{"name": "A", "value": "b"}]}]}),
]
AGENT: JsonObject = {"name": "agent", "image": "a:1", "ports": [{"containerPort": 80}]}
ADDITIONS: list[Operation] = [
    add("/metadata/annotations/agent~1status", "injected"),
    add("/spec/initContainers/-", AGENT),
    add("/spec/containers/-", {**AGENT, "name": "other"}),
    add("/spec/volumes/-", VOLUME),
]


@pytest.mark.parametrize("trigger", INTO_SPEC, ids=lambda trigger: trigger.name)
def test_what_is_only_added_is_judged_as_before_whatever_the_spec_is(trigger: Trigger) -> None:
    case, observation, earlier = judged(ADDITIONS, trigger=trigger)
    assert is_alike(case, observation, earlier)
    assert earlier.findings == tuple(run_checks(observation)) == ()
    assert observation.result is not None


@pytest.mark.parametrize(
    "operation",
    [
        add("/spec/volumes/0", VOLUME),
        add("/spec/tolerations/-", {"key": "a", "operator": "Exists"}),
        add("/spec/containers/-", {**AGENT, "name": None}),
        add("/spec/containers/-", {"name": "ghost"}),  # something is found
        add("/spec/containers/-", {**AGENT, "unknown": 1}),  # and here
        add("/spec/volumes/-", {"name": "brought", "emptyDir": {}}),
        add("/spec/volumes/-", None),
        add("/spec/ephemeralContainers/-", AGENT),
        add("/spec/hostname", "h"),
        replacing("/metadata/labels/app", "other"),
        remove("/metadata/labels/app"),
    ],
)
def test_what_does_more_than_add_to_another_spec_is_judged_anew(operation: Operation) -> None:
    case, observation, earlier = judged(
        [add("/spec/volumes/-", VOLUME), operation], trigger=INTO_SPEC[2]
    )
    assert not is_alike(case, observation, earlier)


def test_what_an_older_target_may_lack_is_judged_anew() -> None:
    case, observation, earlier = judged(ADDITIONS, trigger=INTO_SPEC[2])
    older = replace(earlier.observation, target=Minor(1, 31))
    assert not is_alike(case, observation, replace(earlier, observation=older))


def test_another_patch_is_judged_anew() -> None:
    case, observation, earlier = judged([LOSS], before=[add("/spec/volumes/-", VOLUME)])
    assert not is_alike(case, observation, earlier)


def test_the_same_patch_of_a_map_the_trigger_brought_is_judged_anew() -> None:
    patch = [add("/metadata/annotations/agent~1status", "injected")]
    case, observation, earlier = judged(patch, metadata={"labels": {"app": "a"}})
    assert not is_alike(case, observation, earlier)


@pytest.mark.parametrize("change", [{"metadata": {"name": "other"}}, {"spec": {"nodeName": "n"}}])
def test_another_pod_is_judged_anew(change: dict[str, Any]) -> None:
    case, observation, earlier = judged([LOSS])
    other = replace(case, pod=default_pod({**case.pod, **change}))
    assert is_alike(case, observation, earlier)
    assert not is_alike(other, observation, earlier)


def test_a_pod_without_metadata_is_like_itself() -> None:
    case = replace(case_with({}), pod={**case_with({}).pod, "metadata": None})
    earlier = judge(case, [LOSS])
    assert is_alike(case, observe(case.pod, [LOSS]), earlier)


def test_no_patch_a_denial_and_a_patch_that_fails_are_judged_anew() -> None:
    fails: list[Operation] = [remove("/spec/volumes/99")]
    case, observation, earlier = judged(fails)
    assert not is_alike(case, observation, earlier)
    for outcome in (answer(), answer([LOSS], allowed=False)):
        again = replace(earlier, observation=observe(earlier.case.pod, outcome))
        assert not is_alike(case, observe(case.pod, outcome), again)


@pytest.mark.parametrize(
    "name",
    ["perfect", "list-replacement", "overwrites-value", "recreates-element", "ghost-element"],
)
def test_what_is_not_judged_again_is_what_every_check_finds(name: str) -> None:
    spared = [
        event
        for event in swept(name).events
        if isinstance(event, CaseJudged) and event.alike is not None
    ]
    assert spared
    for event in spared:
        assert tuple(run_checks(event.observation)) == event.findings
        assert event.patched == (event.observation.result is not None)
