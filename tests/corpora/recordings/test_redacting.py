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
from webhook_fuzz.corpora.recordings.raw_exchanges import RawExchange
from webhook_fuzz.corpora.recordings.reading import iterate_recordings
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
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
