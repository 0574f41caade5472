"""Are two pods compared by what they mean, element by element?"""

import copy
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.sweeping import plan_of
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.differences.comparing import Change, ChangeKind, compare_pods

SCHEMA = load_catalogue().schema(Minor(1, 37))

LOST, CHANGED, ADDED = ChangeKind.LOST, ChangeKind.CHANGED, ChangeKind.ADDED
GONE, NEW, REORDERED = ChangeKind.ELEMENT_LOST, ChangeKind.ELEMENT_ADDED, ChangeKind.REORDERED


def compare(before: JsonObject, after: JsonObject) -> tuple[Change, ...]:
    return compare_pods({"spec": before}, {"spec": after}, SCHEMA)


def told(before: JsonObject, after: JsonObject) -> list[tuple[ChangeKind, str]]:
    return [(change.kind, change.path.removeprefix("spec.")) for change in compare(before, after)]


def named(*names: str, **more: JsonValue) -> list[JsonValue]:
    return [{"name": name, **more} for name in names]


class TestKeyedLists:
    @pytest.mark.parametrize(
        ("after", "changes"),
        [
            (["x", "a", "b"], [(NEW, "containers[name=x]")]),
            (["a", "x", "b"], [(NEW, "containers[name=x]")]),
            (["a", "b", "x"], [(NEW, "containers[name=x]")]),
            (["b"], [(GONE, "containers[name=a]")]),
            (["b", "a"], [(REORDERED, "containers")]),
            ([], [(GONE, "containers[name=a]"), (GONE, "containers[name=b]")]),
        ],
    )
    def test_elements_keep_their_name_wherever_they_stand(
        self, after: list[str], changes: list[tuple[ChangeKind, str]]
    ) -> None:
        assert told({"containers": named("a", "b")}, {"containers": named(*after)}) == changes

    def test_a_member_is_compared_with_that_of_the_same_element(self) -> None:
        before: JsonObject = {"containers": [*named("a", image="1"), *named("b", image="2")]}
        after: JsonObject = {
            "containers": [*named("x", image="1"), *named("a", image="1"), *named("b", image="3")]
        }
        assert (CHANGED, "containers[name=b].image") in told(before, after)
        assert len(told(before, after)) == 2

    @pytest.mark.parametrize("name", ["volumes", "imagePullSecrets", "schedulingGates"])
    def test_order_has_no_meaning_in_lists_that_are_maps(self, name: str) -> None:
        assert told({name: named("a", "b")}, {name: named("b", "a")}) == []

    def test_a_port_without_protocol_is_a_tcp_port(self) -> None:
        before: JsonObject = {"containers": named("a", ports=[{"containerPort": 80}])}
        port: JsonObject = {"containerPort": 80, "protocol": "TCP"}
        after: JsonObject = {"containers": named("a", ports=[port])}
        assert [kind for kind, _ in told(before, after)] == [ADDED]

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_what_is_injected_a_second_time_is_new_wherever_it_stands(self, at: int) -> None:
        mine: list[JsonValue] = [*named("agent", image="mine"), *named("app")]
        after = copy.deepcopy(mine)
        after.insert(at, {"name": "agent", "image": "theirs"})
        assert told({"containers": mine}, {"containers": after}) == [
            (NEW, "containers[name=agent#2]")
        ]

    def test_an_element_that_lost_its_key_is_gone(self) -> None:
        changes = told({"containers": named("a")}, {"containers": [{"image": "i"}]})
        assert changes == [(GONE, "containers[name=a]"), (NEW, "containers[0]")]


A: JsonObject = {"key": "a"}
B: JsonObject = {"key": "b"}
C: JsonObject = {"key": "c"}


class TestListsByPosition:
    @pytest.mark.parametrize(
        ("after", "changes"),
        [
            ([C, A, B], [(NEW, "tolerations[0]")]),
            ([A, C, B], [(NEW, "tolerations[1]")]),
            ([A, B, C], [(NEW, "tolerations[2]")]),
            ([B, A], []),
            ([C, B, A], [(NEW, "tolerations[0]")]),
            ([B], [(GONE, "tolerations[0]")]),
            ([A, {"key": "b", "effect": "NoExecute"}], [(ADDED, "tolerations[1].effect")]),
            ([A, C], [(CHANGED, "tolerations[1].key")]),
            ([C, A, {"key": "d"}], [(CHANGED, "tolerations[1].key"), (NEW, "tolerations[0]")]),
        ],
    )
    def test_equal_elements_belong_together(
        self, after: list[JsonValue], changes: list[tuple[ChangeKind, str]]
    ) -> None:
        assert told({"tolerations": [A, B]}, {"tolerations": after}) == changes

    @pytest.mark.parametrize(
        ("after", "changes"),
        [
            (["x", "a", "b"], [(NEW, "[0]")]),
            (["a", "b", "x", "y"], [(NEW, "[2]"), (NEW, "[3]")]),
            (["a", "x", "b"], [(NEW, "[1]")]),
            (["a"], [(CHANGED, "")]),
            (["b", "a"], [(CHANGED, "")]),
            ([], [(CHANGED, "")]),
        ],
    )
    def test_a_list_of_scalars_is_one_value_to_which_may_be_added(
        self, after: list[JsonValue], changes: list[tuple[ChangeKind, str]]
    ) -> None:
        path = "containers[name=c].args"
        before: JsonObject = {"containers": named("c", args=["a", "b"])}
        expected = [(kind, path + rest) for kind, rest in changes]
        assert told(before, {"containers": named("c", args=after)}) == expected


