"""What happens between a request that has arrived and the API server having its answer?

One call is one request to one webhook, sent exactly once. A connection known to be closed is not
used; after the request was written to one, nothing is sent again, because the webhook may have seen
it and mutations are not repeatable. Go's net/http does the same for a POST without Idempotency-Key
(`shouldRetryRequest`, `isReplayable`), and client-go repeats a POST only for `Retry-After`
(rest/with_retry.go): so the API server meets the outcome it would have met alone.
"""

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.proxy.forwarding.failures import (
    DIAL_ERRORS,
    Failed,
    Manner,
    dial_failure,
    failure,
    late,
)
from webhook_fuzz.proxy.forwarding.messages import (
    Answer,
    Request,
    redirect_below,
    render_answer,
    render_request,
    render_sentence,
)
from webhook_fuzz.proxy.forwarding.pools import UpstreamPool
from webhook_fuzz.proxy.forwarding.statistics import WebhookCounters
from webhook_fuzz.proxy.forwarding.upstream_connections import UpstreamConnection

HEAD: Final = b"HEAD"
POST: Final = b"POST"
# The API server's clock began to run before ours, so it has left by then; whoever has not is not
# kept for ever.
_HOLD_SECONDS: Final = 2.0


@dataclass(slots=True, kw_only=True)
class Place:
    """Where requests of one target go: found once, kept until the routes change.

    `prefix` is what the API server puts before the webhook's paths.
    """

    pool: UpstreamPool
    counters: WebhookCounters
    target: bytes
    authority: bytes | None
    timeout_seconds: float
    prefix: bytes = b""


class Caller(Protocol):
    """The API server's side of a call."""

    def wants_close(self) -> bool:
        """Whether the connection ends with this answer."""
        ...

    def deliver(self, data: bytes) -> None:
        """Send the complete answer; the call is over."""
        ...

    def pass_on(self, data: bytes) -> None:
        """Send a part of something that is passed on as it comes."""
        ...

    def end(self, manner: Manner) -> None:
        """End the connection in this manner; the call is over."""
        ...


class Listener(Protocol):
    """Is told of every call."""

    def began(self, call: "Call") -> None:
        """A call is under way."""
        ...

    def ended(self, call: "Call") -> None:
        """It is no more."""
        ...

    def concluded(self, place: Place, exchange: RawExchange) -> None:
        """The API server has what there was for it."""
        ...


