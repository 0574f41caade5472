"""Is waited until the proxy is called, and until it is not any more, and is said which was seen?"""

from collections import Counter
from collections.abc import Callable

import pytest

from webhook_fuzz.corpora.cluster_api.failures import Trouble, cluster_error
from webhook_fuzz.proxy.interception.waiting import (
    Patience,
    Probe,
    Probes,
    wait_until_called,
    wait_until_left,
)

A, B = "mesh/a", "mesh/b"
QUICK = Patience(settle=0.05, single=0.01, most=1.0, poll=0.005, count=0.02)


class Servers:
    """API servers that notice a change after some requests each."""

    def __init__(self) -> None:
        self.asked = Counter[int]()
        self.seen = Counter[str]()

    def probe(self, name: str, *, server: int = 0, after: int = 0, until: int = 10**9) -> Probe:
        """The webhook is called at the proxy from request `after` on, and up to `until`."""

        async def probe() -> None:
            self.asked[server] += 1
            if after < self.asked[server] <= until:
                self.seen[name] += 1

        return probe


async def refused() -> None:
    raise cluster_error("POST", "you may not", Trouble.FORBIDDEN)


async def test_a_probe_is_sent_until_the_proxy_sees_it() -> None:
    servers = Servers()
    probes = Probes(by_webhook={A: [servers.probe(A, after=3)]}, api_servers=1)
    waited = await wait_until_called([A], probes, seen=lambda: servers.seen, patience=QUICK)
    assert servers.asked[0] == 4
    assert waited.seen == (A,)
    assert waited.every_server
    assert "every API server was seen to call the proxy for 1" in waited.describe(5)


async def test_each_api_server_is_asked_until_it_follows() -> None:
    servers = Servers()
    by_server = [servers.probe(A, server=0), servers.probe(A, server=1, after=5)]
    waited = await wait_until_called(
        [A],
        Probes(by_webhook={A: by_server}, api_servers=2),
        seen=lambda: servers.seen,
        patience=QUICK,
    )
    assert servers.asked[1] == 6
    assert waited.every_server


@pytest.mark.parametrize("known", [None, 3])
async def test_it_does_not_claim_more_than_it_saw(known: int | None) -> None:
    servers = Servers()
    probes = Probes(by_webhook={A: [servers.probe(A)]}, api_servers=known)
    waited = await wait_until_called([A, B], probes, seen=lambda: servers.seen, patience=QUICK)
    assert not waited.every_server
    assert (waited.seen, waited.settled) == ((A,), (B,))
    assert waited.describe(5) == (
        "the API server was seen to call the proxy for 1; "
        "1 could not be tried out and had 5 s to be noticed"
    )


@pytest.mark.parametrize("probe", [refused, Servers().probe(B)])
async def test_what_cannot_be_tried_out_or_never_comes_has_time_to_settle(probe: Probe) -> None:
    brief = Patience(settle=0.01, single=0.0, most=0.05, poll=0.005, count=0.01)
    waited = await wait_until_called(
        [A], Probes(by_webhook={A: [probe]}, api_servers=1), seen=Counter, patience=brief
    )
    assert (waited.seen, waited.settled) == ((), (A,))


async def test_without_counts_it_settles() -> None:
    servers = Servers()
    probes = Probes(by_webhook={A: [servers.probe(A)]}, api_servers=1)
    waited = await wait_until_called([A], probes, seen=None, patience=QUICK)
    assert waited.settled == (A,)
    assert not servers.asked


async def test_on_the_way_out_it_waits_until_no_call_comes() -> None:
    servers = Servers()
    probes = Probes(by_webhook={A: [servers.probe(A, until=7)]})
    assert await wait_until_left([A], probes, seen=lambda: servers.seen, patience=QUICK)
    assert servers.asked[0] > 7


async def test_it_does_not_wait_for_ever_for_calls_to_end() -> None:
    servers = Servers()
    probes = Probes(by_webhook={A: [servers.probe(A)]})
    brief = Patience(settle=0.05, single=0.0, most=0.1, poll=0.005, count=0.01)
    assert not await wait_until_left([A], probes, seen=lambda: servers.seen, patience=brief)


@pytest.mark.parametrize("seen", [None, Counter])
async def test_where_nothing_comes_it_is_over_after_the_settling_time(
    seen: Callable[[], Counter[str]] | None,
) -> None:
    assert await wait_until_left([A], Probes(), seen=seen, patience=QUICK)
