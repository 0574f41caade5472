"""Which of a million recorded reviews differ from each other to a webhook?

Those of different shape: which members are set, the keys of labels and annotations with their
values where these are a word of choice, how many containers there are, the namespace, who asks, and
what the webhook made of it. Not names, hashes, images and values, in which a thousand pods of the
same workloads differ. What is kept is bounded, in shapes and in bytes; what was beyond is counted.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson

from webhook_fuzz.corpora.exchanges import Answered, Outcome, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.fuzzer.cluster.pod_shapes import coarse_shape

Shape: TypeAlias = Hashable

DEFAULT_MOST: Final = 2_000
"""Shapes kept of a recording, before `--limit` chooses among them."""

MOST_BYTES: Final = 256 * 2**20
"""Bytes of reviews kept, as JSON: a hostile recording may hold pods of 3 MiB each."""

UNREAD: Final = "the request was no AdmissionReview"
TOO_DEEP: Final = "nested too deep"
OUR_OWN: Final = "pods made by webhook-fuzz itself"

_MOST_COUNTED = 100_000
_DIGITS = re.compile(r"\d+")
# Members of a spec whose few values make a webhook take another path.
_CHOICES = (
    "restartPolicy",
    "dnsPolicy",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "automountServiceAccountToken",
    "shareProcessNamespace",
    "runtimeClassName",
)
_USERS = (
    "system:node:",
    "system:serviceaccount:kube-system:",
    "system:serviceaccount:",
    "system:",
)
# What `plain_container` of the generation puts into pods.
_OUR_NAME, _OUR_IMAGE = "wf-", "registry.example.com/wf/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One review of a shape, and how many exchanges it stands for.

    `acted` is what the webhook did with it when it was recorded: `patched`, `allowed`, `denied` or
    `failed`. `number` counts the shapes from 0, in the order they were met.
    """

    number: int
    id: str
    webhook: WebhookIdentity
    encoded: bytes
    acted: str
    count: int = 1

    @property
    def review(self) -> JsonObject:
        """The review as it was recorded; a value of its own at every call."""
        found: JsonObject = orjson.loads(self.encoded)
        return found


@dataclass(slots=True, kw_only=True)
class Samples:
    """One review of every shape of what is added; `left_out` counts exchanges by reason.

    `read` counts everything added. `beyond` counts the exchanges whose shape had no room any more,
    `shapes_beyond` those shapes (up to a hundred thousand of them).
    """

    most: int = DEFAULT_MOST
    most_bytes: int = MOST_BYTES
    read: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])
    beyond: int = 0
    _kept: dict[Shape, Sample] = field(default_factory=dict[Shape, Sample])
    _counts: Counter[Shape] = field(default_factory=Counter[Shape])
    _beyond: set[int] = field(default_factory=set[int])
    _bytes: int = 0

    def add(self, recorded: RecordedExchange) -> None:
        """Count one exchange, and keep it where it is the first of its shape."""
        self.read += 1
        review = recorded.exchange.review
        request = object_at(review, "request")
        if not request:
            self.left_out[UNREAD] += 1
            return
        if is_ours(request):
            self.left_out[OUR_OWN] += 1
            return
        acted = how_answered(recorded.exchange.outcome)
        try:
            shape = (recorded.exchange.webhook, acted, shape_of(request))
        except RecursionError:
            self.left_out[TOO_DEEP] += 1
            return
        if shape in self._kept:
            self._counts[shape] += 1
        else:
            self._keep(shape, recorded, acted)

    def _keep(self, shape: Shape, recorded: RecordedExchange, acted: str) -> None:
        encoded = _encoded(recorded.exchange.review)
        if encoded is None:
            self.left_out[TOO_DEEP] += 1
        elif len(self._kept) >= self.most or self._bytes + len(encoded) > self.most_bytes:
            self.beyond += 1
            if len(self._beyond) < _MOST_COUNTED:
                self._beyond.add(hash(shape))
        else:
            self._bytes += len(encoded)
            self._counts[shape] = 1
            self._kept[shape] = Sample(
                number=len(self._kept),
                id=recorded.id,
                webhook=recorded.exchange.webhook,
                encoded=encoded,
                acted=acted,
            )

    @property
    def shapes_beyond(self) -> int:
        """How many shapes had no room."""
        return len(self._beyond)

    def __len__(self) -> int:
        return len(self._kept)

    def chosen(self, limit: int) -> tuple[Sample, ...]:
        """At most `limit` of them: those the webhook patched first, then the frequent ones.

        In the order they were met.
        """
        counted = [
            Sample(
                number=sample.number,
                id=sample.id,
                webhook=sample.webhook,
                encoded=sample.encoded,
                acted=sample.acted,
                count=self._counts[shape],
            )
            for shape, sample in self._kept.items()
        ]
        counted.sort(key=lambda one: (one.acted != "patched", -one.count, one.number))
        return tuple(sorted(counted[:limit], key=lambda one: one.number))


def collect_samples(recorded: Iterable[RecordedExchange], *, most: int = DEFAULT_MOST) -> Samples:
    """One review of every shape of a recording."""
    samples = Samples(most=most)
    for each in recorded:
        samples.add(each)
    return samples


def shape_of(request: JsonObject) -> Shape:
    """Equal for requests that no webhook can tell apart by more than names and values.

    Raises RecursionError for what is nested deeper than any object of the API.
    """
    holder = object_at(request, "object") or object_at(request, "oldObject")
    metadata, spec = object_at(holder, "metadata"), object_at(holder, "spec")
    return (
        _resource(request),
        text_at(request, "operation"),
        _DIGITS.sub("#", text_at(request, "namespace")),
        _kind_of_user(text_at(object_at(request, "userInfo"), "username")),
        coarse_shape(holder),
        (frozenset(holder), frozenset(metadata)),
        tuple(text_at(owner, "kind") for owner in objects_at(metadata, "ownerReferences")),
        tuple(_choice(spec.get(name)) for name in _CHOICES),
    )


def how_answered(outcome: Outcome) -> str:
    """What a webhook did: `patched`, `allowed`, `denied` or `failed`."""
    if not isinstance(outcome, Answered):
        return "failed"
    try:
        answer: JsonValue = orjson.loads(outcome.body)
    except orjson.JSONDecodeError:
        return "failed"
    response = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        return "failed"
    if response.get("allowed") is not True:
        return "denied"
    return "patched" if response.get("patch") else "allowed"


def _resource(request: JsonObject) -> Shape:
    resource = object_at(request, "resource")
    return (
        *(text_at(resource, name) for name in ("group", "version", "resource")),
        text_at(request, "subResource"),
    )


def _choice(value: JsonValue) -> Shape:
    return value if isinstance(value, str | bool) else None


def _kind_of_user(name: str) -> str:
    """Who asks, not which one: a node, a controller, a service account, the system, a person."""
    return next((prefix for prefix in _USERS if name.startswith(prefix)), "")


def is_ours(request: JsonObject) -> bool:
    """Whether the pod has containers of our own: it was sent by a sweep through the proxy."""
    spec = object_at(request, "object", "spec")
    lists: Sequence[str] = ("initContainers", "containers")
    return any(
        text_at(container, "name").startswith(_OUR_NAME)
        and text_at(container, "image").startswith(_OUR_IMAGE)
        for name in lists
        for container in objects_at(spec, name)
    )


def _encoded(review: JsonObject) -> bytes | None:
    """The review as JSON; None for what orjson refuses: too deep, or numbers beyond 64 bits."""
    try:
        return orjson.dumps(review)
    except TypeError:
        return None
