"""How many exchanges a second does one core get into a recording, with their secrets masked?

The traffic is that of `recorded`, in which every workload has secrets of its own: variables in all
of its containers, an annotation, a password among its arguments. The other records the same raw.
Then the same traffic without them, and how many a second come back from the file.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit, alternate
from benchmarks.recorded import recorded_traffic
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory

_FULL_PODS, _QUICK_PODS = 2_500, 5
_VARIABLES: Final = 4
_GOAL = Goal(of=Measured.OURS, bound=3000)


def measure(effort: Effort) -> Iterator[Figure]:
    """Exchanges a second of processor time, redaction and compression included."""
    pods = _FULL_PODS if effort.seconds else _QUICK_PODS
    for name, traffic in {
        "record, secrets in every pod": [*recorded_traffic(pods, _with_secrets)],
        "record, no secrets": [*recorded_traffic(pods)],
    }.items():
        ours, other = alternate(
            _recording(traffic, raw=False), _recording(traffic, raw=True), effort
        )
        yield Figure(
            name=name, other_name="raw", unit=Unit.RATE, ours=ours, other=other, goal=_GOAL
        )
    with tempfile.TemporaryDirectory() as folder:
        redacted, raw = Path(folder) / "redacted", Path(folder) / "raw"
        traffic = [*recorded_traffic(pods, _with_secrets)]
        _record(traffic, redacted, raw=False)
        _record(traffic, raw, raw=True)
        ours, other = alternate(
            lambda: _rate(lambda: _read(redacted), len(traffic)),
            lambda: _rate(lambda: _read(raw), len(traffic)),
            effort,
        )
        yield Figure(
            name="read a recording",
            other_name="raw",
            unit=Unit.RATE,
            ours=ours,
            other=other,
            goal=None,
        )


def _recording(traffic: Sequence[RawExchange], *, raw: bool) -> Callable[[], float]:
    def work() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return _rate(lambda: _record(traffic, Path(folder), raw=raw), len(traffic))

    return work


def _record(traffic: Sequence[RawExchange], folder: Path, *, raw: bool) -> None:
    sink = RecordingSinkFactory(folder=folder, raw=raw)()
    for exchange in traffic:
        sink.take(exchange)
    sink.close()


def _read(recording: Path) -> None:
    for _ in iterate_recordings([recording], on_damage=_refuse):
        pass


def _with_secrets(pod: JsonObject, workload: int) -> None:
    chance = random.Random(workload)
    metadata, spec = object_at(pod, "metadata"), object_at(pod, "spec")
    metadata["annotations"] = {
        **object_at(metadata, "annotations"),
        "example.com/key": _secret(chance),
    }
    for container in [*objects_at(spec, "initContainers"), *objects_at(spec, "containers")]:
        variables: list[JsonValue] = [
            {"name": f"SECRET_{number}", "value": _secret(chance)} for number in range(_VARIABLES)
        ]
        container["env"] = [*objects_at(container, "env"), *variables]
        container["args"] = [f"--password={_secret(chance)}", "--verbose"]


def _secret(chance: random.Random) -> str:
    return f"{chance.getrandbits(96):x}/+"


def _rate(work: Callable[[], None], items: int) -> float:
    """Items a second of processor time: a sink has a process of its own."""
    started = time.process_time()
    work()
    return items / (time.process_time() - started)


def _refuse(damage: object) -> None:
    raise ValueError(str(damage))
