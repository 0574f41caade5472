import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from webhook_fuzz.fuzzer.control_planes import processes
from webhook_fuzz.fuzzer.control_planes.processes import leash, leashed, log_tail, program, started

# Prints its process id and then ignores its standard input, like any program that is not ours.
WAITING = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITING


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode()


def first_line_of(log: Path) -> str:
    deadline = time.monotonic() + 10
    while not (log.exists() and log.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return log.read_text()


def release(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


@pytest.mark.parametrize("code", [WAITING, STUBBORN])
@pytest.mark.parametrize("grace", [0, 0.2])
def test_a_leashed_program_ends_with_the_block(code: str, grace: float) -> None:
    with started(leashed(python(code), grace=grace)) as process:
        pid = int(first_line(process))
        assert alive(pid)
    assert not alive(pid)


def test_a_leash_that_is_told_to_end_takes_its_program_along() -> None:
    with started(leashed(python(WAITING))) as process:
        pid = int(first_line(process))
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        assert not alive(pid)


def test_a_leash_ends_as_its_only_program_did() -> None:
    with started(leashed(python("import sys; sys.exit(7)"))) as process:
        assert process.wait(10) == 7


def test_what_hangs_on_a_leash_ends_together_and_its_folder_goes(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    logs = [folder / "a.log", folder / "b.log"]
    command = leash([program(python(WAITING), log=log) for log in logs], folder=folder)
    with started(command) as process:
        folder.mkdir()
        release(process)
        pids = [int(first_line_of(log)) for log in logs]
        assert all(map(alive, pids))
    assert not any(map(alive, pids))
    assert not folder.exists()


def test_the_logs_stay_until_the_block_is_left_when_one_of_them_ends(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    logs = [folder / "a.log", folder / "b.log"]
    failing = "import sys; sys.exit('out of order')"
    command = leash(
        [program(python(WAITING), log=logs[0]), program(python(failing), log=logs[1])],
        folder=folder,
    )
    with started(command) as process:
        folder.mkdir()
        release(process)
        assert first_line(process) == '{"program": 1, "status": 1}\n'
        assert log_tail(logs[1]) == "out of order"
    assert process.returncode == 1
    assert not folder.exists()


def test_a_folder_goes_that_was_given_up_before_anything_was_started(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with started(leash([program(python(WAITING))], folder=folder)):
        folder.mkdir()
    assert not folder.exists()


def test_a_program_that_ignores_its_closed_input_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.1)
    with started(python(STUBBORN)) as process:
        pid = int(first_line(process))
    assert not alive(pid)


def test_the_end_of_a_log_is_short_and_a_missing_log_is_empty(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert log_tail(log) == ""
    lines: Sequence[str] = [str(number) for number in range(40)]
    log.write_text("\n".join(lines))
    assert log_tail(log).splitlines() == lines[-15:]
