import os
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import zstandard

from planted_secrets import answer_of, exchange
from webhook_fuzz.corpora.exchanges import Answered
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.recordings.conversions import Step, find_conversion
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.corpora.recordings.reading import Damage, iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.schemas import parse_exchange, render_exchange
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory

ANSWER = b'{"response":{"uid":"u","allowed":true}}'


def call(uid: str, *, image: str = "a", filling: int = 0) -> RawExchange:
    pod = {"metadata": {"name": "web"}, "image": image, "filling": os.urandom(filling).hex()}
    review = {"request": {"uid": uid, "operation": "CREATE", "name": "web", "object": pod}}
    return exchange(orjson.dumps(review), answer_of(ANSWER))


def read(folder: Path) -> tuple[list[RecordedExchange], list[Damage]]:
    damages: list[Damage] = []
    return [*iterate_recordings([folder], on_damage=damages.append)], damages


def uid_of(recorded: RecordedExchange) -> object:
    request = recorded.exchange.review["request"]
    assert isinstance(request, dict)
    return request["uid"]


def test_what_was_written_is_read_again_whole(tmp_path: Path) -> None:
    sink = RecordingSinkFactory(folder=tmp_path, raw=True)()
    sent = call("u")
    sink.take(sent)
    sink.close()
    (found,), damages = read(tmp_path)
    assert damages == []
    assert found.exchange.review == orjson.loads(sent.request_body)
    assert isinstance(found.exchange.outcome, Answered)
    assert found.exchange.outcome.body == ANSWER
    assert found.target.encode() == sent.target
    assert parse_exchange(orjson.loads(render_exchange(found))) == found
    assert [each.stat().st_mode & 0o777 for each in tmp_path.iterdir()] == [0o600]


def test_a_segment_ends_by_its_size_and_the_oldest_go(tmp_path: Path) -> None:
    sink = RecordingSinkFactory(folder=tmp_path, rotate_bytes=4_000, retain_bytes=20_000)()
    for number in range(20):
        sink.take(call(f"u-{number}", filling=4_000))
        sink.tick(1_800_000_000.0 + number)
    counts = {each.name: each.value for each in sink.counts()}
    sink.close()
    assert counts["segments"] == 20
    assert counts["segments_deleted"] > 0
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 20_000
    found, damages = read(tmp_path)
    assert damages == []
    assert uid_of(found[-1]) == "u-19"


def test_segments_go_when_they_are_too_old(tmp_path: Path) -> None:
    sink = RecordingSinkFactory(folder=tmp_path, retain_seconds=60)()
    sink.take(call("u"))
    sink.close()
    (segment,) = tmp_path.iterdir()
    sink.tick(segment.stat().st_mtime + 59)
    assert segment.exists()
    sink.tick(segment.stat().st_mtime + 61)
    assert not segment.exists()


def test_two_writers_share_a_folder(tmp_path: Path) -> None:
    sinks = [RecordingSinkFactory(folder=tmp_path)() for _ in range(2)]
    for number in range(10):
        for name, sink in zip("ab", sinks, strict=True):
            sink.take(call(f"{name}-{number}"))
            sink.tick(1_800_000_000.0 + number)
    for sink in sinks:
        sink.close()
    found, damages = read(tmp_path)
    assert damages == []
    assert {uid_of(each) for each in found} == {f"{a}-{b}" for a in "ab" for b in range(10)}
    assert len({each.id for each in found}) == 20


def test_a_torn_end_costs_the_last_frame_and_is_told(tmp_path: Path) -> None:
    sink = RecordingSinkFactory(folder=tmp_path)()
    for number in range(2):
        sink.take(call(f"u-{number}", filling=400))
        sink.tick(1_800_000_000.0)
    sink.close()
    (segment,) = tmp_path.iterdir()
    whole = segment.read_bytes()
    for cut in range(1, 301):
        segment.write_bytes(whole[:-cut])
        found, damages = read(tmp_path)
        assert [uid_of(each) for each in found] == ["u-0"]
        assert len(damages) == 1


def test_a_newer_version_is_refused_in_words(tmp_path: Path) -> None:
    header = b'{"recording":"webhook-fuzz/recording/v9"}\n'
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(header))
    found, (damage,) = read(tmp_path)
    assert found == []
    assert "'webhook-fuzz/recording/v9'" in str(damage)
    assert "a newer webhook-fuzz may read it" in str(damage)


def test_a_record_goes_through_all_steps_to_the_newest_version() -> None:
    def add(name: str) -> Step:
        def convert(record: JsonObject) -> JsonObject:
            return {**record, name: len(record)}

        return Step(version=name, convert=convert)

    convert = find_conversion("v1", steps={"v1": add("v2"), "v2": add("v3")}, newest="v3")
    assert convert({}) == {"v2": 0, "v3": 1}


def test_steps_that_lead_in_a_circle_are_refused() -> None:
    steps = {"v1": Step(version="v1", convert=lambda record: record)}
    with pytest.raises(ValueError, match="its format is 'v1'"):
        find_conversion("v1", steps=steps, newest="v2")


def test_repeated_calls_are_attempts_and_changed_objects_invocations(tmp_path: Path) -> None:
    sink = RecordingSinkFactory(folder=tmp_path)()
    first = call("u-1")
    later = replace(call("u-3"), started_at=first.started_at + 60)
    for each in (first, first, call("u-2", image="b"), later):
        sink.take(each)
    sink.close()
    found, _ = read(tmp_path)
    assert [(each.attempt, each.invocation) for each in found] == [(1, 1), (2, 1), (1, 2), (1, 1)]
    assert len({each.request for each in found[:3]}) == 1
    assert found[3].request != found[0].request


def test_replicas_are_told_from_reinvocations_by_the_volume_of_their_token(tmp_path: Path) -> None:
    def asked(uid: str, token: str, **more: JsonValue) -> RawExchange:
        volume: JsonObject = {"name": f"kube-api-access-{token}"}
        pod: JsonObject = {
            "metadata": {"generateName": "web-"},
            "spec": {"volumes": [volume], **more},
        }
        review = {"request": {"uid": uid, "operation": "CREATE", "object": pod}}
        return exchange(orjson.dumps(review), answer_of(ANSWER))

    sink = RecordingSinkFactory(folder=tmp_path)()
    for sent in (
        *(asked(f"{token}1", token) for token in ("a", "b", "c")),
        *(asked(f"{token}2", token, changed=True) for token in ("b", "a")),
    ):
        sink.take(sent)
    sink.close()
    found, _ = read(tmp_path)
    assert [each.invocation for each in found] == [1, 1, 1, 2, 2]
    first, second, third, second_again, first_again = (each.request for each in found)
    assert (first_again, second_again) == (first, second)
    assert len({first, second, third}) == 3
