"""How many distinct pods a second does a sweep make?

All probes packed on the shipped seeds for the newest target, then every shipped trigger applied
and the result defaulted. Only pods whose content differs count; telling them apart is not timed.
The other is `copy.deepcopy` of such pods, which is what changing them one by one would start with.
"""

import copy
import hashlib
import time
from collections.abc import Iterator

import orjson

from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit, alternate, rate
from benchmarks.subjects import sweep_plan
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.fuzzer.generation.packing import pack_sweep, with_trigger
from webhook_fuzz.fuzzer.plans import Plan


def measure(effort: Effort) -> Iterator[Figure]:
    """Distinct pods a second, packing included."""
    plan = sweep_plan(effort.triggers)
    swept = [case.pod for case in plan.sweep.cases]
    ours, other = alternate(
        lambda: distinct_pods_per_second(plan),
        lambda: rate(lambda: [copy.deepcopy(pod) for pod in swept], len(swept), effort.seconds),
        effort,
    )
    yield Figure(
        name="make distinct swept pods, all triggers",
        other_name="copy.deepcopy of swept pods",
        unit=Unit.RATE,
        ours=ours,
        other=other,
        goal=Goal(of=Measured.OURS, bound=2000),
    )


def distinct_pods_per_second(plan: Plan) -> float:
    """Pack and apply every trigger once; pods with the same content count once."""
    started = time.perf_counter()
    sweep = pack_sweep(plan.seeds, plan.probes, plan.schema)
    seconds = time.perf_counter() - started
    distinct: set[bytes] = set()
    for trigger in (NO_TRIGGER, *plan.triggers):
        started = time.perf_counter()
        made = [with_trigger(case, trigger).pod for case in sweep.cases]
        seconds += time.perf_counter() - started
        distinct.update(map(_content_hash, made))
    return len(distinct) / seconds


def _content_hash(pod: JsonObject) -> bytes:
    return hashlib.sha256(orjson.dumps(pod, option=orjson.OPT_SORT_KEYS)).digest()
