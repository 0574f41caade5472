"""What does the exit code say?"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command, documented in the README."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    INTERRUPTED = 130
