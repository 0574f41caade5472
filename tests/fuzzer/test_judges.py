"""Are many cases judged in order, promptly, and each by what it was answered?"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from fakes import FakeTransport, outcome_of, specimen_transport
from quality.sweeping import plan_of
from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.generation.packing import with_trigger
from webhook_fuzz.fuzzer.judges import CASES_AHEAD, Judge
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.transports import Transport

PERFECT = SPECIMENS["perfect"].answer


class Held:
    """A webhook that answers the first calls and holds back the others until it is let go."""

    def __init__(self, answered: int) -> None:
        self.let_go = asyncio.Event()
        self.calls = 0
        self._answered = answered
        self._inner = specimen_transport(PERFECT)

    async def send(self, review: JsonObject) -> Exchange:
        self.calls += 1
        if self.calls > self._answered:
            await self.let_go.wait()
        return await self._inner.send(review)


class Counted(Held):
    """Says how many calls it takes at a time, and counts those under way."""

    concurrency = 3

    def __init__(self) -> None:
        super().__init__(0)
        self.let_go.set()
        self.under_way = 0
        self.most = 0
        self.cancelled = 0

    async def send(self, review: JsonObject) -> Exchange:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.001)
            return await super().send(review)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1


class Broken:
    """Answers some calls and fails on the next by a fault of ours."""

    def __init__(self, answered: int) -> None:
        self.calls = 0
        self._answered = answered
        self._inner = specimen_transport(PERFECT)

    async def send(self, review: JsonObject) -> Exchange:
        self.calls += 1
        if self.calls > self._answered:
            raise OSError("of ours")
        return await self._inner.send(review)


def judge_over(transport: Transport) -> Judge:
    return Judge(plan=plan_of(), transport=transport)


def cases(count: int) -> list[Case]:
    known = plan_of().sweep.cases
    return [known[number % len(known)] for number in range(count)]


async def test_cases_are_judged_in_their_order_however_many_there_are() -> None:
    transport = FakeTransport(lambda review: outcome_of(PERFECT(review)), pause=True)
    sent = cases(CASES_AHEAD * 2 + 3)
    judged = [event async for event in judge_over(transport).judge_all(sent)]
    assert [event.case for event in judged] == sent
    assert all(event.patched for event in judged)


async def test_what_is_answered_is_judged_while_the_next_call_still_hangs() -> None:
    held = Held(3)
    events: AsyncIterator[CaseJudged] = judge_over(held).judge_all(cases(10))
    first = [await anext(events) for _ in range(3)]
    assert [event.case for event in first] == cases(3)
    assert not held.let_go.is_set()
    held.let_go.set()
    assert len([event async for event in events]) == 7


async def test_what_was_judged_before_an_error_of_ours_is_told_before_it() -> None:
    events: AsyncIterator[CaseJudged] = judge_over(Broken(2)).judge_all(cases(9))
    assert [(await anext(events)).case for _ in range(2)] == cases(2)
    with pytest.raises(OSError, match="of ours"):
        await anext(events)


async def test_as_many_calls_are_begun_as_the_transport_takes_at_a_time() -> None:
    counted = Counted()
    judged = [event async for event in judge_over(counted).judge_all(cases(40))]
    assert [event.case for event in judged] == cases(40)
    assert counted.most == 3


async def test_whoever_stops_listening_stops_the_calls_under_way_and_those_to_come() -> None:
    counted = Counted()
    events = judge_over(counted).judge_all(cases(40))
    await anext(events)
    begun = counted.calls
    counted.let_go.clear()
    await asyncio.sleep(0.05)
    assert isinstance(events, AsyncGenerator)
    await events.aclose()
    assert counted.under_way == 0
    assert counted.cancelled == 3
    assert counted.calls - begun <= 6


async def test_a_call_that_is_cancelled_from_inside_is_not_waited_for() -> None:
    class Cancelling:
        async def send(self, review: JsonObject) -> Exchange:
            raise asyncio.CancelledError

    events = judge_over(Cancelling()).judge_all(cases(2))
    with pytest.raises(asyncio.CancelledError):
        await anext(aiter(events))


async def test_findings_of_a_case_without_a_trigger_are_taken_over_where_they_hold() -> None:
    judge = judge_over(specimen_transport(SPECIMENS["overwrites-value"].answer))
    (case,) = cases(1)
    earlier = await judge.judge(case)
    adding = with_trigger(case, Trigger(name="t", labels={"agent": "on"}))
    setting = with_trigger(case, Trigger(name="s", service_account_name="robot"))
    judging = judge.judge_all([adding, setting], earlier={case.name: earlier})
    taken, anew = [event async for event in judging]
    assert earlier.findings
    assert taken.findings is earlier.findings
    assert taken.alike is earlier.observation
    assert anew.alike is None
    assert anew.findings == tuple(run_checks(anew.observation))
