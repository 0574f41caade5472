import base64
import re
from pathlib import Path

import orjson
import pytest
import zstandard

from planted_secrets import (
    CANARIES,
    answer_of,
    exchange,
    exchanges_with_secrets,
    pod_with_secrets,
    review_of,
    spellings,
)
from webhook_fuzz.corpora.exchanges import Answered
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.recordings.redacting import TrafficRedactor
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory


def record(folder: Path, exchanges: list[RawExchange], *, raw: bool = False) -> bytes:
    sink = RecordingSinkFactory(folder=folder, raw=raw)()
    for each in exchanges:
        sink.take(each)
    sink.close()
    assert {each.name: each.value for each in sink.counts()}["records_failed"] == 0
    unpacked = b""
    for segment in folder.iterdir():
        with segment.open("rb") as packed:
            reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
            unpacked += reader.read()
    return unpacked + b"".join(decoded(unpacked))


def decoded(text: bytes, levels: int = 3) -> list[bytes]:
    """What is in base64 in it, and again in that: patches, data of Secrets."""
    found = [
        base64.b64decode(run + b"=" * (-len(run) % 4))
        for run in re.findall(rb"[A-Za-z0-9+/]{16,}", text)
        if len(run) % 4 != 1
    ]
    return found + [each for inner in found if levels for each in decoded(inner, levels - 1)]


def read(folder: Path) -> list[RecordedExchange]:
    damages: list[object] = []
    found = [*iterate_recordings([folder], on_damage=damages.append)]
    assert damages == []
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("redacted")
    record(made, exchanges_with_secrets())
    return made


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return record(tmp_path_factory.mktemp("unpacked"), exchanges_with_secrets())


@pytest.mark.parametrize("place", CANARIES)
def test_no_spelling_of_a_secret_is_in_a_recording(
    place: str, folder: Path, unpacked: bytes
) -> None:
    on_disk = b"".join(each.read_bytes() for each in folder.iterdir())
    for spelling in spellings(CANARIES[place]):
        assert spelling not in unpacked
        assert spelling not in on_disk


def test_a_raw_recording_shows_that_the_secrets_were_there(tmp_path: Path) -> None:
    written = record(tmp_path, exchanges_with_secrets(), raw=True)
    missing = [
        place
        for place, value in CANARIES.items()
        if not any(spelling in written for spelling in spellings(value))
    ]
    assert missing == []


def test_equal_values_have_equal_tokens_and_what_is_no_secret_stays(folder: Path) -> None:
    first, *_, last = [each for each in read(folder) if each.exchange.review]
    ours, again = (each.exchange.review["request"] for each in (first, last))
    assert isinstance(ours, dict)
    assert isinstance(again, dict)
    assert ours["object"] == again["object"]
    written = orjson.dumps(ours["object"])
    for word in (b"Always", b"250m", b"64Mi", b"checkout-7d9f", b'"app":"checkout"', b"--verbose"):
        assert word in written


def test_an_answer_without_secrets_keeps_its_bytes(tmp_path: Path) -> None:
    body = b'{ "response": {"uid": "u", "allowed": true, "n": 1.0e2, "n2": 10000000000} }\n'
    asked = orjson.dumps(review_of(pod_with_secrets(), "u"))
    record(tmp_path, [exchange(asked, answer_of(body))])
    (found,) = read(tmp_path)
    assert isinstance(found.exchange.outcome, Answered)
    assert found.exchange.outcome.body == body


def test_the_text_behind_the_data_of_a_secret_is_known_in_messages(tmp_path: Path) -> None:
    object_ = {"kind": "Secret", "data": {"p": "aHVudGVyMi1vZi1hLXNlY3JldA=="}}
    asked = orjson.dumps({"request": {"uid": "u", "object": object_}})
    told = b'{"response":{"status":{"message":"hunter2-of-a-secret is weak"}}}'
    assert b"hunter2-of-a-secret" not in record(tmp_path, [exchange(asked, answer_of(told))])


def test_what_a_repeated_member_hides_is_not_kept(tmp_path: Path) -> None:
    hidden = b'[{"op":"add","path":"/spec/containers/0/env","value":[{"value":"hunter2-twice"}]}]'
    response = b'{"response":{"patch":"' + base64.b64encode(hidden) + b'"},"response":{}}'
    assert b"hunter2-twice" not in record(tmp_path, [exchange(b"{}", answer_of(response))])


@pytest.mark.parametrize("member", ["patch", "Patch"])
@pytest.mark.parametrize(
    "patch",
    [
        b'[{"op":"add","path":"/spec/containers/0/env","value":[{"value":"hunter2-twice"}]}]',
        b'[{"op":"add","path":"/spec/x","value":"hunter2-twice","value":"y"}]',
        b"--password=hunter2-twice, and no JSON",
    ],
    ids=["read", "repeated", "no JSON"],
)
def test_every_patch_is_opened(tmp_path: Path, member: str, patch: bytes) -> None:
    answer = {"response": {member: base64.b64encode(patch).decode()}}
    assert b"hunter2-twice" not in record(
        tmp_path, [exchange(b"{}", answer_of(orjson.dumps(answer)))]
    )


def test_replicas_are_masked_alike_and_differ_where_they_do(tmp_path: Path) -> None:
    def replica(number: int) -> bytes:
        same = {"name": "app", "env": [{"name": "A", "value": "the-same-for-all-1"}]}
        own = {"name": "own", "env": [{"name": "B", "value": f"of-number-{number}"}]}
        spec = {"containers": [same, own], "volumes": f"the-same-for-all-1 {number}"}
        return orjson.dumps({"request": {"uid": f"u{number}", "object": {"spec": spec}}})

    folder = tmp_path / "recording"
    written = record(folder, [exchange(replica(n), answer_of(b"{}")) for n in range(3)])
    assert b"the-same-for-all-1" not in written
    specs = [
        orjson.dumps(object_at(each.exchange.review, "request", "object", "spec"))
        for each in read(folder)
    ]
    tokens = [re.findall(rb"redacted-[0-9a-f]{12}", spec) for spec in specs]
    assert len({first for first, _, last in tokens if first == last}) == 1
    assert len({own for _, own, _ in tokens}) == 3


def test_an_exchange_says_that_it_is_redacted(tmp_path: Path) -> None:
    record(tmp_path, exchanges_with_secrets(), raw=True)
    redactor = TrafficRedactor()
    assert {(each.raw, redactor.redact(each).raw) for each in read(tmp_path)} == {(True, False)}