class TestEquivalences:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({}, {"volumes": []}),
            ({"volumes": None}, {}),
            ({"nodeSelector": {}}, {}),
            ({"hostNetwork": False}, {}),
            ({"affinity": {"podAffinity": {}}}, {}),
            ({"securityContext": {"sysctls": []}}, {"securityContext": {}}),
            ({"dnsConfig": {}}, {}),
            ({"nodeName": ""}, {}),
            (
                {"containers": named("a", resources={"limits": {"cpu": "1000m", "memory": "1Gi"}})},
                {"containers": named("a", resources={"limits": {"cpu": 1, "memory": "1024Mi"}})},
            ),
            (
                {"containers": named("a", resources={}, stdin=False, args=[])},
                {"containers": named("a", env=[], ports=None)},
            ),
            ({"containers": named("a")}, {"containers": named("a", workingDir="")}),
            (
                {"volumes": named("v", emptyDir={"sizeLimit": "1Gi"})},
                {"volumes": named("v", emptyDir={"sizeLimit": "1073741824", "medium": ""})},
            ),
            (
                {"volumes": named("v", ephemeral={"volumeClaimTemplate": {"spec": {}}})},
                {
                    "volumes": named(
                        "v",
                        ephemeral={
                            "volumeClaimTemplate": {
                                "metadata": {"creationTimestamp": None}, "spec": {"resources": {}}
                            }
                        },
                    )
                },
            ),
        ],
    )  # fmt: skip
    def test_what_means_the_same_is_no_change(self, before: JsonObject, after: JsonObject) -> None:
        assert compare(before, after) == ()
        assert compare(after, before) == ()

    @pytest.mark.parametrize(
        ("before", "path"),
        [
            ({"hostUsers": False}, "hostUsers"),
            ({"terminationGracePeriodSeconds": 0}, "terminationGracePeriodSeconds"),
            ({"volumes": named("v", emptyDir={})}, "volumes[name=v].emptyDir"),
            ({"securityContext": {"runAsUser": 0}}, "securityContext.runAsUser"),
            (
                {"containers": named("a", livenessProbe={"grpc": {"port": 1, "service": ""}})},
                "containers[name=a].livenessProbe.grpc.service",
            ),
        ],
    )
    def test_a_zero_that_says_something_is_lost(self, before: JsonObject, path: str) -> None:
        after = copy.deepcopy(before)
        steps: Any = after
        *way, last = path.replace("[name=v]", ".0").replace("[name=a]", ".0").split(".")
        for step in way:
            steps = steps[int(step) if step.isdecimal() else step]
        del steps[last]
        assert told(before, after) == [(LOST, path)]

    def test_true_is_not_one(self) -> None:
        assert told({"priority": 1}, {"priority": True}) == [(CHANGED, "priority")]

    @pytest.mark.parametrize("key", ["a.b/c", "x]y", "x}y", "back\\slash", "~1", ""])
    def test_a_maps_keys_are_data(self, key: str) -> None:
        (change,) = compare({"nodeSelector": {key: "1", "k": ""}}, {"nodeSelector": {"k": ""}})
        assert (change.kind, change.before) == (ChangeKind.ENTRY_LOST, "1")
        assert change.field == "spec.nodeSelector{}"

    def test_an_empty_value_of_a_map_is_a_value(self) -> None:
        assert told({"nodeSelector": {"k": ""}}, {"nodeSelector": {}}) == [
            (ChangeKind.ENTRY_LOST, "nodeSelector{k}")
        ]

    def test_a_member_that_is_no_step_of_a_path_is_written_as_an_entry(self) -> None:
        assert told({}, {"a.b": 1, "": 2}) == [(ADDED, "spec{a.b}"), (ADDED, "spec{}")]


def test_a_change_says_which_struct_its_member_is_of() -> None:
    (change,) = compare({"volumes": named("v", image={"reference": "r"})}, {"volumes": named("v")})
    assert (change.struct, change.field) == ("Volume", "spec.volumes[].image")


# Whatever pod it is, what means the same is no change.

PODS = [case.pod for case in plan_of().sweep.cases]


def _respelled(value: JsonValue, schema: FieldSchema, random: Random) -> JsonValue:
    """The same value with nulls, empty lists and other spellings of quantities in it."""
    if isinstance(value, dict):
        found: JsonObject = {
            name: _respelled(member, schema.members.get(name) or schema.element or schema, random)
            for name, member in value.items()
        }
        for name, member in schema.members.items():
            if name not in found and not random.randrange(8):
                found[name] = [] if member.kind is Kind.LIST else None
        return found
    if isinstance(value, list):
        element = schema.element or schema
        return [_respelled(inner, element, random) for inner in value]
    if schema.kind is Kind.QUANTITY and isinstance(value, str):
        return random.choice(_spellings(value))
    return value


def _spellings(quantity: str) -> list[JsonValue]:
    if quantity.isdecimal():
        return [quantity, f"{quantity}000m", int(quantity)]
    if quantity.endswith("Gi"):
        amount = int(quantity.removesuffix("Gi"))
        return [quantity, f"{amount * 1024}Mi", str(amount * 2**30)]
    return [quantity]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(range(len(PODS))), st.integers(0, 2**32))
def test_nulls_empty_lists_and_respelled_quantities_are_no_change(number: int, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    before = PODS[number]
    after: JsonObject = {
        name: _respelled(before[name], SCHEMA.members[name], random)
        for name in ("metadata", "spec")
    }
    assert compare_pods(before, after, SCHEMA) == ()
    assert compare_pods(after, before, SCHEMA) == ()


@pytest.mark.parametrize("pod", PODS, ids=range(len(PODS)))
def test_a_copy_is_no_change_and_shared_parts_are_skipped(pod: JsonObject) -> None:
    assert compare_pods(pod, copy.deepcopy(pod), SCHEMA) == ()
    assert compare_pods(pod, dict(pod), SCHEMA) == ()
