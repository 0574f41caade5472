"""By which way is each webhook of a chain reached?

A `Reach` is what `choosing.py` decided for one webhook; `Reaches` opens the transport behind it
when the first review is for it, and closes all of them at the end.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self, TypeAlias

from webhook_fuzz.corpora.admission import ReviewVersion
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.transports import Transport, Uncalled


class Way(StrEnum):
    """A way to a webhook, the best first; DRY_RUN is only through the whole chain."""

    URL = "url"
    SERVICE_NAME = "service-name"
    CLUSTER_IP = "cluster-ip"
    SERVICE_PROXY = "service-proxy"
    DRY_RUN = "dry-run"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedWay:
    """A way that was not taken, and why: one sentence."""

    way: Way
    reason: str


TransportFactory: TypeAlias = Callable[[], AbstractAsyncContextManager[Transport]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The way to one webhook. `why` says why this one, `refused` why none of the better ones.

    `version` is that of the reviews to send, None where the API server finds none either. `open`
    makes the transport; None where the webhook is not called by itself (DRY_RUN, NONE).
    """

    webhook: Webhook
    way: Way
    why: str
    version: ReviewVersion | None
    open: TransportFactory | None = field(default=None, repr=False)
    refused: tuple[RefusedWay, ...] = ()


class Reaches:
    """The ways to many webhooks; to be used as `async with Reaches(chosen) as caller:`."""

    def __init__(self, chosen: Iterable[Reach]) -> None:
        self._chosen = {reach.webhook.position: reach for reach in chosen}
        self._open: dict[int, Transport] = {}
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.clear()
        await self._stack.__aexit__(kind, error, trace)

    async def call(self, webhook: Webhook, review: JsonObject) -> Exchange | Uncalled:
        """Send `review` to `webhook` once, or say why that cannot be done."""
        reach = self._chosen.get(webhook.position)
        if reach is None or reach.open is None:
            return Uncalled(reason=reach.why if reach else "No way to it was looked for.")
        try:
            return await (await self._transport(reach, reach.open)).send(review)
        except ClusterError as error:
            return Uncalled(reason=f"The API server did not pass the call on: {error.message}.")

    async def _transport(self, reach: Reach, opened: TransportFactory) -> Transport:
        position = reach.webhook.position
        async with self._opening:
            if position not in self._open:
                self._open[position] = await self._stack.enter_async_context(opened())
            return self._open[position]
