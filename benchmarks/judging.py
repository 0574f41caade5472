"""How many exchanges a second does one core judge?

From the bytes of the answer to the findings, every exchange anew: an observation keeps what it has
worked out. The other is what a script would do: apply the patch with PyPI's `jsonpatch`, and
compare by index with its `make_patch`.
"""

from collections.abc import Iterator, Sequence

import jsonpatch

from benchmarks.measuring import Effort, Figure, Goal, Measured, Unit, alternate, rate
from benchmarks.subjects import (
    TARGET,
    answer_reviews,
    patch_of,
    pods,
    surgical_injection,
    sweep_plan,
)
from webhook_fuzz.corpora.exchanges import Answered, Exchange
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen

_GOAL = Goal(of=Measured.OURS, bound=5000)


def measure(effort: Effort) -> Iterator[Figure]:
    """Exchanges a second: of correct webhooks, of one that loses fields, of swept pods."""
    perfect = get_specimen("perfect").program
    losing = get_specimen("typed-round-trip-1.27").program
    swept = [case.pod for case in sweep_plan(0).sweep.cases]
    correct = [
        *answer_reviews(perfect, pods()),
        *answer_reviews(surgical_injection(), pods()),
    ]
    yield _figure("judge exchanges: 7 kB pods, nothing lost", correct, effort, _GOAL)
    lost = answer_reviews(losing, pods())
    yield _figure("judge exchanges: 7 kB pods, fields lost", lost, effort)
    yield _figure("judge exchanges: swept pods", answer_reviews(perfect, swept), effort)


def judge(exchange: Exchange) -> list[Finding]:
    """What a sweep does with one exchange."""
    observation = Observation(exchange=exchange, catalogue=load_catalogue(), target=TARGET)
    return list(run_checks(observation))


def _figure(
    name: str, exchanges: Sequence[Exchange], effort: Effort, goal: Goal | None = None
) -> Figure:
    raw = [_raw(exchange) for exchange in exchanges]
    ours, other = alternate(
        lambda: rate(lambda: [judge(each) for each in exchanges], len(exchanges), effort.seconds),
        lambda: rate(lambda: [_compare(*each) for each in raw], len(raw), effort.seconds),
        effort,
    )
    return Figure(
        name=name,
        other_name="jsonpatch apply + make_patch",
        unit=Unit.RATE,
        ours=ours,
        other=other,
        goal=goal,
    )


def _raw(exchange: Exchange) -> tuple[JsonObject, bytes]:
    request, outcome = exchange.review["request"], exchange.outcome
    if not isinstance(request, dict) or not isinstance(outcome, Answered):
        raise TypeError("only answered reviews are measured")
    pod = request["object"]
    if not isinstance(pod, dict):
        raise TypeError("only reviews of pods are measured")
    return pod, outcome.body


def _compare(pod: JsonObject, body: bytes) -> object:
    return jsonpatch.make_patch(pod, jsonpatch.apply_patch(pod, patch_of(body)))
