import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from testbed.certificates import issue_certificate
from testbed.processes import StartError, first_line, wait_until_healthy
from webhook_fuzz.fuzzer.control_planes.processes import leashed, started

# Prints its process id and then ignores its standard input, like any program that is not ours.
STUBBORN = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
# A test run that starts the program above on a leash and says its process id.
TEST_RUN = """\
import sys, time
from pathlib import Path
from testbed.processes import first_line
from webhook_fuzz.fuzzer.control_planes.processes import leashed, started
with started(leashed(sys.argv[2:]), log=Path(sys.argv[1])) as process:
    print(first_line(process, log=Path(sys.argv[1])).decode(), end="", flush=True)
    time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends(pid: int, *, within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_a_leashed_program_ends_with_the_block(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(leashed(STUBBORN), log=log) as process:
        pid = int(first_line(process, log=log))
        assert alive(pid)
    assert not alive(pid)


def test_a_leashed_program_does_not_outlive_a_killed_test_run(tmp_path: Path) -> None:
    folders = [str(Path(__file__).parents[1]), *sys.path]
    command: Sequence[str] = [
        sys.executable,
        "-c",
        TEST_RUN,
        str(tmp_path / "log"),
        *STUBBORN,
    ]
    with subprocess.Popen(  # noqa: S603 - this Python
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(folders)}
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
    assert ends(pid)


def test_a_program_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import sys; sys.exit('no such certificate')"]
    with started(command, log=log) as process, pytest.raises(StartError) as caught:
        first_line(process, log=log)
    assert "no such certificate" in caught.value.message
    assert str(log) in caught.value.hint


def test_a_program_that_never_listens_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.processes.START_SECONDS", 0.2)
    log = tmp_path / "log"
    trusted = issue_certificate(tmp_path).authority
    context = ssl.create_default_context(cafile=str(trusted))
    with (
        started(leashed(STUBBORN), log=log) as process,
        pytest.raises(StartError, match="healthz within 0 s and is still running"),
    ):
        wait_until_healthy(process, "https://127.0.0.1:1", context, log=log)


def test_only_the_owner_may_read_the_key(tmp_path: Path) -> None:
    files = issue_certificate(tmp_path)
    assert files.key.stat().st_mode & 0o777 == 0o600
