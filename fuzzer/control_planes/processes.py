"""How is a program started so that it is gone afterwards, whatever happens to us?

Every program here ends when its standard input closes (see leashes.py for those that would not
by themselves): closing the pipe is the polite way to stop it, and what happens by itself when
this process is killed. It gets a session of its own, so that neither Ctrl-C nor the killing of a
process group takes the leash away before it has done its work.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from webhook_fuzz.fuzzer.control_planes import leashes
from webhook_fuzz.fuzzer.control_planes.leashes import Errand, Program

STOP_SECONDS = 5.0
GRACE_SECONDS = 3.0
LOG_LINES = 15
LEASH = ("-m", leashes.__name__)

Command = Sequence[str | Path]


def leashed(command: Command, *, grace: float = GRACE_SECONDS) -> list[str | Path]:
    """The command for a program that does not watch its standard input itself."""
    return leash([program(command)], grace=grace)


def leash(
    programs: Sequence[Program], *, folder: Path | None = None, grace: float = GRACE_SECONDS
) -> list[str | Path]:
    """The command that runs the programs, ends all of them together and removes `folder`.

    With a folder, nothing starts before a line is written to the leash's standard input.
    """
    errand = Errand(
        programs=list(programs), folder=None if folder is None else str(folder), grace=grace
    )
    return [sys.executable, "-I", *LEASH, json.dumps(errand)]


def program(command: Command, *, log: Path | None = None) -> Program:
    """One program as the leash wants it told."""
    return Program(command=[str(word) for word in command], log=None if log is None else str(log))


@contextmanager
def started(command: Command, *, log: Path | None = None) -> Generator[subprocess.Popen[bytes]]:
    """Run a program while the block lasts; its standard error goes to `log`, or nowhere."""
    with Path(log or os.devnull).open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - what the caller chose
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    if not _ends(process):
        process.terminate()
        if not _ends(process):
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _ends(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def log_tail(log: Path) -> str:
    """The last lines of a log, where programs say what is wrong; empty without a log."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