class Call:
    """One request on its way to a webhook, and back."""

    __slots__ = (
        "_asked_at",
        "_caller",
        "_connection",
        "_dialling",
        "_held_until",
        "_listener",
        "_over",
        "_place",
        "_relayed",
        "_request",
        "_started",
        "_started_at",
        "_upstream_seconds",
        "held",
    )

    def __init__(
        self, request: Request, place: Place, *, caller: Caller, listener: Listener
    ) -> None:
        self.held = False
        self._request = request
        self._place = place
        self._caller = caller
        self._listener = listener
        self._connection: UpstreamConnection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._relayed: CallFailure | None = None
        self._over = False
        self._started_at = time.time()
        self._started = self._asked_at = time.perf_counter()
        self._upstream_seconds = 0.0
        self._held_until: asyncio.TimerHandle | None = None

    @property
    def deadline(self) -> float:
        """When the API server gives up, by the clock of `time.perf_counter`."""
        return self._started + self._place.timeout_seconds

    def start(self) -> None:
        """Ask the webhook, on a connection that is there or on a new one."""
        self._place.counters.in_flight += 1
        self._listener.began(self)
        connection = self._place.pool.checkout()
        if connection is not None:
            self._ask(connection)
        else:
            self._dialling = asyncio.get_running_loop().create_task(self._dial())

    def hang_up(self) -> None:
        """The API server has left: so does the webhook's connection."""
        if self._over:
            return
        if self._relayed is not None:
            self._conclude(self._relayed, hung_up=True)
            return
        waited = time.perf_counter() - self._started
        detail = f"the API server hung up after {waited:.3f} s, before there was an answer"
        self._conclude(failure(FailureKind.TIMEOUT, detail), hung_up=True)

    def pause(self) -> None:
        """The API server takes no more for now."""
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """The API server takes more."""
        if self._connection is not None:
            self._connection.resume()

    async def _dial(self) -> None:
        try:
            connection = await self._place.pool.dial()
        except DIAL_ERRORS as error:
            self._dialling = None
            self.lost(dial_failure(error, self._place.pool.upstream), b"")
        else:
            self._dialling = None
            self._ask(connection)

    def _ask(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        place, request = self._place, self._request
        data = render_request(
            request,
            place.target,
            authority=place.authority,
            authorization=connection.authorization,
        )
        connection.ask(self, data, to_head=request.method == HEAD)

    # what the webhook's connection says

    def answered(self, answer: Answer) -> None:
        """There is a complete answer."""
        self._connection = None
        self._upstream_seconds = time.perf_counter() - self._asked_at
        close = self._caller.wants_close()
        shown = redirect_below(answer, self._place.prefix) if self._place.prefix else answer
        self._caller.deliver(render_answer(shown, close=close))
        kept = RawAnswer(status=answer.status, headers=tuple(answer.headers), body=answer.body)
        self._conclude(kept)

    def lost(self, failed: Failed, begun: bytes) -> None:
        """There is none, or only the beginning of one."""
        self._connection = None
        self._upstream_seconds = time.perf_counter() - self._asked_at
        if failed.manner is Manner.HOLD:
            self._hold(failed.failure)
            return
        if begun:
            self._caller.pass_on(begun)
            self._caller.end(failed.manner)
        elif failed.manner is Manner.SAY:
            said = f"{failed.failure.kind}: {failed.failure.detail}"
            close = self._caller.wants_close()
            self._caller.deliver(render_sentence(HTTPStatus.BAD_GATEWAY, said, close=close))
        else:
            self._caller.end(failed.manner)
        self._conclude(failed.failure)

    def relayed(self, data: bytes, why: CallFailure) -> None:
        """The next bytes of an answer that is passed on as it comes."""
        self._relayed = why
        self._caller.pass_on(data)

    def relay_ended(self, manner: Manner) -> None:
        """Nothing more will come of it."""
        self._connection = None
        self._upstream_seconds = time.perf_counter() - self._asked_at
        self._caller.end(manner)
        if self._relayed is not None:
            self._conclude(self._relayed)

    # how it ends

    def time_out(self) -> None:
        """The time the API server gave is over."""
        upstream = self._place.pool.upstream
        connected = self._connection is not None
        where = f"{upstream.host}:{upstream.port}"
        failed = late(where, self._place.timeout_seconds, connected=connected)
        self._hold(self._relayed or failed.failure)

    def _hold(self, because: CallFailure) -> None:
        """Say nothing: the API server's own deadline is what ends this call for it."""
        self._conclude(because)
        self.held = True
        loop = asyncio.get_running_loop()
        remaining = max(0.0, self.deadline - time.perf_counter())
        self._held_until = loop.call_later(
            remaining + _HOLD_SECONDS, self._caller.end, Manner.CLOSE
        )

    def release(self) -> None:
        """Nobody is left to be held."""
        if self._held_until is not None:
            self._held_until.cancel()

    def _conclude(self, ended: RawAnswer | CallFailure, *, hung_up: bool = False) -> None:
        if self._over:
            return
        self._over = True
        self._listener.ended(self)
        now = time.perf_counter()
        place, request = self._place, self._request
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
        place.counters.in_flight -= 1
        if request.method != POST:
            place.counters.others += 1
            return
        exchange = RawExchange(
            webhook=place.pool.upstream.webhook,
            started_at=self._started_at,
            seconds=now - self._started,
            upstream_seconds=self._upstream_seconds or now - self._asked_at,
            target=request.target,
            request_headers=tuple(request.headers),
            request_body=request.body,
            answer=ended,
            hung_up=hung_up,
        )
        self._listener.concluded(place, exchange)
