"""What does a webhook's answer come to in the API server?

Allowed with the object it leads to, denied, or failed in one of the classes of failure: two answers
of the same effect are the same answer, however they are written.
"""

from dataclasses import dataclass, field

from webhook_fuzz.corpora.exchanges import CallFailure
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.answers import Answer, InvalidAnswer
from webhook_fuzz.fuzzer.apiserver.decoding import DecodeError
from webhook_fuzz.fuzzer.apiserver.patches import PatchError
from webhook_fuzz.fuzzer.observations import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What came of one answer.

    `failure` is the class of failure, "" for an answer the API server can use; `detail` says more
    of it, or is the message of a denial. `result` is the object that goes on, the one sent where
    nothing was patched, None for a denial, a failure, or a request without an object.
    """

    failure: str = ""
    allowed: bool = False
    code: int = 0
    detail: str = ""
    result: JsonObject | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    patch_bytes: bytes = field(default=b"", repr=False)

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.failure:
            return f"fails ({self.failure}): {self.detail}" if self.detail else self.failure
        if not self.allowed:
            return f"denied with {self.code}: {self.detail}" if self.detail else "denied"
        return "allowed with a patch" if self.patch_bytes else "allowed without a patch"


def effect_of(observation: Observation) -> Effect:
    """The effect of what was observed."""
    outcome, answer = observation.exchange.outcome, observation.answer
    if isinstance(outcome, CallFailure):
        status = f" {outcome.status}" if outcome.status else ""
        return Effect(failure=f"{outcome.kind}{status}", detail=outcome.detail)
    if isinstance(answer, InvalidAnswer):
        return Effect(failure=str(answer.reason), detail=answer.detail)
    if answer is None or not answer.allowed:
        return _denied(answer)
    patched, decoded = observation.patched, observation.decoded
    if isinstance(patched, PatchError):
        return Effect(failure="patch-does-not-apply", detail=patched.message)
    if isinstance(decoded, DecodeError):
        return Effect(failure="object-does-not-decode", detail=decoded.message)
    return Effect(
        allowed=True,
        result=observation.sent if observation.result is None else observation.result,
        warnings=answer.warnings,
        patch_bytes=answer.patch_bytes if answer.patch else b"",
    )


def _denied(answer: Answer | None) -> Effect:
    if answer is None:
        return Effect()
    return Effect(code=answer.code, detail=answer.message, warnings=answer.warnings)
