"""How is one case sent and judged, and many of them side by side?"""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from itertools import islice

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.exchanges import was_reached
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.transports import Transport

CASES_AHEAD = 32
"""Cases made and handed to the transport before the oldest of them is judged."""

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

    async def judge_all(self, cases: Iterable[Case]) -> AsyncIterator[CaseJudged]:
        """Send side by side, yield in order; whoever stops listening stops the calls.

        Pods are made while others are under way, not all before the first is sent.
        """
        waiting, tasks = iter(cases), deque[asyncio.Task[CaseJudged]]()
        try:
            while True:
                for case in islice(waiting, CASES_AHEAD - len(tasks)):
                    tasks.append(asyncio.create_task(self.judge(case)))
                if not tasks:
                    return
                event = await tasks[0]
                tasks.popleft()
                yield event
                self._note_silence(event.observation)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _note_silence(self, observation: Observation) -> None:
        """Raise once nobody has answered for a while: each further call costs a time-out."""
        self._unanswered = 0 if was_reached(observation.exchange.outcome) else self._unanswered + 1
        if self._unanswered >= MOST_UNANSWERED:
            raise SilentError

    async def judge(self, case: Case) -> CaseJudged:
        """Send one case and run every check on what came of it."""
        observation = await self._observe(case)
        return CaseJudged(
            case=case, observation=observation, findings=tuple(run_checks(observation))
        )

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
