import io
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import zstandard

from planted_secrets import exchanges_with_secrets
from webhook_fuzz.corpora.recordings.reading import Damage, iterate_recordings
from webhook_fuzz.corpora.recordings.segments import read_lines
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    sink = RecordingSinkFactory(folder=folder)()
    for each in exchanges_with_secrets():
        sink.take(each)
    sink.close()
    (path,) = folder.iterdir()
    return path.read_bytes()


def pack(text: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(text)


def hostile_lines() -> list[bytes]:
    deep = 100_000
    return [
        b"[" * deep + b"]" * deep,
        b'{"review":' * deep,
        b'{"recording":"a","recording":"webhook-fuzz/recording/v1"}',
        b'{"recording":"webhook-fuzz/recording/v1","startedAt":1' + b"0" * 300 + b"}",
        b'{"recording":"webhook-fuzz/recording/v1","startedAt":' + b"9" * 400 + b"}",
        b'{"id":"../../etc/passwd","webhook":{"name":"../../x"}}',
        b'{"attempt":1e999,"seconds":-1e400}',
        b'"' + b"x" * 200_000 + b'"',
        b"\xff\xfe\x00",
        b"{}\n" * 3000,
        b"null\n[]\n1\n",
        b'{"id":"\\ud800"}',
    ]


def hostile_segments(whole: bytes, number: int) -> Iterator[bytes]:
    chance = random.Random(5)  # noqa: S311 - to be the same every time
    lines = hostile_lines()
    for index in range(number):
        changed = bytearray(whole)
        match index % 4:
            case 0:
                yield whole[: chance.randrange(len(whole))]
            case 1:
                for _ in range(chance.randrange(1, 6)):
                    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
                yield bytes(changed)
            case 2:
                at = chance.randrange(len(changed))
                yield whole + bytes(changed[at:]) + chance.randbytes(40) + whole
            case _:
                line = lines[index // 4 % len(lines)]
                yield pack(line) if index % 8 == 3 else line


def read_all(whole: bytes, number: int, folder: Path) -> int:
    path = folder / "20261126T000000Z-000000000000-000001.jsonl.zst"
    found = 0
    for segment in hostile_segments(whole, number):
        path.write_bytes(segment)
        damages: list[Damage] = []
        found += sum(1 for _ in iterate_recordings([folder], on_damage=damages.append))
        assert all(each.what for each in damages)
    return found


def test_a_hostile_segment_is_read_as_far_as_it_goes(segment: bytes, tmp_path: Path) -> None:
    assert read_all(segment, 500, tmp_path) > 0


@pytest.mark.real
def test_ten_thousand_hostile_segments_are_read_as_far_as_they_go(
    segment: bytes, tmp_path: Path
) -> None:
    assert read_all(segment, 10_000, tmp_path) > 0


def test_a_bomb_is_damage_and_costs_no_more_memory_than_a_record(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(1024)) + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    damages: list[Damage] = []
    assert [*read_lines(io.BytesIO(bomb), tmp_path, on_damage=damages.append)] == []
    assert damages
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024


def test_a_name_that_leaves_the_folder_is_only_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    header = {"recording": "webhook-fuzz/recording/v1", "writer": "../../outside"}
    path.write_bytes(pack(orjson.dumps(header)))
    assert [*iterate_recordings([tmp_path], on_damage=lambda _: None)] == []
    assert [each.name for each in tmp_path.iterdir()] == ["a.jsonl.zst"]
