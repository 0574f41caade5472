"""What is a specimen: which program answers, and what is known to be wrong with it?

A program is a pure function from an AdmissionReview to an answer; it knows nothing of HTTP servers
and certificates (`serving.py` does). What is planted is data, so that tests can demand exactly it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a webhook sends back, after `delay_seconds`.

    `padding_bytes` blanks are sent after the body (JSON allows them).
    """

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    delay_seconds: float = 0.0
    padding_bytes: int = 0


Program: TypeAlias = Callable[[JsonObject], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A webhook with what is planted in it.

    `expected_codes` must be found when the pods give occasion (the fields, annotations or
    environment variables the fault is about); `possible_codes` may be found beside them, depending
    on the pod; any other code is a false alarm. `loses_since` says that every field newer than that
    minor is lost, below `loss_scope` (catalogue paths; empty: everywhere). `trigger_annotations`
    are what it acts on; without them it answers without a patch.
    """

    name: str
    description: str
    program: Program
    expected_codes: frozenset[str] = frozenset()
    possible_codes: frozenset[str] = frozenset()
    loses_since: Minor | None = None
    loss_scope: tuple[str, ...] = ()
    trigger_annotations: Mapping[str, str] = field(default_factory=dict[str, str])

    def answer(self, review: JsonObject) -> Answer:
        """The answer to one AdmissionReview."""
        return self.program(review)

    def loses(self, path: str, since: Minor) -> bool:
        """Whether a field at a catalogue path, added in `since`, is lost by this webhook."""
        if self.loses_since is None or since <= self.loses_since:
            return False
        return not self.loss_scope or path.startswith(self.loss_scope)
