import resource
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from hostile_answers import hostile_answers
from recorded import exchange_of, pod_review
from replayed import creation
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.recordings.reading import Damage, iterate_recordings
from webhook_fuzz.corpora.recordings.schemas import render_exchange
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.recorded.judging import NotJudged, TrafficJudge
from webhook_fuzz.fuzzer.recorded.traffic import Traffic
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.reports.formats import FORMATS
from webhook_fuzz.reports.schemas import find_mismatch
from webhook_fuzz.reports.traffic_folds import TrafficFacts, fold_traffic

CATALOGUE = load_catalogue()
UID = "11111111-2222-4333-8444-555555555555"
POD = default_pod(shipped_seed("mesh").pod)
REVIEW = pod_review(POD, uid=UID)
HEALTHY = get_specimen("typed-round-trip-1.27").program(REVIEW).body
# Patches of that many operations or elements are not judged; all else has to be.
REFUSED = {NotJudged.TOO_MANY, NotJudged.TOO_LARGE}


def judge_answers(seed: int, count: int) -> Traffic:
    traffic = Traffic(judge=TrafficJudge(CATALOGUE, CATALOGUE.newest))
    for number, answer in enumerate(hostile_answers(seed, count, UID, HEALTHY)):
        traffic.add(exchange_of(REVIEW, answer, number))
    assert traffic.seen.count == count
    assert set(traffic.not_judged) <= REFUSED, traffic.failed
    return traffic


def fold(traffic: Traffic, formats: Iterable[str] = FORMATS) -> None:
    """Every report of it can be made."""
    facts = TrafficFacts(
        version="0",
        target=CATALOGUE.newest,
        started=datetime.now(UTC),
        seconds=1.0,
        recordings=("r",),
    )
    run = fold_traffic(traffic, facts, build_plan())
    assert find_mismatch(cast("JsonValue", run)) is None
    for name in formats:
        assert FORMATS[name].render(run)


def test_hostile_answers_are_findings_and_nothing_more() -> None:
    traffic = judge_answers(seed=1, count=400)
    fold(traffic)


@pytest.mark.real
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_hostile_answers_are_judged(seed: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Writing pods down in YAML takes longer than judging them: once is enough.
    fold(judge_answers(seed=100 + seed, count=1_000), ["json"] if seed else FORMATS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


@pytest.mark.parametrize("cut", [0.0, 0.3, 0.7, 0.99])
def test_of_a_damaged_recording_everything_that_can_be_read_is_judged(
    tmp_path: Path, cut: float
) -> None:
    made = [
        exchange_of(creation(POD, number), answer, number)
        for number, answer in enumerate(hostile_answers(3, 40, UID, HEALTHY))
    ]
    text = b"".join(map(render_exchange, made))
    segment = tmp_path / "a.jsonl.zst"
    segment.write_bytes(text[: int(len(text) * cut)] + b"\n{}\n[" + text[-2_000:])
    damages: list[Damage] = []
    traffic = Traffic(judge=TrafficJudge(CATALOGUE, CATALOGUE.newest))
    for each in iterate_recordings([segment], on_damage=damages.append):
        traffic.add(each)
    assert damages
    assert NotJudged.FAILED not in traffic.not_judged


@pytest.mark.parametrize("started_at", [-1e300, 1e300, 0.0, -1.0])
def test_a_time_no_calendar_has_is_left_out(started_at: float) -> None:
    traffic = Traffic(judge=TrafficJudge(CATALOGUE, CATALOGUE.newest))
    (answer,) = hostile_answers(3, 1, UID, HEALTHY)
    traffic.add(exchange_of(REVIEW, answer, started_at=started_at))
    fold(traffic)
