"""How two answers to the same request stand to each other, as the API server would apply them."""

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import pytest

from fakes import IDENTITY, specimen_transport
from replayed import creation, plain_pods, record_all, recorded
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.fuzzer.recorded.comparing import Compared, Difference, Relation, Side
from webhook_fuzz.fuzzer.recorded.differential import Differential, Party
from webhook_fuzz.fuzzer.recorded.replaying import BLOCKED, ReplayOptions
from webhook_fuzz.fuzzer.recorded.shapes import collect_samples
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.specimens.index_patches import diff
from webhook_fuzz.fuzzer.specimens.injections import edited
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program
from webhook_fuzz.fuzzer.specimens.replies import Patch, build_response, patch_once, reply
from webhook_fuzz.fuzzer.specimens.round_trips import V1_27, typed_round_trip

Patching: TypeAlias = Callable[[JsonObject], Patch]

LOSSY = patch_once(typed_round_trip(V1_27))
LOSSLESS = patch_once(lambda pod: diff(pod, edited(pod, first=False)))
"""Does to a pod what LOSSY does, and loses nothing."""


def answering(patching: Patching, **response: JsonValue) -> Program:
    """Answers with a patch, and what else is to stand in the response."""

    def program(review: JsonObject) -> Answer:
        patch = patching(object_at(review, "request", "object"))
        return reply({**build_response(review, patch), **response})

    return program


def label(value: JsonValue, *, key: str = "a") -> Patch:
    return [{"op": "add", "path": "/metadata/labels", "value": {key: value}}]


def container(name: str) -> Patch:
    value: JsonObject = {"name": name, "image": "agent:1", "env": [{"name": "ID", "value": name}]}
    return [{"op": "add", "path": "/spec/containers/-", "value": value}]


async def compared(
    first: Program, second: Program, *, enrich: bool = False, pods: int = 1
) -> list[Compared]:
    quiet = answering(lambda _: [])
    differential = Differential(
        samples=collect_samples(record_all(quiet, plain_pods()[:pods])).chosen(300),
        first=Party(webhook=IDENTITY, transport=specimen_transport(first)),
        second=Party(webhook=IDENTITY, transport=specimen_transport(second)),
        options=ReplayOptions(enrich=enrich),
    )
    return [each async for each in differential.events()]


async def relation(first: Program, second: Program) -> Relation:
    (only,) = await compared(first, second)
    return only.verdict.relation


async def differences(first: Program, second: Program) -> dict[str, Difference]:
    (only,) = await compared(first, second)
    return {each.path: each for each in only.verdict.differences}


class TestTwoAnswers:
    async def test_are_equal_with_the_same_patch(self) -> None:
        one = answering(lambda _: label("x"))

        assert await relation(one, one) is Relation.EQUAL

    async def test_are_equal_by_another_patch_where_the_objects_are_the_same(self) -> None:
        one = answering(lambda _: label("x"))
        other = answering(lambda _: [*label("y"), *label("x")])

        assert await relation(one, other) is Relation.OTHER_PATCH

    async def test_are_equal_where_only_the_spelling_of_a_quantity_differs(self) -> None:
        def limit(amount: str) -> Program:
            value: JsonObject = {"limits": {"memory": amount}}
            path = "/spec/containers/0/resources"
            return answering(lambda _: [{"op": "add", "path": path, "value": value}])

        assert await relation(limit("1Gi"), limit("1024Mi")) is Relation.OTHER_PATCH

    @pytest.mark.parametrize(
        ("first", "second", "found"),
        [
            (answering(lambda _: []), SPECIMENS["http-500"].answer, Relation.FAILURE),
            (SPECIMENS["wrong-uid"].answer, SPECIMENS["http-500"].answer, Relation.FAILURE),
            (SPECIMENS["http-500"].answer, SPECIMENS["http-500"].answer, Relation.EQUAL),
            (
                answering(lambda _: [{"op": "remove", "path": "/spec/nothing"}]),
                answering(lambda _: []),
                Relation.FAILURE,
            ),
            (answering(lambda _: [], allowed=False), answering(lambda _: []), Relation.VERDICT),
            (
                answering(lambda _: [], allowed=False, status={"code": 403}),
                answering(lambda _: [], allowed=False, status={"code": 429}),
                Relation.VERDICT,
            ),
            (
                answering(lambda _: label("x"), warnings=["deprecated"]),
                answering(lambda _: label("x")),
                Relation.WARNINGS,
            ),
        ],
    )
    async def test_differ_in_what_they_come_to(
        self, first: Program, second: Program, found: Relation
    ) -> None:
        assert await relation(first, second) is found

    async def test_that_differ_are_told_apart_in_a_sentence(self) -> None:
        refuses = answering(lambda _: [], allowed=False, status={"code": 403, "message": "no"})
        (only,) = await compared(answering(lambda _: []), refuses)

        assert only.verdict.explanation == (
            "The first allowed without a patch; the second denied with 403: no."
        )


