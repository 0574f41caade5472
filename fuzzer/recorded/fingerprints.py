"""Are two recorded exchanges alike in every way the checks can see?

Typical traffic repeats itself: the replicas of a workload differ in the uid of the review and in
names that a controller or the API server drew at random. A fingerprint is equal for exchanges that
differ in nothing but such names, each of them replaced everywhere by another of the same length: in
the object, in the answer, in the patch inside of it. No check can tell these apart, because none
looks into a name that is drawn at random; it only sees which places hold the same one.

A name is such a one only where it stands in a place that holds them (`_candidates`) and looks like
nothing that has a meaning (`is_opaque`). Whatever else differs makes another fingerprint.
"""

import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from webhook_fuzz.corpora.exchanges import Answered, Outcome
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at, text_at

Key: TypeAlias = tuple[object, ...]

# k8s.io/apimachinery pkg/util/rand SafeEncodeString: without vowels, so that it makes no word.
_DRAWN: Final = "[bcdfghjklmnpqrstvwxz2456789]{8,10}"
# plugin/pkg/admission/serviceaccount/admission.go ServiceAccountVolumeName.
_TOKEN_VOLUME: Final = "kube-api-access-"  # noqa: S105 - the name of a volume
_OPAQUE: Final = re.compile(
    "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # a uid
    # Of a workload, with a revision, a run or a number in it. With a hyphen and a letter in front
    # it is no number and no quantity; with a digit, or something drawn, no word of the API.
    rf"|(?=.{{8}})(?=[a-z-]*[0-9]|.*-{_DRAWN}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)+"
    rf"|(?=(?:[0-9]*[a-z]){{3}}){_DRAWN}"  # three letters make it no quantity
    rf"|{_TOKEN_VOLUME}[a-z0-9]{{5}}"
)
# Labels whose values the controllers of Deployments, StatefulSets, DaemonSets and Jobs make.
_LABELS: Final = (
    "pod-template-hash",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "job-name",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
)
# As encoding/json of Go writes it, and as Python's json does.
_PATCHES: Final = (b'"patch":"', b'"patch": "')
_MOST_NAMES: Final = 24
_FIRST_MARK: Final = 65


_AS_IT_IS, _NO_JSON, _NOTHING = -1, -2, -3


class _Parts(NamedTuple):
    """An answer with its patch taken out and decoded; `how` is which of _PATCHES it began with."""

    how: int
    rest: bytes
    patch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """`key` is equal for exchanges that are alike; `names` are those in which they may differ.

    The names stand in the same order in all exchanges of one key.
    """

    key: Key
    names: tuple[str, ...]


def is_opaque(name: str) -> bool:
    """Whether a name can mean nothing to a check, wherever it stands."""
    return _OPAQUE.fullmatch(name) is not None


def fingerprint(
    request: JsonObject, outcome: Outcome, encoded: bytes, *, apart: Key
) -> Fingerprint | None:
    """The fingerprint of an exchange; None where it can be taken for no other.

    `encoded` is the request's object as JSON; `apart` is what else must be the same.
    """
    names = _names(request)
    uid = text_at(request, "uid")
    if uid not in names:
        apart = (*apart, uid)
    how, rest, patch = _take_apart(outcome)
    # Orjson escapes it, so that only an answer can hold one; it marks where a name was.
    if b"\0" in rest or b"\0" in patch:
        return None
    text = b"\0\0".join((encoded, rest, patch))
    # The longest first: a name may be a part of another.
    order = sorted(range(len(names)), key=lambda number: -len(names[number]))
    for number in order:
        text = text.replace(names[number].encode(), b"\0" + bytes((_FIRST_MARK + number,)))
    key = (apart, how, _kind_of(outcome), tuple(map(len, names)), hashlib.sha256(text).digest())
    return Fingerprint(key=key, names=names)


def translate(text: str, names: Sequence[str], others: Sequence[str]) -> str:
    """A text with every name replaced by the other of the same place."""
    order = sorted(range(len(names)), key=lambda number: -len(names[number]))
    for number in order:
        text = text.replace(names[number], f"\0{chr(_FIRST_MARK + number)}")
    for number, other in enumerate(others):
        text = text.replace(f"\0{chr(_FIRST_MARK + number)}", other)
    return text


def _names(request: JsonObject) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for candidate in _candidates(request):
        if candidate not in found and is_opaque(candidate):
            found[candidate] = None
            if len(found) == _MOST_NAMES:
                break
    return tuple(found)


def _candidates(request: JsonObject) -> Iterator[str]:
    """Where names stand that are drawn at random or counted up, in a fixed order."""
    yield text_at(request, "uid")
    holder = object_at(request, "object")
    metadata = object_at(holder, "metadata")
    yield text_at(metadata, "name")
    yield text_at(metadata, "generateName").rstrip("-")
    yield text_at(metadata, "uid")
    labels = object_at(metadata, "labels")
    for label in _LABELS:
        if label in labels:
            yield text_at(labels, label)
    for owner in objects_at(metadata, "ownerReferences"):
        yield text_at(owner, "name")
        yield text_at(owner, "uid")
    spec = object_at(holder, "spec")
    yield text_at(spec, "hostname")
    for volume in objects_at(spec, "volumes"):
        name = text_at(volume, "name")
        if name.startswith(_TOKEN_VOLUME):
            yield name
    if "affinity" in spec:
        yield from _nodes(spec)


def _nodes(spec: JsonObject) -> Iterator[str]:
    """The node a DaemonSet's pod is for (pkg/controller/daemon/util/daemonset_util.go)."""
    required = object_at(
        spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    for term in objects_at(required, "nodeSelectorTerms"):
        for field in objects_at(term, "matchFields"):
            values: JsonValue = field.get("values")
            for value in values if isinstance(values, list) else ():
                if isinstance(value, str):
                    yield value


def _kind_of(outcome: Outcome) -> Key:
    if isinstance(outcome, Answered):
        return (outcome.status,)
    return (outcome.kind, outcome.status)


def _take_apart(outcome: Outcome) -> _Parts:
    if not isinstance(outcome, Answered):
        return _Parts(_NOTHING, b"", b"")
    body = outcome.body
    if not body.startswith(b"{"):
        # Perhaps YAML, which takes some texts for numbers. In this no name is found.
        return _Parts(_NO_JSON, hashlib.sha256(body).hexdigest().upper().encode(), b"")
    for how, beginning in enumerate(_PATCHES):
        start = body.find(beginning) + len(beginning)
        if start < len(beginning):
            continue
        end = body.find(b'"', start)
        encoded = body[start:end] if end >= 0 else b""
        try:
            decoded = binascii.a2b_base64(encoded, strict_mode=True)
        except binascii.Error:
            break
        if binascii.b2a_base64(decoded, newline=False) == encoded:
            return _Parts(how, body[:start] + body[end:], decoded)
        break
    return _Parts(_AS_IT_IS, body, b"")
