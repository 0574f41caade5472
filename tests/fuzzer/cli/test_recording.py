import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from planted_secrets import CANARIES, exchanges_with_secrets
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
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
    shown, _ = run("show", recording, "--id", lines[0].split()[0])
    assert '"request"' in shown


def test_what_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    recording = record(tmp_path / "a")
    with pytest.raises(InputError, match="no exchange nobody"):
        run("show", recording, "--id", "nobody")
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
