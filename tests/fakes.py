"""What stands in for the outside world in tests, behind the project's own seams only."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from webhook_fuzz.corpora.exchanges import (
    Answered,
    CallFailure,
    Exchange,
    FailureKind,
    Outcome,
    WebhookIdentity,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program

Respond: TypeAlias = Callable[[JsonObject], Outcome]

IDENTITY = WebhookIdentity(configuration="tests", name="fake", url="https://127.0.0.1/mutate")
TIMEOUT_SECONDS = 10.0
MOST_BYTES = 8 * 1024 * 1024


class FakeTransport:
    """Carries reviews to a function instead of a webhook, and remembers them in order.

    `most` calls are under way at once, as with a real transport; with `pause` the event loop gets
    a turn during every call, so that calls side by side really are.
    """

    def __init__(self, respond: Respond, *, pause: bool = False) -> None:
        self.reviews: list[JsonObject] = []
        self.finished = 0
        self.cancelled = 0
        self._respond = respond
        self._pause = pause

    async def send(self, review: JsonObject) -> Exchange:
        """The exchange `respond` makes of the review."""
        self.reviews.append(review)
        if self._pause:
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        outcome = self._respond(review)
        self.finished += 1
        return Exchange(webhook=IDENTITY, review=review, outcome=outcome, seconds=0.001)


def outcome_of(answer: Answer) -> Outcome:
    """How a call ends that a specimen answers so, with the limits the API server has."""
    if answer.delay_seconds > TIMEOUT_SECONDS:
        return CallFailure(kind=FailureKind.TIMEOUT, detail="no answer within 10 s")
    if answer.status != 200:
        return CallFailure(
            kind=FailureKind.STATUS,
            detail=f"status {answer.status}",
            status=answer.status,
            body=answer.body[:512],
        )
    if len(answer.body) + answer.padding_bytes > MOST_BYTES:
        return CallFailure(kind=FailureKind.TOO_LARGE, detail="the answer is larger than 8 MiB")
    return Answered(status=200, content_type=answer.content_type, body=answer.body)


def specimen_transport(program: Program) -> FakeTransport:
    """A transport to a specimen's program, without sockets."""
    return FakeTransport(lambda review: outcome_of(program(review)))
