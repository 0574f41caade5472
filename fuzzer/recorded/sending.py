"""How are recorded reviews sent once more?

Many side by side, their results in order, as many a second as is allowed. What is sent is the
review as it was recorded, with a uid of its own and `dryRun` set: nothing is to happen twice.
"""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice
from typing import Final, TypeVar

from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.fuzzer.transports import Transport

AHEAD: Final = 48
"""Reviews handed to the transport before the oldest of them is done with."""

T = TypeVar("T")
R = TypeVar("R")


class Uids:
    """Draws uids: they must not repeat, they need not be secret, and a replay is repeatable."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - see above

    def draw(self) -> str:
        """A new one."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def fresh_review(review: JsonObject, uid: str) -> JsonObject:
    """A recorded review as another call: with this uid, and as a dry run; the rest is shared.

    `options.dryRun` says the same as `dryRun` does (metav1.CreateOptions and its like).
    """
    request = dict(object_at(review, "request"))
    request["uid"], request["dryRun"] = uid, True
    if isinstance(options := request.get("options"), dict):
        request["options"] = {**options, "dryRun": ["All"]}
    return {**review, "request": request}


class PacedTransport:
    """Another transport, called at most `per_second` times a second."""

    def __init__(self, transport: Transport, per_second: float) -> None:
        self._transport = transport
        self._interval = 1 / per_second
        self._next = 0.0

    async def send(self, review: JsonObject) -> Exchange:
        """Send `review` when its time has come."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        self._next = at + self._interval
        if at > now:
            await asyncio.sleep(at - now)
        return await self._transport.send(review)


async def in_order(
    things: Iterable[T], work: Callable[[T], Awaitable[R]], *, ahead: int = AHEAD
) -> AsyncIterator[tuple[T, R]]:
    """Every thing with what came of it, in their order, worked on side by side.

    Things are drawn as there is room for them. Whoever stops listening ends the work.
    """
    waiting, begun = iter(things), deque[tuple[T, asyncio.Future[R]]]()
    try:
        while True:
            for thing in islice(waiting, ahead - len(begun)):
                begun.append((thing, asyncio.ensure_future(work(thing))))
            if not begun:
                return
            thing, result = begun[0]
            done = await result
            begun.popleft()
            yield thing, done
    finally:
        for _, result in begun:
            result.cancel()
        await asyncio.gather(*(result for _, result in begun), return_exceptions=True)
