"""How is one case sent and judged, and many of them side by side?"""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.exchanges import was_reached
from webhook_fuzz.fuzzer.apiserver.answers import AnswerReader
from webhook_fuzz.fuzzer.apiserver.reviews import PodWriter, ReviewOptions, build_review
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.likenesses import is_alike
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.transports import Transport, slots_of

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
    _reader: AnswerReader = field(default_factory=AnswerReader, init=False)
    _writer: PodWriter = field(init=False)
    _unanswered: int = 0

    def __post_init__(self) -> None:
        # Uids must not repeat, they need not be secret, and a run must be repeatable.
        self._random = random.Random(self.plan.random_seed)  # noqa: S311
        self._writer = PodWriter(self.plan.target)

    async def judge_all(
        self, cases: Iterable[Case], *, earlier: Mapping[str, CaseJudged] = _NOTHING_EARLIER
    ) -> AsyncIterator[CaseJudged]:
        """Send side by side, yield in order; whoever stops listening stops the calls.

        Pods are made while others are under way, not all before the first is sent. `earlier` are
        cases without a trigger, by name, whose findings hold for what is answered alike.
        """
        calls = _Calls(self._observe, slots_of(self.transport) or CASES_AHEAD)
        waiting, sent = map(_Call, cases), deque[_Call]()
        try:
            while True:
                ahead = list(islice(waiting, CASES_AHEAD - len(sent)))
                calls.start(ahead)
                sent.extend(ahead)
                if not sent:
                    return
                await calls.wait_for(islice(sent, _BATCH), _BATCH_SECONDS)
                while sent and sent[0].ended:
                    call = sent.popleft()
                    event = _judged(call.case, call.result(), earlier.get(call.case.name))
                    yield event
                    self._note_silence(event.observation)
        finally:
            await calls.stop()

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
        review = build_review(case.pod, options, writer=self._writer)
        exchange = await self.transport.send(review)
        return Observation(
            exchange=exchange,
            catalogue=self.plan.catalogue,
            target=self.plan.target,
            trigger=case.trigger,
            reader=self._reader,
        )


@dataclass(slots=True, eq=False)
class _Call:
    """One case on its way; `ended` once there is an observation, or an error of ours."""

    case: Case
    ended: bool = False
    observation: Observation | None = None
    error: BaseException | None = None

    def result(self) -> Observation:
        """What came of the call. Raises what it ended in."""
        if self.observation is None:
            raise self.error or asyncio.CancelledError
        return self.observation


class _Calls:
    """Makes calls side by side, as many at once as there are slots, each worker one at a time.

    A task for every call, most of them waiting for a slot of the transport, took 8 us more a call.
    """

    def __init__(self, observe: Callable[[Case], Awaitable[Observation]], slots: int) -> None:
        self._observe = observe
        self._slots = slots
        self._waiting: deque[_Call] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        # What `wait_for` waits for: the calls that are missing, and whom to tell when none is.
        self._missing: set[_Call] = set()
        self._told: asyncio.Future[None] | None = None

    def start(self, calls: Iterable[_Call]) -> None:
        """Make these calls as soon as there is a slot for them, in their order."""
        self._waiting.extend(calls)
        for _ in range(min(len(self._waiting), self._slots - len(self._workers))):
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def wait_for(self, calls: Iterable[_Call], seconds: float) -> None:
        """Until all of these calls have ended, but not longer than so many seconds."""
        self._missing = {call for call in calls if not call.ended}
        if self._missing:
            self._told = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._told], timeout=seconds)
            self._told = None

    async def stop(self) -> None:
        """Cancel what is under way and wait for its end."""
        self._waiting.clear()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            call = self._waiting.popleft()
            try:
                call.observation = await self._observe(call.case)
            except BaseException as error:
                call.error = error
                if not isinstance(error, Exception):
                    raise
            finally:
                call.ended = True
                self._tell(call)

    def _tell(self, call: _Call) -> None:
        self._missing.discard(call)
        if not self._missing and self._told is not None and not self._told.done():
            self._told.set_result(None)


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
