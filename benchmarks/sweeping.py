"""How much of the rate of a bare HTTP client is left when a webhook is swept?

Both send the same reviews to the same webhook, which another process serves over TLS, with eight
calls under way and kept-alive connections. The sweep builds and encodes the reviews, judges the
answers and folds them; the bare client posts bytes that are ready and throws the answers away.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import aiohttp

from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit, alternate
from benchmarks.serving import Served, served_elsewhere
from benchmarks.subjects import sweep_plan
from webhook_fuzz.corpora.exchanges import Answered, Exchange, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.reviews import encode_review
from webhook_fuzz.fuzzer.engine import WebhookSweep
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.fuzzer.specimens.programs import Specimen
from webhook_fuzz.fuzzer.transports import Transport
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport

_SPECIMEN = "perfect"
_CONCURRENCY = 8


def measure(effort: Effort) -> Iterator[Figure]:
    """Calls a second, from the first connection to the last finding."""
    plan = sweep_plan(effort.triggers)
    bodies = asyncio.run(bodies_of_sweep(plan, get_specimen(_SPECIMEN)))
    with served_elsewhere(_SPECIMEN) as served:
        ours, other = alternate(
            lambda: asyncio.run(_rate(lambda: sweep(plan, served), len(bodies))),
            lambda: asyncio.run(_rate(lambda: post(bodies, served), len(bodies))),
            effort,
        )
    yield Figure(
        name="sweep a webhook, all triggers",
        other_name="bare aiohttp client, same bodies",
        unit=Unit.RATE,
        ours=ours,
        other=other,
        goal=Goal(of=Measured.RATIO, bound=0.7),
    )


async def bodies_of_sweep(plan: Plan, specimen: Specimen) -> list[bytes]:
    """Every body a sweep of the specimen sends; a sweep repeats itself to the byte."""
    transport = _Recording(specimen)
    await _sweep_over(transport, plan)
    return transport.bodies


async def sweep(plan: Plan, served: Served) -> int:
    """Sweep a webhook as the command line does; how many calls that took."""
    options = DirectOptions(url=served.url, ca_file=served.ca_file, concurrency=_CONCURRENCY)
    async with DirectTransport(options) as transport:
        return await _sweep_over(transport, plan)


async def post(bodies: Sequence[bytes], served: Served) -> int:
    """Post every body and read the answer; how many answers were a 200."""
    context = ssl.create_default_context(cafile=str(served.ca_file))
    connector = aiohttp.TCPConnector(limit=_CONCURRENCY, ssl=context)
    waiting, answered = iter(bodies), 0
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def work() -> None:
            nonlocal answered
            for body in waiting:
                async with session.post(served.url, data=body) as response:
                    await response.read()
                    answered += response.status == 200

        await asyncio.gather(*(work() for _ in range(_CONCURRENCY)))
    return answered


class _Recording:
    """Keeps the bodies; the specimen answers at once."""

    def __init__(self, specimen: Specimen) -> None:
        self.bodies: list[bytes] = []
        self._specimen = specimen
        self._webhook = WebhookIdentity(configuration="benchmarks", name="recorded", url="")

    async def send(self, review: JsonObject) -> Exchange:
        self.bodies.append(encode_review(review))
        answer = self._specimen.answer(review)
        outcome = Answered(status=answer.status, content_type=answer.content_type, body=answer.body)
        return Exchange(webhook=self._webhook, review=review, outcome=outcome, seconds=0.0)


async def _sweep_over(transport: Transport, plan: Plan) -> int:
    webhook = WebhookIdentity(configuration="benchmarks", name="measured", url="")
    engine = WebhookSweep(plan=plan, webhook=webhook, transport=transport)
    async for _ in engine.events():
        pass
    if not engine.tally.complete:
        raise RuntimeError("the sweep was given up: its rate means nothing")
    return engine.tally.answered


async def _rate(work: Callable[[], Awaitable[int]], calls: int) -> float:
    """Calls a second. Raises RuntimeError unless all of them were answered."""
    started = time.perf_counter()
    answered = await work()
    seconds = time.perf_counter() - started
    if answered != calls:
        raise RuntimeError(f"{answered} of {calls} calls were answered: their rate means nothing")
    return calls / seconds
