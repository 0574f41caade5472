"""Which checks are there?

A check is a function from an observation to findings, registered under its code. It is pure, knows
nothing of how the webhook was called, and yields nothing where it does not apply.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation

Check: TypeAlias = Callable[[Observation], Iterable[Finding]]

CHECKS: dict[str, Check] = {}
"""Every check by its code, in the order of the codes."""


def check(code: str) -> Callable[[Check], Check]:
    """Register a function as the check of a code."""

    def register(function: Check) -> Check:
        if code in CHECKS:
            raise ValueError(f"there are two checks for {code}")
        CHECKS[code] = function
        return function

    return register


def run_checks(observation: Observation) -> Iterator[Finding]:
    """The findings of every check on one observation."""
    for function in CHECKS.values():
        yield from function(observation)
