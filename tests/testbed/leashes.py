"""How is a foreign program ended together with the test run that started it, even by SIGKILL?

Run as a script between the two: it starts the program, and ends it when its own standard input
closes, which the kernel does when the last holder of the other end is gone. Our own programs
watch their standard input themselves. Standard library only, so that it starts at once.
"""

import signal
import subprocess
import sys
import threading
from types import FrameType

GRACE_SECONDS = 3.0


def main() -> int:
    """Run the command given as arguments; return its exit status."""
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL) as process:  # noqa: S603

        def pass_on(_signal: int, _frame: FrameType | None) -> None:
            process.terminate()

        signal.signal(signal.SIGTERM, pass_on)
        threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
        return process.wait()


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
