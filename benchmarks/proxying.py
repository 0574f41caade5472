"""What does the proxy cost, beside others in its place, recording all the while?

Every round asks each of them in turn, the first one changing: the webhook directly, nginx with two
workers, mitmproxy, and our public command with one and with two workers. wrk measures how many
requests 16 connections get through, and the median at one; h2load measures the latency at 80 % of
what ours managed, and at the same rate without it. Before the next one is asked, ours has written
down what it still held.
"""

import contextlib
import gc
import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.constant_rates import Lateness, build_review, measure_lateness
from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit
from benchmarks.proxy_peers import (
    Peer,
    install_programs,
    make_certificates,
    make_mitmproxy,
    missing_programs,
    mitmproxy,
    mitmproxy_is_there,
    nginx,
    ours,
    program,
    webhook,
)

_DIRECT, _NGINX, _MITMPROXY = "no proxy", "nginx, 2 workers", "mitmproxy"
_ONE, _TWO = "ours, 1 worker", "ours, 2 workers"
_CONNECTIONS: Final = 16
_ROUNDS: Final = 5
_WRK_SECONDS: Final = 3
_STEADY_RATE: Final = 2000
_STEADY_SECONDS: Final = 30.0
_SHARE_OF_MAXIMUM: Final = 0.8
_LUA: Final = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
"""
_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}

_Rounds = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """The peers by name, and how to measure one."""

    peers: Mapping[str, Peer]
    folder: Path
    rounds: int
    seconds: int
    tick: Callable[[], None]

    def only(self, *names: str) -> "_Bench":
        """The same with these peers only."""
        return replace(self, peers={name: self.peers[name] for name in names})

    def in_turns(self, measure: Callable[[Peer, int], float]) -> _Rounds:
        """What `measure` says of each peer in each round."""
        found: dict[str, list[float]] = {name: [] for name in self.peers}
        names = list(self.peers)
        for number in range(self.rounds):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                gc.collect()
                found[name].append(measure(self.peers[name], number))
                self.peers[name].settle()
            self.tick()
        return {name: tuple(values) for name, values in found.items()}

    def rate(self, peer: Peer, _: int) -> float:
        """Requests a second through 16 connections."""
        said = self._wrk(peer, _CONNECTIONS)
        if "Non-2xx" in said:
            raise RuntimeError(f"not everything was answered:\n{said}")
        return float(_find(r"Requests/sec: +([\d.]+)", said))

    def median(self, peer: Peer, _: int) -> float:
        """Milliseconds until half of the answers are there, at one connection."""
        said = self._wrk(peer, 1)
        found = re.search(r"50% +([\d.]+)(us|ms|s)", said)
        if found is None:
            raise RuntimeError(f"wrk gave no latency:\n{said}")
        return float(found[1]) * _UNITS[found[2]]

    def p99_at(self, rate: float, peer: Peer, _: int) -> float:
        """Milliseconds until 99 % of the answers are there, at this rate."""
        return self.lateness(peer, rate, self.seconds).p99 * 1000

    def lateness(self, peer: Peer, rate: float, seconds: float) -> Lateness:
        """What comes of a constant rate."""
        body = self.folder / "review.json"
        return measure_lateness(program("h2load"), peer.url, body, rate=rate, seconds=seconds)

    def _wrk(self, peer: Peer, connections: int) -> str:
        command = [program("wrk"), "--threads", "1", "--latency"]
        command += ["--connections", str(connections), "--duration", f"{self.seconds}s"]
        command += ["--script", str(self.folder / "post.lua"), peer.url]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - fixed words
        return done.stdout


def measure(effort: Effort) -> Iterator[Figure]:
    """Rates, latencies and what was recorded.

    With a quick effort, what is not installed is left out. Raises SystemExit where something is
    missing and cannot be installed from here.
    """
    quick = not effort.seconds
    if not quick:
        install_programs()
        make_mitmproxy()
    elif missing_programs():
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="webhook-fuzz-")))
        bench = _Bench(
            peers=_start(stack, folder, with_two=not quick),
            folder=folder,
            rounds=min(effort.rounds, _ROUNDS),
            seconds=1 if quick else _WRK_SECONDS,
            tick=effort.tick,
        )
        yield from _figures(bench, quick=quick)


def _start(stack: contextlib.ExitStack, folder: Path, *, with_two: bool) -> Mapping[str, Peer]:
    make_certificates(folder)
    body = folder / "review.json"
    body.write_bytes(build_review())
    (folder / "post.lua").write_text(_LUA.format(body=body))
    behind = stack.enter_context(webhook(folder))
    peers = {_DIRECT: behind, _NGINX: stack.enter_context(nginx(folder, behind))}
    if mitmproxy_is_there() and with_two:
        peers[_MITMPROXY] = stack.enter_context(mitmproxy(folder, behind))
    peers[_ONE] = stack.enter_context(ours(folder, behind, workers=1))
    if with_two:
        peers[_TWO] = stack.enter_context(ours(folder, behind, workers=2))
    return peers


def _figures(bench: _Bench, *, quick: bool) -> Iterator[Figure]:
    rates = bench.in_turns(bench.rate)
    yield from _rate_figures(rates)
    yield from _recorded_at_most(bench)
    yield _added_median(bench.in_turns(bench.median))
    if quick:
        return
    yield from _p99_figures(bench, rates)
    yield _steady(bench)


def _rate_figures(rates: _Rounds) -> Iterator[Figure]:
    goals = {(_ONE, _NGINX): 0.4, (_ONE, _MITMPROXY): 15.0, (_TWO, _NGINX): 0.6}
    for name in (_ONE, _TWO):
        for other in (_DIRECT, _NGINX, _MITMPROXY):
            if name not in rates or other not in rates:
                continue
            bound = goals.get((name, other))
            yield Figure(
                name=f"proxy, 16 connections: {name}",
                other_name=other,
                unit=Unit.RATE,
                ours=rates[name],
                other=rates[other],
                goal=None if bound is None else Goal(of=Measured.RATIO, bound=bound),
            )


def _recorded_at_most(bench: _Bench) -> Iterator[Figure]:
    """Of what passed as fast as it could, how much was recorded and not dropped."""
    for name in (_ONE, _TWO):
        if name in bench.peers:
            counts = bench.peers[name].counts()
            yield Figure(
                name=f"records written at the maximum: {name}",
                other_name="exchanges, of which the rest was dropped",
                unit=Unit.COUNT,
                ours=(float(counts.written),),
                other=(float(counts.exchanges),),
            )


def _added_median(medians: _Rounds) -> Figure:
    added = [ours - direct for ours, direct in zip(medians[_ONE], medians[_DIRECT], strict=True)]
    return Figure(
        name="median added at one connection",
        other_name="no proxy, in all",
        unit=Unit.MILLISECONDS,
        ours=tuple(added),
        other=medians[_DIRECT],
        goal=Goal(of=Measured.OURS, bound=0.2),
    )


def _p99_figures(bench: _Bench, rates: _Rounds) -> Iterator[Figure]:
    """Beside the webhook alone at the same rate, which shows what is the client's own."""
    for name in (_ONE, _TWO):
        rate = statistics.median(rates[name]) * _SHARE_OF_MAXIMUM
        pair = bench.only(_DIRECT, name)
        late = pair.in_turns(partial(bench.p99_at, rate))
        yield Figure(
            name=f"p99 at 80 % of its own maximum: {name}",
            other_name=f"{_DIRECT}, same rate",
            unit=Unit.MILLISECONDS,
            ours=late[name],
            other=late[_DIRECT],
            goal=Goal(of=Measured.OURS, bound=5.0) if name == _ONE else None,
        )


def _steady(bench: _Bench) -> Figure:
    """A rate far above any cluster's, for longer than any buffer lasts: nothing is dropped."""
    peer = bench.peers[_ONE]
    before = peer.counts().written
    late = bench.lateness(peer, _STEADY_RATE, _STEADY_SECONDS)
    return Figure(
        name=f"records written at a steady {_STEADY_RATE:,} a second for {_STEADY_SECONDS:g} s",
        other_name="reviews sent",
        unit=Unit.COUNT,
        ours=(float(peer.counts().written - before),),
        other=(float(late.sent),),
        goal=Goal(of=Measured.RATIO, bound=1.0),
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"wrk said nothing of it:\n{text}")
    return found[1]
