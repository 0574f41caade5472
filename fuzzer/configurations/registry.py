"""Which rules are configurations held to?

A rule is a function from one webhook and what is known around it to flaws, registered under its
code. It is pure, and yields nothing where it does not apply or where too little is known.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook_fuzz.corpora.manifest_lines import Step
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.cluster.surroundings import Surroundings
from webhook_fuzz.fuzzer.findings import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What a rule found. `severity` and `remedy` are the code's own where they are None.

    `member` is the path to the culprit from the webhook's entry on; of the configuration, where
    `whole` says that the flaw is not one webhook's.
    """

    explanation: str
    severity: Severity | None = None
    member: tuple[Step, ...] = ()
    evidence: str = ""
    remedy: str | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One webhook, what is known around it, and the webhooks called after it."""

    webhook: Webhook
    around: Surroundings
    later: tuple[Webhook, ...] = field(default=(), repr=False)


Rule: TypeAlias = Callable[[Subject], Iterable[Flaw]]

RULES: dict[str, Rule] = {}
"""Every rule about one webhook by its code."""


def rule(code: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of a code."""

    def register(function: Rule) -> Rule:
        if code in RULES:
            raise ValueError(f"there are two rules for {code}")
        RULES[code] = function
        return function

    return register
