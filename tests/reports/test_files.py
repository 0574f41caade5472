import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hostile_samples import hostile_run
from samples import MakeRun, bad_run

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.reports.files import load_run, render_json, save_run, save_text


@pytest.mark.parametrize("make", [bad_run, hostile_run])
def test_what_is_saved_is_read_back(tmp_path: Path, make: MakeRun) -> None:
    file = save_run(make(), tmp_path / "new" / "folder")
    assert load_run(file) == make()
    assert load_run(file.parent) == make()


def test_a_saved_run_may_be_read_by_everybody_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = save_run(bad_run(), tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_a_failing_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_text("old", tmp_path / "run.json")

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        save_text("new", tmp_path / "run.json")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        save_run(bad_run(), tmp_path / "file" / "folder")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("<html>", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a result"),
        ("{}", "is not a result"),
        ('{"schema": "webhook-fuzz/run/v2"}', "of 'webhook-fuzz/run/v2'"),
        ('{"schema": "webhook-fuzz/run/v1"}', "'tool' is missing"),
    ],
)
def test_what_is_no_result_is_an_input_error(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        load_run(file)
    assert caught.value.hint


def test_bytes_that_are_no_text_are_an_input_error(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(InputError, match="is not JSON"):
        load_run(file)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json cannot be read: No such file"):
        load_run(tmp_path)


def test_values_of_any_depth_are_saved_and_cut_where_nobody_reads_on() -> None:
    run = bad_run()
    deep: Any = "core"
    for _ in range(5_000):
        deep = {"a": [deep]}
    run["findings"][0]["evidence"]["after"] = deep
    text = render_json(run)
    assert "nested too deeply" in text
    assert json.loads(text)["webhooks"] == run["webhooks"]
