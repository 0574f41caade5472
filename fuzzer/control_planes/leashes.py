"""How are programs ended together with whoever started them, even by SIGKILL?

Run between the two: it starts the programs, and ends them when its own standard input
closes, which the kernel does when the last holder of the other end is gone. Then it removes the
folder they worked in. When one of them ends by itself, it ends the others, and says so on its
standard output if it has a folder to keep until it is told otherwise: the logs are in there.
Standard library only and importing nothing of ours, so that it starts at once.

    python -m webhook_fuzz.fuzzer.control_planes.leashes \
        '{"programs": [{"command": ["etcd"], "log": null}], "folder": null, "grace": 3.0}'
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TypedDict, cast

Process = subprocess.Popen[bytes]

STANDARD_INPUT = 0
CANNOT_RUN = 127
"""What a shell says of a program that it cannot start."""


class Program(TypedDict):
    """What is started: `log` receives both streams; without it they are the leash's own."""

    command: list[str]
    log: str | None


class Errand(TypedDict):
    """All a leash is told.

    `folder` is removed at the end; with one, the programs start when a first line is read, so that
    the folder can be filled while it already hangs on the leash. `grace` is how many seconds a
    program has between SIGTERM and SIGKILL; with 0 it is killed at once.
    """

    programs: list[Program]
    folder: str | None
    grace: float


class Ending(TypedDict):
    """Which program ended by itself, by its place in the errand, and with which exit status."""

    program: int
    status: int


def main(argument: str) -> int:
    """Run the programs until one ends or standard input closes; return the exit status."""
    errand = cast("Errand", json.loads(argument))
    folder = errand["folder"]
    if folder is None:
        ending = _run(errand)
    else:
        try:
            ending = _run(errand) if sys.stdin.buffer.readline() else None
            if ending is not None:
                print(json.dumps(ending), flush=True)  # noqa: T201 - read by who holds the leash
                _read_to_the_end()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if ending is None else ending["status"]


def _run(errand: Errand) -> Ending | None:
    endings: list[Ending] = []
    over = threading.Event()
    processes: list[Process] = []

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        over.set()

    def watch(place: int, process: Process) -> None:
        endings.append(Ending(program=place, status=process.wait()))
        over.set()

    def watch_input() -> None:
        _read_to_the_end()
        over.set()

    signal.signal(signal.SIGTERM, on_signal)
    threading.Thread(target=watch_input, daemon=True).start()
    try:
        for place, program in enumerate(errand["programs"]):
            try:
                processes.append(_start(program))
            except OSError as error:  # no such program, not one for this machine, …
                _note(program, error)
                return Ending(program=place, status=CANNOT_RUN)
            threading.Thread(target=watch, args=(place, processes[-1]), daemon=True).start()
        over.wait()
        return endings[0] if endings else None
    finally:
        _end(processes, errand["grace"])


def _read_to_the_end() -> None:
    # Not sys.stdin: its buffer's lock, held by a thread, would stop the interpreter from ending.
    while os.read(STANDARD_INPUT, 4096):
        pass


def _start(program: Program) -> Process:
    if program["log"] is None:
        return subprocess.Popen(program["command"], stdin=subprocess.DEVNULL)  # noqa: S603
    with Path(program["log"]).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - what whoever holds the leash asked for
            program["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _note(program: Program, error: OSError) -> None:
    """Say why a program could not be started where its own last words would be."""
    with Path(program["log"] or os.devnull).open("a") as log:
        log.write(f"{error}\n")


def _end(processes: list[Process], grace: float) -> None:
    if grace:
        for process in processes:
            process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            if grace:
                process.wait(grace)
        process.kill()
    for process in processes:
        process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
