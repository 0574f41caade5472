"""How many recorded exchanges a second does one core judge, from the file to the findings?

On a recording made for it: replicas of workloads like the shipped seed pods, called by several
webhooks, one of them lossy; every pod with a uid, a token volume and an owner of its own. What is
measured is all of `webhook-fuzz check` but the report: unpacking, parsing, judging, counting. The
other judges every exchange in full.

`python -m benchmarks.recorded 1000000` shows the memory that many exchanges take.
"""

import copy
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import orjson

from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit, alternate
from benchmarks.subjects import TARGET
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import objects_at
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
from webhook_fuzz.corpora.seeds.loading import load_shipped_seeds
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.recorded.judging import REMEMBERED, TrafficJudge
from webhook_fuzz.fuzzer.recorded.traffic import Traffic
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen

_WEBHOOKS: Final = ("perfect", "perfect-prepend", "typed-round-trip-1.27", "needs-trigger")
_WORKLOADS: Final = 120
_DRAWN: Final = "bcdfghjklmnpqrstvwxz2456789"
_FULL_PODS, _QUICK_PODS = 2_500, 40
_GOAL = Goal(of=Measured.OURS, bound=5000)
_MEMORY = Goal(of=Measured.OURS, bound=200)


ChangePod: TypeAlias = Callable[[JsonObject, int], None]


def _unchanged(_pod: JsonObject, _workload: int) -> None:
    pass


def measure(effort: Effort) -> Iterator[Figure]:
    """Exchanges a second beside judging in full; memory at ten times as many beside once."""
    pods = _FULL_PODS if effort.seconds else _QUICK_PODS
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording"
        count = record(recording, pods)
        ours, other = alternate(
            lambda: _rate(lambda: judge(recording), count, effort.seconds),
            lambda: _rate(lambda: judge(recording, remembered=0), count, effort.seconds),
            effort,
        )
        yield Figure(
            name=f"check a recording: {len(_WEBHOOKS)} webhooks, {_WORKLOADS} workloads",
            other_name="every exchange in full",
            unit=Unit.RATE,
            ours=ours,
            other=other,
            goal=_GOAL,
        )
        yield Figure(
            name=f"memory of checking {10 * count:,} exchanges",
            other_name=f"{count:,} exchanges",
            unit=Unit.MEBIBYTES,
            ours=(_memory(recording, 10),),
            other=(_memory(recording, 1),),
            goal=_MEMORY,
        )


def judge(recording: Path, *, remembered: int = REMEMBERED, times: int = 1) -> Traffic:
    """What `webhook-fuzz check` makes of a recording, read several times over."""
    traffic = Traffic(judge=TrafficJudge(load_catalogue(), TARGET, remembered=remembered))
    for recorded in iterate_recordings([recording] * times, on_damage=_refuse):
        traffic.add(recorded)
    return traffic


def record(folder: Path, pods: int) -> int:
    """Record what webhooks answer for so many pods; returns the number of exchanges."""
    sink = RecordingSinkFactory(folder=folder, raw=True)()
    count = 0
    for count, exchange in enumerate(recorded_traffic(pods), start=1):  # noqa: B007
        sink.take(exchange)
    sink.close()
    return count


def recorded_traffic(pods: int, change: ChangePod = _unchanged) -> Iterator[RawExchange]:
    """What webhooks answer for so many pods; `change` is told the number of the workload."""
    chance = random.Random(0)
    shapes = [default_pod(seed.pod) for seed in load_shipped_seeds()]
    revisions = ["".join(chance.choices(_DRAWN, k=10)) for _ in range(_WORKLOADS)]
    programs = [get_specimen(name).program for name in _WEBHOOKS]
    for number in range(pods):
        # A few workloads are most of the traffic, as in a cluster.
        workload = min(int(chance.expovariate(8 / _WORKLOADS)), _WORKLOADS - 1)
        pod = _replica(shapes[workload % len(shapes)], revisions[workload], chance)
        change(pod, workload)
        for name, program in zip(_WEBHOOKS, programs, strict=True):
            review = build_review(pod, ReviewOptions(api_server=TARGET, uid=_uid(chance)))
            yield RawExchange(
                webhook=WebhookIdentity(configuration=name, name=name, url=f"https://{name}"),
                started_at=1_700_000_000.0 + number,
                seconds=0.004,
                upstream_seconds=0.004,
                target=b"/mutate?timeout=10s",
                request_headers=((b"Host", b"injector.mesh.svc:443"),),
                request_body=orjson.dumps(review),
                answer=RawAnswer(status=200, headers=(), body=program(review).body),
            )


def _replica(shape: JsonObject, revision: str, chance: random.Random) -> JsonObject:
    pod = copy.deepcopy(shape)
    metadata, spec = pod["metadata"], pod["spec"]
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise TypeError("a seed pod has metadata and spec")
    metadata.pop("name", None)
    metadata["generateName"] = f"web-{revision}-"
    metadata["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"web-{revision}", "uid": revision}
    ]
    token = "kube-api-access-" + "".join(chance.choices(_DRAWN, k=5))
    volumes = [
        volume
        for volume in objects_at(spec, "volumes")
        if not str(volume.get("name")).startswith("kube-api-access-")
    ]
    spec["volumes"] = [*volumes, {"name": token, "projected": {"defaultMode": 420}}]
    return pod


def _rate(work: Callable[[], object], items: int, seconds: float) -> float:
    """Items a second of processor time: one thread does it, and others want the core too."""
    done, started = 0, time.process_time()
    while True:
        work()
        done += items
        elapsed = time.process_time() - started
        if elapsed >= seconds:
            return done / elapsed


def _uid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _memory(recording: Path, times: int) -> float:
    """The most MiB a process of its own takes that reads the recording so many times over."""
    # Not ru_maxrss, which is that of whoever started the process if that was larger.
    program = (
        "import sys; from pathlib import Path; from benchmarks.recorded import judge; "
        "judge(Path(sys.argv[1]), times=int(sys.argv[2])); "
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )
    ran = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", program, str(recording), str(times)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(ran.stdout) / 1024


def _refuse(damage: object) -> None:
    raise ValueError(str(damage))


def main() -> None:
    """Show the memory of as many exchanges as asked for."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording"
        count = record(recording, _FULL_PODS)
        for times in sorted({1, 10, max(1, wanted // count)}):
            memory = _memory(recording, times)
            print(f"{count * times:>12,} exchanges: {memory:.0f} MiB")


if __name__ == "__main__":
    main()
