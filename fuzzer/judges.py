"""How is one case sent and judged, and many of them side by side?"""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.exchanges import was_reached
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.likenesses import is_alike
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.transports import Transport

CASES_AHEAD = 48
"""Cases made and handed to the transport before the oldest of them is judged."""

# Answers judged in one go: by turns, sending and judging push each other out of the processor's
# caches, and a sweep takes a tenth longer (506 us of processor time a call, 450 in batches).
_BATCH = 16
# Whoever watches a slow webhook does not wait for a whole batch.
_BATCH_SECONDS = 0.05

_NOTHING_EARLIER: Mapping[str, CaseJudged] = MappingProxyType({})

MOST_UNANSWERED = 12
"""Calls in a row that reach nobody before the rest of a sweep is given up."""


class SilentError(Exception):
    """The webhook stopped being there."""


@dataclass(kw_only=True)
class Judge:
    """Sends cases to one webhook and judges the answers. `version` is that of the reviews sent."""

    plan: Plan
    transport: Transport
    version: ReviewVersion = "v1"
    _random: random.Random = field(init=False)
    _unanswered: int = 0

    def __post_init__(self) -> None:
        # Uids must not repeat, they need not be secret, and a run must be repeatable.
        self._random = random.Random(self.plan.random_seed)  # noqa: S311

    async def judge_all(
        self, cases: Iterable[Case], *, earlier: Mapping[str, CaseJudged] = _NOTHING_EARLIER
    ) -> AsyncIterator[CaseJudged]:
        """Send side by side, yield in order; whoever stops listening stops the calls.

        Pods are made while others are under way, not all before the first is sent. `earlier` are
        cases without a trigger, by name, whose findings hold for what is answered alike.
        """
        waiting, sent = iter(cases), deque[_Sent]()
        try:
            while True:
                for case in islice(waiting, CASES_AHEAD - len(sent)):
                    sent.append(_Sent(case, asyncio.create_task(self._observe(case))))
                if not sent:
                    return
                await _wait_for_batch(sent)
                while sent and sent[0].observing.done():
                    case, observing = sent[0]
                    event = _judged(case, await observing, earlier.get(case.name))
                    sent.popleft()
                    yield event
                    self._note_silence(event.observation)
        finally:
            for _, observing in sent:
                observing.cancel()
            await asyncio.gather(*(one.observing for one in sent), return_exceptions=True)

    def _note_silence(self, observation: Observation) -> None:
        """Raise once nobody has answered for a while: each further call costs a time-out."""
        self._unanswered = 0 if was_reached(observation.exchange.outcome) else self._unanswered + 1
        if self._unanswered >= MOST_UNANSWERED:
            raise SilentError

    async def judge(self, case: Case) -> CaseJudged:
        """Send one case and run every check on what came of it."""
        return _judged(case, await self._observe(case), None)

    async def _observe(self, case: Case) -> Observation:
        options = ReviewOptions(
            api_server=self.plan.target,
            uid=str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            namespace=case.namespace,
            version=self.version,
        )
        exchange = await self.transport.send(build_review(case.pod, options))
        return Observation(
            exchange=exchange,
            catalogue=self.plan.catalogue,
            target=self.plan.target,
            trigger=case.trigger,
        )


class _Sent(NamedTuple):
    case: Case
    observing: asyncio.Task[Observation]


async def _wait_for_batch(sent: Iterable[_Sent]) -> None:
    """Until the oldest calls have ended, a batch of them or those that end soon."""
    batch = [one.observing for one in islice(sent, _BATCH)]
    await asyncio.wait(batch, timeout=_BATCH_SECONDS)


def _judged(case: Case, observation: Observation, earlier: CaseJudged | None) -> CaseJudged:
    """What every check finds, or what they found on an earlier case that was answered alike."""
    if earlier is not None and is_alike(case, observation, earlier):
        return CaseJudged(
            case=case,
            observation=observation,
            findings=earlier.findings,
            alike=earlier.observation,
        )
    return CaseJudged(case=case, observation=observation, findings=tuple(run_checks(observation)))
