from dataclasses import replace
from typing import cast

import orjson
import pytest

from recorded import Workloads, answered, exchange_of, mixed_traffic, pod_review, uid_of
from replayed import RECORDED_WEBHOOK, creation, of_webhook, plain_pods, record_all, recorded
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.redacting import TrafficRedactor
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.recorded import traffic as traffic_module
from webhook_fuzz.fuzzer.recorded import traffic_tallies
from webhook_fuzz.fuzzer.recorded.judging import NotJudged, TrafficJudge
from webhook_fuzz.fuzzer.recorded.traffic import Traffic
from webhook_fuzz.fuzzer.recorded.traffic_tallies import TrafficTally
from webhook_fuzz.fuzzer.recorded.witnesses import WitnessStore
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS, get_specimen

CATALOGUE = load_catalogue()
UID = "11111111-2222-4333-8444-555555555555"
SIDECAR = ("WF101", "spec.initContainers[].restartPolicy")
ROUND_TRIP = get_specimen("typed-round-trip-1.27").program


def traffic_of(*recordings: RecordedExchange, remembered: int = 1000) -> Traffic:
    traffic = Traffic(judge=TrafficJudge(CATALOGUE, CATALOGUE.newest, remembered=remembered))
    for each in recordings:
        traffic.add(each)
    return traffic


def tally_of(traffic: Traffic) -> TrafficTally:
    (tally,) = traffic.tallies.values()
    return tally


def pod_named(seed: str) -> JsonObject:
    return default_pod(shipped_seed(seed).pod)


def broken(number: int, seed: str = "mesh") -> RecordedExchange:
    return recorded(creation(pod_named(seed), number), ROUND_TRIP, number)


@pytest.mark.parametrize("seed", [11, 12])
def test_everything_counted_is_the_same_when_each_exchange_is_judged_in_full(seed: int) -> None:
    mixed = list(mixed_traffic(seed, 300))
    taken_over, in_full = traffic_of(*mixed), traffic_of(*mixed, remembered=0)
    assert taken_over.judge.taken_over
    assert taken_over.not_judged == in_full.not_judged
    for name, one in taken_over.tallies.items():
        other = in_full.tallies[name]
        assert (one.found, one.fields, one.extents) == (other.found, other.fields, other.extents)
        assert (one.judged, one.patched, one.denied) == (other.judged, other.patched, other.denied)
        assert one.mechanisms == other.mechanisms


def test_a_finding_is_counted_with_when_it_was_first_and_last_seen() -> None:
    found = tally_of(traffic_of(*(broken(number) for number in (5, 3, 9)))).found[SIDECAR]
    seen = found.occurrences
    assert (seen.count, seen.first_seen, seen.last_seen) == (3, 1_700_000_003, 1_700_000_009)


def test_repeated_calls_and_reinvocations_are_counted_apart() -> None:
    traffic = traffic_of(broken(0), replace(broken(1), attempt=2), replace(broken(2), invocation=2))
    for seen in (
        traffic.seen,
        tally_of(traffic).judged,
        tally_of(traffic).found[SIDECAR].occurrences,
    ):
        assert (seen.count, seen.retries, seen.reinvocations) == (3, 1, 1)


def test_the_smallest_exchange_stands_for_a_finding() -> None:
    traffic = traffic_of(
        broken(0, "native-sidecars"), broken(1, "mesh"), broken(2, "native-sidecars")
    )
    sizes = {seed: len(orjson.dumps(pod_named(seed))) for seed in ("native-sidecars", "mesh")}
    smallest = min(sizes, key=lambda seed: sizes[seed])
    found = tally_of(traffic).found[SIDECAR]
    assert found.witness.exchange.review == creation(
        pod_named(smallest), 0 if smallest == "native-sidecars" else 1
    )
    assert found.occurrences.count == 3


def test_a_smaller_exchange_that_was_taken_over_becomes_the_witness_with_its_own_values() -> None:
    def of(name: str, number: int) -> RecordedExchange:
        pod = pod_named("mesh")
        metadata = cast("JsonObject", pod["metadata"])
        named: JsonObject = {**pod, "metadata": {**metadata, "generateName": f"{name}-"}}
        return recorded(creation(named, number), ROUND_TRIP, number)

    padded = of("web-5d4f", 0)
    body = padded.exchange.outcome.body
    larger = replace(
        padded,
        exchange=replace(
            padded.exchange, outcome=replace(padded.exchange.outcome, body=body + b" ")
        ),
    )
    found = tally_of(traffic_of(larger, of("web-5d4f", 1), of("web-7777", 2))).found[SIDECAR]
    assert found.witness.id == "00000001"


