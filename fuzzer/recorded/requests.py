"""What can be judged of a request that is not the creation of a pod?

Losses are told by the schema of pods, so they are looked for in whatever request carries a pod.
Of other kinds, and of requests without an object, the answer itself is judged: whether the API
server can use it, and whether its patch applies.
"""

from collections.abc import Iterator
from functools import cached_property

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.fuzzer.checks.all_checks import CHECKS, run_checks
from webhook_fuzz.fuzzer.differences.comparing import Change
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.recorded.applicability import APPLIED, Extent


class PlainObservation(Observation):
    """What came of an exchange about something that is no pod: `sent` is empty without object."""

    @cached_property
    def sent(self) -> JsonObject:
        """The object as it was sent."""
        return object_at(self.exchange.review, "request", "object")

    @cached_property
    def decoded(self) -> None:
        """Nothing is known of its types."""
        return None

    @cached_property
    def result(self) -> JsonObject | None:
        """The object after the patch, as it is."""
        return self.patched if isinstance(self.patched, dict) else None

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """None are told: without a schema it is not known which of them mean anything."""
        return ()


def is_about_pod(request: JsonObject) -> bool:
    """Whether the object of a request is a pod, whatever is done with it."""
    kind = object_at(request, "kind")
    names = (text_at(kind, "group"), text_at(kind, "version"), text_at(kind, "kind"))
    return names == ("", "v1", "Pod") and bool(object_at(request, "object", "spec"))


def is_creation(request: JsonObject) -> bool:
    """Whether a pod is made: what probes can be added to."""
    return (
        is_about_pod(request)
        and text_at(request, "operation") == "CREATE"
        and not text_at(request, "subResource")
    )


def findings_of(observation: Observation) -> Iterator[Finding]:
    """What the checks that apply find."""
    if not isinstance(observation, PlainObservation):
        yield from run_checks(observation)
        return
    for code in APPLIED[Extent.OBJECT if observation.sent else Extent.ANSWER]:
        yield from CHECKS[code](observation)