class TestAnObjectThatDiffers:
    async def test_says_which_side_adds_what(self) -> None:
        found = await differences(answering(lambda _: label("x")), answering(lambda _: []))

        assert found["metadata.labels"].side is Side.FIRST_ADDS

    async def test_says_which_side_loses_what(self) -> None:
        remove: Patch = [{"op": "remove", "path": "/spec/terminationGracePeriodSeconds"}]
        # The API server defaults it again: lost is what it cannot put back.
        lose: Patch = [*remove, {"op": "remove", "path": "/spec/priority"}]
        found = await differences(answering(lambda _: []), answering(lambda _: lose))

        assert {path: each.side for path, each in found.items()} == {
            "spec.priority": Side.SECOND_LOSES
        }

    async def test_says_which_side_changes_what(self) -> None:
        change: Patch = [{"op": "replace", "path": "/spec/restartPolicy", "value": "Never"}]
        found = await differences(answering(lambda _: change), answering(lambda _: []))

        only = found["spec.restartPolicy"]
        assert (only.side, only.sent, only.first, only.second) == (
            Side.FIRST_CHANGES,
            "Always",
            "Never",
            "Always",
        )

    async def test_has_keyed_paths(self) -> None:
        found = await differences(
            answering(lambda _: container("agent")), answering(lambda _: container("proxy"))
        )

        assert {path: each.side for path, each in found.items()} == {
            "spec.containers[name=agent]": Side.FIRST_ADDS,
            "spec.containers[name=proxy]": Side.SECOND_ADDS,
        }


class TestChance:
    """Values that a webhook does not repeat are no difference between two of them."""

    def program(self, make: Callable[[str], Patch], seed: int) -> Program:
        source = random.Random(seed)  # noqa: S311 - no secret
        return answering(lambda _: make(f"{source.getrandbits(64):x}"))

    @pytest.mark.parametrize("make", [label, container], ids=["a value", "a name"])
    async def test_is_no_difference(self, make: Callable[[str], Patch]) -> None:
        (only,) = await compared(self.program(make, 1), self.program(make, 2))

        assert only.verdict.relation is Relation.OTHER_PATCH
        assert only.verdict.random

    async def test_does_not_hide_the_difference_beside_it(self) -> None:
        def with_more(token: str) -> Patch:
            path = "/metadata/annotations"
            return [*label(token), {"op": "add", "path": path, "value": {"b": "c"}}]

        (only,) = await compared(self.program(label, 1), self.program(with_more, 2))

        assert [each.path for each in only.verdict.differences] == ["metadata.annotations"]

    async def test_made_of_the_uid_is_the_same_for_both(self) -> None:
        def program(review: JsonObject) -> Answer:
            return reply(build_response(review, label(object_at(review, "request")["uid"])))

        assert await relation(program, program) is Relation.EQUAL

    async def test_in_the_decision_itself_is_said(self) -> None:
        turns = iter([True, False] * 10)

        def flips(review: JsonObject) -> Answer:
            return answering(lambda _: [], allowed=next(turns))(review)

        assert await relation(answering(lambda _: [], allowed=False), flips) is Relation.UNSTEADY


class TestAnOldAndANewVersion:
    async def test_that_differ_in_their_types_answer_plain_pods_alike(self) -> None:
        found = await compared(LOSSY, LOSSLESS, pods=4)

        assert {each.verdict.relation for each in found} <= {Relation.EQUAL, Relation.OTHER_PATCH}

    async def test_are_told_apart_by_new_fields_with_the_side_that_loses_them(self) -> None:
        found = await compared(LOSSY, LOSSLESS, pods=4, enrich=True)
        lost = {
            difference.field
            for each in found
            for difference in each.verdict.differences
            if difference.side is Side.FIRST_LOSES
        }
        sides = Counter(
            difference.side for each in found for difference in each.verdict.differences
        )

        assert "spec.initContainers[].restartPolicy" in lost
        assert "spec.volumes[].image" in lost
        assert Side.SECOND_LOSES not in sides

    async def test_the_other_way_round_it_is_the_other_side(self) -> None:
        found = await compared(LOSSLESS, LOSSY, pods=1, enrich=True)
        sides = {d.side for each in found for d in each.verdict.differences}

        assert Side.SECOND_LOSES in sides
        assert Side.FIRST_LOSES not in sides


async def test_pods_one_of_them_denies_get_no_new_fields() -> None:
    denies = answering(lambda _: [], allowed=False)
    differential = Differential(
        samples=collect_samples(record_all(LOSSLESS, plain_pods())).chosen(300),
        first=Party(webhook=IDENTITY, transport=specimen_transport(LOSSLESS)),
        second=Party(webhook=IDENTITY, transport=specimen_transport(denies)),
    )
    found = [each async for each in differential.events()]

    assert len(found) == len(plain_pods())
    assert differential.not_enriched == {BLOCKED: len(plain_pods())}


async def test_objects_of_other_kinds_are_compared_as_they_are() -> None:
    request: JsonObject = {
        **object_at(creation({}), "request"),
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "object": {"metadata": {"name": "a"}, "data": {"a": "1"}},
    }
    review: JsonObject = {**creation({}), "request": request}
    change: Patch = [{"op": "add", "path": "/data/b", "value": "2"}]
    quiet = answering(lambda _: [])
    differential = Differential(
        samples=collect_samples([recorded(review, quiet)]).chosen(1),
        first=Party(webhook=IDENTITY, transport=specimen_transport(quiet)),
        second=Party(webhook=IDENTITY, transport=specimen_transport(answering(lambda _: change))),
    )
    (only,) = [each async for each in differential.events()]

    assert {each.path: each.side for each in only.verdict.differences} == {
        "data.b": Side.SECOND_ADDS
    }