def test_the_fields_that_occurred_are_counted_on_pods_and_on_patched_pods() -> None:
    failing = get_specimen("http-500").program
    tally = tally_of(traffic_of(broken(0), recorded(creation(pod_named("mesh")), failing)))
    count = tally.fields[SIDECAR[1]]
    assert (count.occurred, count.patched) == (2, 1)


def test_pods_without_new_fields_exercise_nothing() -> None:
    tally = tally_of(traffic_of(*record_all(get_specimen("perfect").program, plain_pods())))
    assert tally.patched_pods == len(plain_pods())
    assert tally.patched_with_new_fields == 0


def test_other_kinds_are_counted_by_resource_and_operation() -> None:
    kind: JsonObject = {"group": "apps", "version": "v1", "kind": "Deployment"}
    resource: JsonObject = {"group": "apps", "version": "v1", "resource": "deployments"}
    review = pod_review(
        {"metadata": {}}, kind=kind, resource=resource, subResource="scale", uid=UID
    )
    tally = tally_of(traffic_of(exchange_of(review, answered([], UID))))
    assert dict(tally.resources) == {"deployments.apps/scale CREATE": 1}


def test_as_many_resources_as_there_may_be_names_take_no_more_memory() -> None:
    made = [
        exchange_of(
            pod_review({"a": 1}, kind={}, resource={"resource": f"r{n}"}, uid=UID),
            answered([], UID),
        )
        for n in range(80)
    ]
    tally = tally_of(traffic_of(*made))
    assert len(tally.resources) == 51
    assert tally.resources["others"] == 30


def test_as_many_findings_as_there_may_be_names_take_no_more_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic_tallies, "MOST_FOUND", 10)
    made = [
        exchange_of(
            pod_review(pod_named("mesh"), uid=UID),
            answered([{"op": "add", "path": f"/spec/field{n}", "value": 1}], UID),
        )
        for n in range(30)
    ]
    tally = tally_of(traffic_of(*made))
    assert (len(tally.found), tally.beyond) == (10, 20)


def test_as_many_webhooks_as_there_may_be_names_take_no_more_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traffic_module, "MOST_WEBHOOKS", 2)
    traffic = traffic_of(*(of_webhook(broken(n), f"w{n}.example.com") for n in range(4)))
    assert len(traffic.tallies) == 2
    assert traffic.not_judged == {NotJudged.WEBHOOKS: 2}
    assert traffic.judged == 2


def weight(made: RecordedExchange) -> int:
    return len(orjson.dumps(made.exchange.review)) + len(made.exchange.outcome.body)


def test_an_exchange_that_shows_several_findings_is_kept_once() -> None:
    one, other = broken(0), broken(1)
    store = WitnessStore(most_bytes=weight(one) + weight(other))
    kept = [store.keep(each, 10, instead_of=None) for each in (one, one, other, other)]
    assert kept[0] is kept[1]
    assert kept[2] is kept[3] is not None


def test_a_witness_without_room_is_not_kept_unless_it_takes_the_place_of_another() -> None:
    store = WitnessStore(most_bytes=2 * weight(broken(0)))
    kept = [store.keep(broken(number), 10, instead_of=None) for number in range(3)]
    assert [each is None for each in kept] == [False, False, True]
    assert store.keep(broken(4), 1, instead_of=kept[0]) is not None


def test_the_median_time_is_right_within_two_percent() -> None:
    made = [broken(0)] * 3
    made = [
        replace(each, exchange=replace(each.exchange, seconds=seconds))
        for each, seconds in zip(made, (0.001, 0.01, 1.0), strict=True)
    ]
    assert tally_of(traffic_of(*made)).median_seconds == pytest.approx(0.01, rel=0.02)


def test_a_webhook_is_one_whatever_url_it_is_called_at() -> None:
    other = replace(RECORDED_WEBHOOK, url="https://10.0.0.1/mutate")
    made = broken(0)
    moved = replace(made, exchange=replace(made.exchange, webhook=other))
    assert tally_of(traffic_of(made, moved)).judged.count == 2


def counted(traffic: Traffic) -> dict[tuple[str, str | None], int]:
    """How often each finding occurred."""
    return {key: found.occurrences.count for key, found in tally_of(traffic).found.items()}


@pytest.mark.parametrize("specimen", sorted(SPECIMENS))
def test_a_redacted_recording_shows_what_a_raw_one_shows(specimen: str) -> None:
    workloads, redactor = Workloads(3), TrafficRedactor()
    made = [
        recorded(
            pod_review(workloads.pod(), uid=uid_of(workloads.chance)),
            get_specimen(specimen).program,
            number,
        )
        for number in range(20)
    ]
    raw = traffic_of(*(replace(each, raw=True) for each in made))
    redacted = traffic_of(*map(redactor.redact, made))
    assert counted(redacted) == counted(raw)
    assert redacted.not_judged == raw.not_judged
