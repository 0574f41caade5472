"""When does the API server really call the new address, and when no longer?

It learns of a changed configuration by watching, each API server for itself: a moment later, up to
seconds. Where a request is known that makes it call the webhook, it is sent (as a dry run) until
the proxy has seen the call; otherwise there is nothing but to let some time pass, and which of the
two it was is said. A connection that is kept alive does not matter: it belongs to an address.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from webhook_fuzz.corpora.cluster_api.failures import ClusterError

Probe: TypeAlias = Callable[[], Awaitable[None]]
"""Has one API server call the webhook. Raises ClusterError when nobody answers."""

Seen: TypeAlias = Callable[[], Mapping[str, int]]
"""How many exchanges there were at the proxy, by `CONFIG/NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """What can be asked of whom.

    `by_webhook` maps `CONFIG/NAME` to probes, one for each API server that has an address of its
    own; `api_servers` is how many there are, None where that could not be seen.
    """

    by_webhook: Mapping[str, Sequence[Probe]] = field(default_factory=dict[str, "Sequence[Probe]"])
    api_servers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Times in seconds.

    `single` is let pass after the only API server there is was seen to call. `settle` is let pass
    where nothing can be seen, and where there are, or may be, more of them: watches deliver within
    a second, five leave room for a busy one. `most` bounds all waiting.
    """

    settle: float = 5.0
    single: float = 1.0
    most: float = 60.0
    poll: float = 0.2
    # The proxy's counts come from its workers about once a second.
    count: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """How it became known: `seen` called the proxy, `settled` had time to.

    `every_server` says that each API server there is was seen to.
    """

    seen: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    every_server: bool = False

    def describe(self, seconds: float) -> str:
        """One sentence for people."""
        by = "every API server" if self.every_server else "the API server"
        parts: list[str] = []
        if self.seen:
            parts.append(f"{by} was seen to call the proxy for {len(self.seen)}")
        if self.settled:
            parts.append(
                f"{len(self.settled)} could not be tried out and had {seconds:g} s to be noticed"
            )
        return "; ".join(parts) or "nothing to wait for"


NO_PATIENCE: Final = Patience(settle=0.0, single=0.0, most=1.0, poll=0.01, count=0.1)
"""For whoever waits otherwise."""


async def wait_until_called(
    names: Sequence[str], probes: Probes, *, seen: Seen | None, patience: Patience
) -> Waited:
    """Until the webhooks are called at the proxy, as far as that can be seen."""
    deadline = asyncio.get_running_loop().time() + patience.most
    sent = {name: probes.by_webhook.get(name, ()) for name in names}
    called = [] if seen is None else [name for name in names if sent[name]]
    # One API server after the other: a call does not say which of them made it.
    for number in range(max((len(sent[name]) for name in called), default=0)):
        asked = [name for name in called if number < len(sent[name])]
        arrived = await asyncio.gather(
            *(
                _arrives(name, sent[name][number], seen, deadline=deadline, patience=patience)
                for name in asked
                if seen is not None
            )
        )
        missing = {name for name, came in zip(asked, arrived, strict=True) if not came}
        called = [name for name in called if name not in missing]
    settled = tuple(name for name in names if name not in called)
    least = min((len(sent[name]) for name in called), default=0)
    every = probes.api_servers is not None and least >= probes.api_servers
    alone = every and probes.api_servers == 1 and not settled
    await asyncio.sleep(patience.single if alone else patience.settle)
    return Waited(seen=tuple(called), settled=settled, every_server=every)


async def wait_until_left(
    names: Sequence[str], probes: Probes, *, seen: Seen | None, patience: Patience
) -> bool:
    """Until no call has come to the proxy for a while; False where some still did at the end.

    The settling time passes in any case: without `seen` it is all there is.
    """
    now = asyncio.get_running_loop().time
    deadline = now() + patience.most
    quiet_since, before = now(), _count(seen, names)
    while now() < deadline:
        for name in names:
            for probe in probes.by_webhook.get(name, ()) if seen is not None else ():
                await _send(probe)
        await asyncio.sleep(patience.poll)
        after = _count(seen, names)
        if after != before:
            quiet_since, before = now(), after
        if now() - quiet_since >= max(patience.settle, patience.single):
            return True
    return False


async def _arrives(
    name: str, probe: Probe, seen: Seen, *, deadline: float, patience: Patience
) -> bool:
    now = asyncio.get_running_loop().time
    while now() < deadline:
        before = seen().get(name, 0)
        if not await _send(probe):
            return False
        until = min(deadline, now() + patience.count)
        while now() < until:
            if seen().get(name, 0) > before:
                return True
            await asyncio.sleep(patience.poll)
    return False


async def _send(probe: Probe) -> bool:
    try:
        await probe()
    except ClusterError:  # an API server that cannot be asked; the settling time is left
        return False
    return True


def _count(seen: Seen | None, names: Sequence[str]) -> int:
    counts: Mapping[str, int] = {} if seen is None else seen()
    return sum(counts.get(name, 0) for name in names)
