"""Do two webhooks answer the same request alike?

Their answers are compared as the API server would apply them: by the object they lead to, not by
the text of a patch. Where they differ, both are asked once more, and what differs between two
answers of the same one (uids, timestamps, tokens) is no difference between the two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import ABSENT, Absent, value_at
from webhook_fuzz.fuzzer.differences.comparing import Change, ChangeKind, compare_pods
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.recorded.effects import Effect, effect_of
from webhook_fuzz.fuzzer.recorded.requests import PlainObservation


class Relation(StrEnum):
    """How two answers to the same request stand to each other, the worst first.

    UNSTEADY: one webhook allows and denies, or fails, by turns: nothing can be said.
    """

    FAILURE = "one fails, or both in another way"
    VERDICT = "one allows what the other denies"
    OBJECT = "the objects differ"
    WARNINGS = "the warnings differ"
    UNSTEADY = "a webhook answers the same request differently"
    OTHER_PATCH = "equal, by another patch"
    EQUAL = "equal"


DIFFERENT: Final = frozenset(
    {Relation.FAILURE, Relation.VERDICT, Relation.OBJECT, Relation.WARNINGS}
)
"""The relations that are a difference between the two webhooks."""


class Side(StrEnum):
    """Which webhook did what, at one path."""

    FIRST_LOSES = "only the first loses it"
    SECOND_LOSES = "only the second loses it"
    FIRST_ADDS = "only the first adds it"
    SECOND_ADDS = "only the second adds it"
    FIRST_CHANGES = "only the first changes it"
    SECOND_CHANGES = "only the second changes it"
    DIFFERENT = "they set it differently"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One path at which two objects differ; `sent`, `first` and `second` are the values there.

    `field` is the catalogue path, which is the same for all containers.
    """

    path: str
    field: str
    side: Side
    sent: JsonValue | Absent = ABSENT
    first: JsonValue | Absent = ABSENT
    second: JsonValue | Absent = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of comparing. `explanation` is one sentence, empty where they are equal.

    `random` are the paths that were set aside because one webhook alone does not repeat itself
    there.
    """

    relation: Relation
    differences: tuple[Difference, ...] = ()
    explanation: str = ""
    random: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of one webhook to one request; a second one where it was asked again."""

    first: Observation
    again: Observation | None = None

    @property
    def effects(self) -> tuple[Effect, ...]:
        """What each of them comes to."""
        asked = (self.first,) if self.again is None else (self.first, self.again)
        return tuple(effect_of(each) for each in asked)

    @property
    def effect(self) -> Effect:
        """What the first answer comes to."""
        return self.effects[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One request, and how the two answers to it stand to each other.

    `stands_for` is how many recorded exchanges are of its shape; `id` is the recorded one.
    """

    case: Case
    id: str
    stands_for: int
    first: Observation
    second: Observation
    verdict: Verdict


def are_alike(one: Observation, other: Observation) -> bool:
    """Whether there is nothing to ask again for."""
    return compare(Answers(first=one), Answers(first=other)).relation not in DIFFERENT


def compare(first: Answers, second: Answers) -> Verdict:
    """How the answers of two webhooks to one request stand to each other."""
    unsteady = _unsteady(first) or _unsteady(second)
    if unsteady:
        return Verdict(relation=Relation.UNSTEADY, explanation=unsteady)
    one, two = first.effect, second.effect
    told = f"The first {one.summary}; the second {two.summary}."
    if one.failure != two.failure:
        return Verdict(relation=Relation.FAILURE, explanation=told)
    if one.allowed != two.allowed or one.code != two.code:
        return Verdict(relation=Relation.VERDICT, explanation=told)
    differences, random = _differences(first, second)
    if differences:
        return Verdict(
            relation=Relation.OBJECT,
            differences=differences,
            explanation=_explained(differences),
            random=random,
        )
    if _warnings_differ(first, second):
        told = f"The first warns: {list(one.warnings)}; the second: {list(two.warnings)}."
        return Verdict(relation=Relation.WARNINGS, explanation=told, random=random)
    same = one.patch_bytes == two.patch_bytes
    relation = Relation.EQUAL if same else Relation.OTHER_PATCH
    return Verdict(relation=relation, random=random)


def _unsteady(answers: Answers) -> str:
    """What is wrong with a webhook that does not even decide the same way twice."""
    effects = answers.effects
    if len({(each.failure, each.allowed, each.code) for each in effects}) == 1:
        return ""
    url = answers.first.exchange.webhook.url
    return f"{url}: {effects[0].summary}, and then {effects[1].summary}."


def _warnings_differ(first: Answers, second: Answers) -> bool:
    """Not those that one webhook words differently from one time to the next."""
    steady = all(len({each.warnings for each in side.effects}) == 1 for side in (first, second))
    return steady and first.effect.warnings != second.effect.warnings


def _differences(first: Answers, second: Answers) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """Where the objects differ, and the paths at which that is by chance."""
    one, two = first.effect.result, second.effect.result
    if one is None or two is None:
        return (), ()
    observation = first.first
    random = {change.path for side in (first, second) for change in _own_changes(side)}
    found: list[Difference] = []
    set_aside: list[str] = []
    for change in _compare_objects(one, two, observation):
        if _is_random(change.path, random):
            set_aside.append(change.path)
        else:
            found.append(_difference(change, observation.sent))
    return tuple(found), tuple(set_aside)


def _own_changes(answers: Answers) -> Sequence[Change]:
    """What differs between two answers of one webhook."""
    results = [effect.result for effect in answers.effects]
    one, *others = results
    if one is None or not others or others[0] is None:
        return ()
    return _compare_objects(one, others[0], answers.first)


def _is_random(path: str, random: set[str]) -> bool:
    """Whether a path, or the whole it is part of, is one a webhook does not repeat."""
    return any(
        path == each or path.startswith((f"{each}.", f"{each}[", each + "{")) for each in random
    )


def _compare_objects(
    one: JsonObject, other: JsonObject, observation: Observation
) -> Sequence[Change]:
    if not isinstance(observation, PlainObservation):
        return compare_pods(one, other, observation.schema)
    # Anything else is compared below a name of its own, by likeness where lists have no keys.
    changes = compare_pods({"spec": one}, {"spec": other}, _ANYTHING)
    return [_moved_up(change) for change in changes]


_ANY = FieldSchema(kind=Kind.ANY)
_ANYTHING = FieldSchema(kind=Kind.OBJECT, members={"metadata": _ANY, "spec": _ANY})


def _moved_up(change: Change) -> Change:
    return Change(
        kind=change.kind,
        path=change.path.removeprefix("spec").removeprefix("."),
        field=change.field.removeprefix("spec").removeprefix("."),
        before=change.before,
        after=change.after,
    )


_ONLY_IN_FIRST = {ChangeKind.LOST, ChangeKind.ENTRY_LOST, ChangeKind.ELEMENT_LOST}
_ONLY_IN_SECOND = {ChangeKind.ADDED, ChangeKind.ELEMENT_ADDED}


def _difference(change: Change, sent: JsonObject) -> Difference:
    before = value_at(sent, change.path) if change.path else ABSENT
    return Difference(
        path=change.path,
        field=change.field,
        side=_side(change, before),
        sent=before,
        first=change.before,
        second=change.after,
    )


def _side(change: Change, sent: JsonValue | Absent) -> Side:
    was_there = not isinstance(sent, Absent)
    if change.kind in _ONLY_IN_FIRST:
        return Side.SECOND_LOSES if was_there else Side.FIRST_ADDS
    if change.kind in _ONLY_IN_SECOND:
        return Side.FIRST_LOSES if was_there else Side.SECOND_ADDS
    if was_there and sent == change.before:
        return Side.SECOND_CHANGES
    if was_there and sent == change.after:
        return Side.FIRST_CHANGES
    return Side.DIFFERENT


def _explained(differences: Sequence[Difference]) -> str:
    return "; ".join(_counted(differences)) + "."


def _counted(differences: Sequence[Difference]) -> Iterator[str]:
    for side in Side:
        paths = [each.path for each in differences if each.side is side]
        if paths:
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            yield f"{side}: {paths[0]}{more}"
