"""How does one call of `DirectTransport` to a server of a test end?"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from authorities import Authority
from hostile_servers import Behaviour, Conversation, HostileServer
from webhook_fuzz.corpora.exchanges import CallFailure, Exchange, FailureKind
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport

REVIEW: JsonObject = {"kind": "AdmissionReview", "request": {"uid": "1", "object": {"a": "<&>"}}}
ANSWER = b'{"kind":"AdmissionReview"}'
Serving = Callable[[Behaviour], AbstractAsyncContextManager[HostileServer]]


async def answers(talk: Conversation) -> None:
    await talk.answer(ANSWER, headers="Content-Type: application/json\r\n")


async def send_once(options: DirectOptions) -> Exchange:
    async with DirectTransport(options) as transport:
        return await transport.send(REVIEW)


async def failure_of(options: DirectOptions, kind: FailureKind) -> CallFailure:
    outcome = (await send_once(options)).outcome
    assert isinstance(outcome, CallFailure), outcome
    assert outcome.kind is kind, outcome
    assert "\n" not in outcome.detail
    return outcome


@asynccontextmanager
async def options_for(
    behaviour: Behaviour, serving: Serving, authority: Authority, seconds: float = 5.0
) -> AsyncGenerator[DirectOptions]:
    async with serving(behaviour) as server:
        yield DirectOptions(url=server.url(), ca_file=authority.ca_file, timeout_seconds=seconds)
