"""Which requests of a recording do two webhooks answer differently?

An old and a new version of the same one, usually: both are sent the same reviews, as they were
recorded and with new fields on. Where the answers differ in what they come to, both are asked once
more with another uid, which shows what is mere chance (`comparing.py`).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook_fuzz.corpora.exchanges import WebhookIdentity, was_reached
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.isolation import is_blocked
from webhook_fuzz.fuzzer.judges import MOST_UNANSWERED
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.plans import Plan, build_plan
from webhook_fuzz.fuzzer.recorded.comparing import Answers, Compared, are_alike, compare
from webhook_fuzz.fuzzer.recorded.enriching import make_seeds, name_of, plan_for, users_of
from webhook_fuzz.fuzzer.recorded.replaying import (
    BLOCKED,
    NOT_CREATED,
    ReplayOptions,
    observe,
    recorded_case,
)
from webhook_fuzz.fuzzer.recorded.requests import is_creation
from webhook_fuzz.fuzzer.recorded.sending import Uids, fresh_review, in_order
from webhook_fuzz.fuzzer.recorded.shapes import Sample
from webhook_fuzz.fuzzer.transports import Transport

Users: TypeAlias = Mapping[tuple[str, str, str], JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One of the two webhooks."""

    webhook: WebhookIdentity
    transport: Transport


@dataclass(slots=True, kw_only=True)
class Differential:
    """Recorded reviews, sent to two webhooks.

    `complete` is False where one of them was not there; `not_enriched` counts reviews by the reason
    why their pods were not given new fields.
    """

    samples: Sequence[Sample]
    first: Party
    second: Party
    options: ReplayOptions = field(default_factory=ReplayOptions)
    plan: Plan = field(init=False)
    complete: bool = True
    seeds: tuple[SeedPod, ...] = ()
    not_enriched: Counter[str] = field(default_factory=Counter[str])
    _uids: Uids = field(init=False)
    _silent: int = 0

    def __post_init__(self) -> None:
        self.plan = build_plan(self.options.target, random_seed=self.options.random_seed)
        self._uids = Uids(self.options.random_seed)

    async def events(self) -> AsyncIterator[Compared]:
        """Every request compared, in order: all as recorded, then those with new fields."""
        accepted: list[tuple[Sample, bool]] = []
        async for sample, compared in in_order(self.samples, self._compare_recorded):
            yield compared
            if self._is_silent(compared):
                self.complete = False
                return
            if self._can_be_enriched(compared):
                patched = bool(compared.first.operations or compared.second.operations)
                accepted.append((sample, patched))
        if not self.options.enrich:
            return
        self.seeds = make_seeds(accepted, self.plan.schema, self.not_enriched)
        if not self.seeds:
            return
        self.plan = plan_for(self.seeds, self.options.target, self.options.random_seed)
        async for compared in self._enriched([sample for sample, _ in accepted]):
            yield compared

    async def _enriched(self, samples: Sequence[Sample]) -> AsyncIterator[Compared]:
        users = users_of(samples)
        counts = {f"recorded-{sample.number}": sample for sample in samples}

        async def ask(case: Case) -> Compared:
            sample = counts[case.seed]
            review = self._review_of(case, users)
            return await self._compare(case, sample, review)

        async for _, compared in in_order(self.plan.sweep.cases, ask):
            yield compared
            if self._is_silent(compared):
                self.complete = False
                return

    async def _compare_recorded(self, sample: Sample) -> Compared:
        review = sample.review
        case = recorded_case(sample, object_at(review, "request"))
        return await self._compare(case, sample, review)

    async def _compare(self, case: Case, sample: Sample, review: JsonObject) -> Compared:
        first, second = await self._ask_both(review)
        one, two = Answers(first=first), Answers(first=second)
        if not are_alike(first, second):
            first_again, second_again = await self._ask_both(review)
            one = Answers(first=first, again=first_again)
            two = Answers(first=second, again=second_again)
        return Compared(
            case=case,
            id=sample.id,
            stands_for=sample.count,
            first=first,
            second=second,
            verdict=compare(one, two),
        )

    async def _ask_both(self, review: JsonObject) -> tuple[Observation, Observation]:
        """With the same uid: what is made of it is the same then."""
        fresh = fresh_review(review, self._uids.draw())
        one, other = await asyncio.gather(
            self.first.transport.send(fresh), self.second.transport.send(fresh)
        )
        return observe(one, self.plan), observe(other, self.plan)

    def _review_of(self, case: Case, users: Users) -> JsonObject:
        options = ReviewOptions(api_server=self.plan.target, uid="", namespace=case.namespace)
        review = build_review(case.pod, options)
        request = object_at(review, "request")
        user = users.get(name_of(request))
        return review if user is None else {**review, "request": {**request, "userInfo": user}}

    def _can_be_enriched(self, compared: Compared) -> bool:
        if not is_creation(object_at(compared.first.exchange.review, "request")):
            self.not_enriched[NOT_CREATED] += 1
            return False
        if is_blocked(compared.first) or is_blocked(compared.second):
            self.not_enriched[BLOCKED] += 1
            return False
        return True

    def _is_silent(self, compared: Compared) -> bool:
        """Whether nobody has been there for a while, on one side or the other."""
        reached = all(
            was_reached(each.exchange.outcome) for each in (compared.first, compared.second)
        )
        self._silent = 0 if reached else self._silent + 1
        return self._silent >= min(MOST_UNANSWERED, len(self.samples))
