import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from planted_secrets import CANARIES, exchanges_with_secrets
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.recordings.copying import by_time
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
from webhook_fuzz.fuzzer.cli import recording as recording_module
from webhook_fuzz.fuzzer.cli.exits import Exit
from webhook_fuzz.fuzzer.cli.recording import command

NUMBER = len(exchanges_with_secrets())


def record(folder: Path, *, raw: bool = False) -> Path:
    sink = RecordingSinkFactory(folder=folder, raw=raw)()
    for exchange in exchanges_with_secrets():
        sink.take(exchange)
    sink.close()
    return folder


def run(*arguments: object) -> tuple[str, Exit]:
    ran = CliRunner().invoke(command, [*map(str, arguments)], standalone_mode=False)
    if ran.exception is not None:
        raise ran.exception
    return ran.output, ran.return_value


def ids(folder: Path) -> list[str]:
    return [json.loads(line)["id"] for line in run("cat", folder)[0].splitlines()]


def test_info_counts_and_verify_finds_it_whole(tmp_path: Path) -> None:
    recording = record(tmp_path / "a")
    shown, _ = run("info", recording)
    assert shown.startswith(f"{NUMBER} exchanges in 1 segments")
    assert "no damage" in shown
    assert run("verify", recording) == (f"{NUMBER} exchanges, whole\n", Exit.CLEAN)


def test_verify_says_where_it_is_damaged(tmp_path: Path) -> None:
    recording = record(tmp_path / "a")
    (segment,) = recording.iterdir()
    segment.write_bytes(segment.read_bytes()[:-20])
    shown, code = run("verify", recording)
    assert code == Exit.FINDINGS
    assert segment.name in shown


def test_ls_has_a_line_an_exchange_and_show_has_all_of_one(tmp_path: Path) -> None:
    recording = record(tmp_path / "a")
    lines = run("ls", recording)[0].splitlines()
    assert len(lines) == NUMBER
    assert len(run("ls", recording, "--limit", 1)[0].splitlines()) == 1
    assert run("ls", recording, "--namespace", "nowhere")[0] == ""
    shown, _ = run("show", recording, lines[0].split()[0])
    assert '"request"' in shown


def test_what_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    recording = record(tmp_path / "a")
    with pytest.raises(InputError, match="no exchange nobody"):
        run("show", recording, "nobody")
    with pytest.raises(InputError, match="is there already"):
        run("merge", recording, "-o", recording)


def test_merging_keeps_every_exchange_once(tmp_path: Path) -> None:
    first, second = record(tmp_path / "a"), record(tmp_path / "b")
    run("merge", first, second, first, "-o", tmp_path / "both")
    assert sorted(ids(tmp_path / "both")) == sorted([*ids(first), *ids(second)])
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_raw_recording_is_not_merged_with_a_redacted_one(tmp_path: Path) -> None:
    raw, redacted = record(tmp_path / "a", raw=True), record(tmp_path / "b")
    with pytest.raises(InputError, match="some of these recordings are raw"):
        run("merge", raw, redacted, "-o", tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_redacting_leaves_no_secret(tmp_path: Path) -> None:
    raw = record(tmp_path / "a", raw=True)
    assert any(secret in run("cat", raw)[0] for secret in CANARIES.values())
    run("redact", raw, "-o", tmp_path / "clean")
    shown = run("cat", tmp_path / "clean")[0]
    assert ids(tmp_path / "clean") == ids(raw)
    assert [name for name, secret in CANARIES.items() if secret in shown] == []


def damaged(folder: Path) -> Path:
    (segment,) = record(folder).iterdir()
    segment.write_bytes(segment.read_bytes()[:-20])
    return folder


@pytest.mark.parametrize("copy", ["merge", "redact"])
def test_a_copy_of_what_is_damaged_says_so(tmp_path: Path, copy: str) -> None:
    recording = damaged(tmp_path / "a")
    shown, code = run(copy, recording, "-o", tmp_path / "b")
    assert code == Exit.INCOMPLETE
    assert "1 damaged places are not in it" in shown


def test_ls_selects(tmp_path: Path) -> None:
    recording = record(tmp_path / "a")
    every = run("ls", recording)[0].splitlines()
    failed = run("ls", recording, "--failed")[0].splitlines()
    assert 0 < len(failed) < NUMBER
    assert failed == [line for line in every if "failed: " in line]
    assert run("ls", recording, "--webhook", "sidecars/web.example.com")[0].splitlines() == every
    assert run("ls", recording, "--webhook", "elsewhere/web.example.com")[0] == ""
    moment = every[0].split()[1]
    assert run("ls", recording, "--since", moment, "--until", moment)[0].splitlines() == every
    assert run("ls", recording, "--until", "2001-01-01T00:00Z")[0] == ""
    assert run("ls", recording, "--since", "2999-01-01")[0] == ""
    with pytest.raises(click.BadParameter, match="is no time"):
        run("ls", recording, "--since", "yesterday")


def test_cat_writes_what_jq_and_check_read(tmp_path: Path) -> None:
    recording = record(tmp_path / "a")
    (tmp_path / "lines").write_text(run("cat", recording)[0])
    assert ids(tmp_path / "lines") == ids(recording)
    reviews = run("cat", recording, "--format", "review")[0].splitlines()
    assert len(reviews) == NUMBER
    assert json.loads(reviews[0])["kind"] == "AdmissionReview"


def test_a_merge_is_sorted_by_time_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small pieces, so that there are many: a recording of any size is sorted in them."""
    monkeypatch.setattr(recording_module, "by_time", partial(by_time, piece_bytes=20_000))
    exchanges = exchanges_with_secrets()
    number = len(exchanges) * 10
    times = [(37 * each) % number for each in range(number)]  # all of them, in no order
    sinks = [RecordingSinkFactory(folder=tmp_path / name)() for name in ("a", "b")]
    for each, began in enumerate(times):
        sinks[each % 2].take(replace(exchanges[each % len(exchanges)], started_at=float(began)))
    for sink in sinks:
        sink.close()
    both = (tmp_path / "a", tmp_path / "b")
    assert run("merge", *both, tmp_path / "a", "-o", tmp_path / "merged")[1] == Exit.CLEAN
    found = [
        json.loads(line)["startedAt"] for line in run("cat", tmp_path / "merged")[0].splitlines()
    ]
    assert found == sorted(map(float, times))


def test_what_is_redacted_says_so_and_stays_as_it_is(tmp_path: Path) -> None:
    raw = record(tmp_path / "a", raw=True)
    assert "raw, with their secrets" in run("info", raw)[0]
    run("redact", raw, "-o", tmp_path / "b")
    assert "raw" not in run("info", tmp_path / "b")[0]
    run("redact", tmp_path / "b", "-o", tmp_path / "c")
    assert run("cat", tmp_path / "b")[0] == run("cat", tmp_path / "c")[0]
