"""What happened at one webhook while a pod went through the chain?

A webhook that could not be called, or of which it is not known whether the server would call it, is
an unknown hop: what it would have done is never guessed, and everything after it is marked.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.observations import Observation


class HopOutcome(StrEnum):
    """What came of a webhook's turn.

    PATCHED, UNCHANGED: called. SKIPPED: the server would not call it. FAILED_OPEN: the call failed,
    and failurePolicy is Ignore. DENIED, REJECTED, FAILED: the request ends here, by the webhook, by
    a matchCondition, by an error. UNKNOWN: see the module.
    """

    PATCHED = "patched"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED_OPEN = "failed-open"
    DENIED = "denied"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"


ENDING = frozenset({HopOutcome.DENIED, HopOutcome.REJECTED, HopOutcome.FAILED})
"""The outcomes after which no other webhook is called."""

CALLED = frozenset(HopOutcome) - {HopOutcome.SKIPPED, HopOutcome.REJECTED, HopOutcome.UNKNOWN}
"""The outcomes of a webhook that was called and answered, or failed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One webhook's turn. `round` is 0, or 1 when it is called again (reinvocationPolicy).

    `before` and `after` are the pod as the API server has it, the same object where nothing was
    patched; `changed` says whether the server takes them for different. `sure` is False behind an
    unknown hop, which may have changed what this one got. `reason` is one sentence.
    """

    webhook: Webhook
    round: int
    outcome: HopOutcome
    reason: str
    before: JsonObject = field(repr=False)
    after: JsonObject = field(repr=False)
    changed: bool = False
    sure: bool = True
    observation: Observation | None = field(default=None, repr=False)

    @property
    def patch(self) -> tuple[JsonObject, ...]:
        """The operations the webhook answered with; empty when it was not called."""
        return self.observation.operations if self.observation else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A pod's way through the chain, called webhook by webhook.

    `start` is the pod as the first webhook gets it; `dropped` are the fields of the pod the API
    version does not have. `may_run_again` are the webhooks the server calls once more if an in-tree
    plugin changes the pod between the rounds, which is not seen from outside.
    """

    start: JsonObject = field(repr=False)
    hops: tuple[Hop, ...]
    dropped: tuple[str, ...] = ()
    may_run_again: tuple[Webhook, ...] = ()

    @property
    def end(self) -> JsonObject:
        """The pod as the last webhook left it."""
        return self.hops[-1].after if self.hops else self.start

    @property
    def refused_at(self) -> Hop | None:
        """The hop that ended the request; None when the pod came through."""
        last = self.hops[-1] if self.hops else None
        return last if last is not None and last.outcome in ENDING else None

    @property
    def unknown(self) -> tuple[Hop, ...]:
        """The hops of which nothing is known."""
        return tuple(hop for hop in self.hops if hop.outcome is HopOutcome.UNKNOWN)

    @property
    def complete(self) -> bool:
        """Whether every hop is known and the pod came through."""
        return self.refused_at is None and not self.unknown
