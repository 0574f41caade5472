"""Where does the testbed keep what it built, and how do two test runs share it?

`${XDG_CACHE_HOME:-~/.cache}/webhook-fuzz/testbed`: building takes minutes, so it outlives the
checkout. Everything in it is named after its content and can be deleted at any time.
"""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from testbed.progress import Clock, Progress

LOCK_POLL_SECONDS = 0.1


def cache_folder() -> Path:
    """The testbed's folder in the user's cache (XDG Base Directory Specification)."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "webhook-fuzz" / "testbed"


@contextmanager
def locked(lock: Path, *, waiting_for: str, progress: Progress) -> Generator[None]:
    """Hold `lock` for this process alone; it is freed even when the process is killed.

    `flock` and not a lock file's existence: nothing is left behind to be cleaned up by hand.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        clock = Clock(f"waiting for another process that is {waiting_for}", progress)
        while not _try_lock(file.fileno()):
            clock.tick()
            time.sleep(LOCK_POLL_SECONDS)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
