"""What happens during a run, in order?

The engine is a stream of these values and knows nobody who consumes them: the command line, the
reports and the tests fold the same stream.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.observations import Observation


class TriggerEffect(StrEnum):
    """What a trigger did to a webhook's answers."""

    ACTS = "acts"
    SAME = "same-as-without"
    NO_PATCH = "no-patch"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStarted:
    """A webhook's turn begins.

    `cases` is how many a trigger has, `fields` are the catalogue paths their probes set.
    """

    webhook: WebhookIdentity
    target: Minor
    cases: int
    triggers: int
    fields: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseJudged:
    """One case was sent and its answer judged.

    `findings` are those of `alike` where there was one: an earlier exchange, without a trigger, in
    which the same was asked and answered (see `likenesses.py`).
    """

    case: Case
    observation: Observation
    findings: tuple[Finding, ...]
    alike: Observation | None = None

    @property
    def patched(self) -> bool:
        """Whether it was answered with a patch that leads to a pod."""
        judged = self.alike or self.observation
        return bool(judged.operations) and judged.result is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerFinished:
    """All cases of one trigger are done, or the rest was not worth sending (see `effect`)."""

    trigger: str
    effect: TriggerEffect
    planned: int
    sent: int
    answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationsStarted:
    """What broke is now sent alone on small pods; `count` findings are to be confirmed."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFinished:
    """A webhook's turn is over; `complete` is False when calls stopped being answered."""

    webhook: WebhookIdentity
    complete: bool


Event: TypeAlias = (
    WebhookStarted | CaseJudged | TriggerFinished | ConfirmationsStarted | WebhookFinished
)
