"""What is wrong with one recorded exchange?

The checks of a sweep judge it, as far as they apply to what was recorded; nothing is sent. What
they would have to guess at is not claimed: an answer nobody waited for, a value that was redacted.
What was found on an exchange holds for all that are alike (`fingerprints.py`), which is what makes
judging a recording fast.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import orjson

from webhook_fuzz.corpora.exchanges import Answered, CallFailure, Exchange, was_reached
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.checks.all_checks import CHECKS
from webhook_fuzz.fuzzer.checks.shapes import mechanism
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.recorded.applicability import APPLIED, Extent
from webhook_fuzz.fuzzer.recorded.claims import is_claimed
from webhook_fuzz.fuzzer.recorded.fingerprints import Key, fingerprint, translate
from webhook_fuzz.fuzzer.recorded.new_fields import FieldFinder
from webhook_fuzz.fuzzer.recorded.requests import PlainObservation, is_about_pod
from webhook_fuzz.fuzzer.recorded.shapes import is_ours

REMEMBERED: Final = 8192
"""Different exchanges whose findings are kept, the ones met last."""

_VERSIONS: Final = ("admission.k8s.io/v1", "admission.k8s.io/v1beta1")
_MOST_SIGHTS: Final = 256
_MOST_OPERATIONS: Final = 5_000
"""A patch of more is not judged: applying it takes seconds, and no webhook makes one."""

# Of lists of objects. What compares and explains them takes seconds for more, at worst.
_MOST_IN_LIST: Final = 500
_MOST_ELEMENTS: Final = 1_500


class NotJudged(StrEnum):
    """Why nothing of an exchange was judged."""

    UNREAD = "the request was no AdmissionReview"
    TOO_DEEP = "the object is nested too deep"
    OUR_OWN = "pods made by webhook-fuzz itself"
    HUNG_UP = "the API server hung up before there was an answer"
    TOO_MANY = "the patch has more than 5,000 operations"
    TOO_LARGE = "the pod has more than 500 elements in a list, or 1,500 in all"
    FAILED = "the object has no shape the API server could have sent"
    WEBHOOKS = "webhooks beyond the first 500"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A finding without its values: what it is counted by, and the keyed path."""

    code: str
    field: str | None
    path: str | None

    @property
    def key(self) -> tuple[str, str | None]:
        """As that of the finding."""
        return (self.code, self.field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is known of an exchange, and of all that are alike.

    `fields` are the catalogue's new fields its pod has. `mechanism` is how its patch was made, None
    without one that leads to an object. `unclaimed` counts findings that rest on a redacted value.
    """

    extent: Extent
    reached: bool
    answered: bool
    denied: bool
    patched: bool
    fields: frozenset[str]
    mechanism: str | None
    sights: tuple[Sight, ...]
    unclaimed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One exchange and what is known of it. `size` is that of its object and answer, in bytes.

    `findings` are None where the judgement was taken over: TrafficJudge.examine makes them.
    """

    recorded: RecordedExchange
    judgement: Judgement
    size: int
    findings: tuple[Finding, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    """A judgement with the names of the exchange it was made on; `named` where one is in a path."""

    judgement: Judgement
    names: tuple[str, ...]
    named: bool


class TrafficJudge:
    """Judges recorded exchanges for one Kubernetes minor.

    `remembered` is how many different ones are remembered, 0 judges each of them in full.
    """

    def __init__(
        self, catalogue: Catalogue, target: Minor, *, remembered: int = REMEMBERED
    ) -> None:
        self.catalogue = catalogue
        self.target = target
        self.taken_over = 0
        self._most = remembered
        self._known: OrderedDict[Key, _Remembered] = OrderedDict()
        self._fields = FieldFinder(catalogue)

    def judge(self, recorded: RecordedExchange) -> Judged | NotJudged:
        """What is known of an exchange; raises nothing for what is in it."""
        extent = extent_of(recorded)
        if isinstance(extent, NotJudged):
            return extent
        request = object_at(recorded.exchange.review, "request")
        try:
            encoded = orjson.dumps(request.get("object"))
        except TypeError:
            return NotJudged.TOO_DEEP
        size = len(encoded) + len(recorded.exchange.outcome.body)
        apart: Key = (extent, recorded.raw, recorded.exchange.review.get("apiVersion"))
        mark = (
            fingerprint(request, recorded.exchange.outcome, encoded, apart=apart)
            if self._most
            else None
        )
        if mark is not None and (known := self._known.get(mark.key)) is not None:
            self._known.move_to_end(mark.key)
            self.taken_over += 1
            judgement = _taken_over(known, mark.names)
            return Judged(recorded=recorded, judgement=judgement, size=size, findings=None)
        examined = self._examine(recorded, extent)
        if isinstance(examined, NotJudged):
            return examined
        judgement, findings = examined
        if mark is not None and len(judgement.sights) <= _MOST_SIGHTS:
            self._remember(mark.key, judgement, mark.names)
        return Judged(recorded=recorded, judgement=judgement, size=size, findings=findings)

    def examine(self, recorded: RecordedExchange) -> tuple[Finding, ...]:
        """The findings on an exchange that was judged, with their values."""
        extent = extent_of(recorded)
        if isinstance(extent, NotJudged):
            return ()
        examined = self._examine(recorded, extent)
        return () if isinstance(examined, NotJudged) else examined[1]

    def observe(self, exchange: Exchange) -> Observation:
        """What came of an exchange, by the rules for what it is about."""
        is_pod = is_about_pod(object_at(exchange.review, "request"))
        kind = Observation if is_pod else PlainObservation
        return kind(exchange=exchange, catalogue=self.catalogue, target=self.target)

    @property
    def new_fields(self) -> frozenset[str]:
        """The catalogue paths that are looked for on pods."""
        return self._fields.fields

    def _examine(
        self, recorded: RecordedExchange, extent: Extent
    ) -> tuple[Judgement, tuple[Finding, ...]] | NotJudged:
        observation = self.observe(recorded.exchange)
        try:
            if len(observation.operations) > _MOST_OPERATIONS:
                return NotJudged.TOO_MANY
            if extent is Extent.POD and _is_too_large(observation):
                return NotJudged.TOO_LARGE
            found = tuple(self._findings(observation, extent))
            claimed = tuple(
                finding for finding in found if recorded.raw or is_claimed(finding, observation)
            )
            return self._judgement(observation, extent, claimed, len(found)), claimed
        # An object of a recording can be anything, and what checks take for granted is what the API
        # server sends; the next exchange is to be judged.
        except Exception:  # noqa: BLE001
            return NotJudged.FAILED

    def _findings(self, observation: Observation, extent: Extent) -> Iterator[Finding]:
        for code in APPLIED[extent]:
            for finding in CHECKS[code](observation):
                yield _of_traffic(finding, self.catalogue)
        if extent is Extent.ANSWER and observation.operations:
            # mutating/dispatcher.go callAttrMutatingHook: an internal error, whatever the policy.
            yield Finding(
                code="WF005",
                culprits=tuple(range(len(observation.operations))),
                explanation="There is a patch where the request has no object to be patched.",
            )

    def _judgement(
        self,
        observation: Observation,
        extent: Extent,
        claimed: Sequence[Finding],
        found: int,
    ) -> Judgement:
        outcome = observation.exchange.outcome
        patched = bool(observation.operations) and observation.result is not None
        is_pod = extent is Extent.POD
        return Judgement(
            extent=extent,
            reached=was_reached(outcome),
            answered=isinstance(outcome, Answered),
            denied=observation.denied,
            patched=patched and extent is not Extent.ANSWER,
            fields=self._fields.find(observation.sent) if is_pod else frozenset(),
            mechanism=mechanism(claimed) if patched and is_pod else None,
            sights=tuple(
                dict.fromkeys(
                    Sight(code=each.code, field=each.field, path=each.path) for each in claimed
                )
            ),
            unclaimed=found - len(claimed),
        )

    def _remember(self, key: Key, judgement: Judgement, names: tuple[str, ...]) -> None:
        texts = [text for sight in judgement.sights for text in (sight.field, sight.path) if text]
        named = any(name in text for text in texts for name in names)
        self._known[key] = _Remembered(judgement=judgement, names=names, named=named)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def extent_of(recorded: RecordedExchange) -> Extent | NotJudged:
    """How much of an exchange can be judged, or why nothing of it can."""
    review = recorded.exchange.review
    request = object_at(review, "request")
    is_review = review.get("apiVersion") in _VERSIONS and isinstance(request.get("uid"), str)
    if not is_review:
        return NotJudged.UNREAD
    if recorded.hung_up and isinstance(recorded.exchange.outcome, CallFailure):
        return NotJudged.HUNG_UP
    if is_about_pod(request):
        return NotJudged.OUR_OWN if is_ours(request) else Extent.POD
    return Extent.OBJECT if object_at(request, "object") else Extent.ANSWER


def _is_too_large(observation: Observation) -> bool:
    patched = observation.patched
    return _has_many_elements(observation.sent) or (
        isinstance(patched, dict) and _has_many_elements(patched)
    )


def _has_many_elements(value: JsonObject) -> bool:
    """Without recursion: a webhook may nest what it adds ten thousand deep."""
    waiting: list[JsonObject | list[JsonValue]] = [value]
    elements = 0
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict):
            waiting += [each for each in holder.values() if isinstance(each, dict | list)]
            continue
        inside = [each for each in holder if isinstance(each, dict | list)]
        elements += len(inside)
        if len(inside) > _MOST_IN_LIST or elements > _MOST_ELEMENTS:
            return True
        waiting += inside
    return False


def _of_traffic(finding: Finding, catalogue: Catalogue) -> Finding:
    """The finding in words that are true of traffic, in which nothing is synthetic."""
    if finding.code != "WF108":
        return finding
    return replace(
        finding,
        explanation=f"The field was set and is gone. It is newer than Kubernetes "
        f"{catalogue.newest}, the newest that is known here.",
    )


def _taken_over(known: _Remembered, names: tuple[str, ...]) -> Judgement:
    if not known.named or known.names == names:
        return known.judgement

    def renamed(text: str | None) -> str | None:
        return text and translate(text, known.names, names)

    return replace(
        known.judgement,
        sights=tuple(
            replace(sight, field=renamed(sight.field), path=renamed(sight.path))
            for sight in known.judgement.sights
        ),
    )
