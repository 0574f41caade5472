"""Which calls belong to the same request to the API server?

A repeated call keeps its uid. A reinvocation has one of its own, and nothing in a review says that
it is one, so that it is told by what it is for: the same operation on the same object by the same
user, within the time one request may take, with an object that something changed since. Pods that
a controller makes at the same time are told apart by the volume of their token; without one, the
same webhook called again with the very same object is another pod's request.
(k8s.io/apiserver pkg/admission/plugin/webhook/mutating/reinvocationcontext.go)
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson

from webhook_fuzz.corpora.bounded import Bounded
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at, text_at

# requestTimeoutUpperBound (k8s.io/apiserver pkg/endpoints/handlers/rest.go): all webhooks and
# their reinvocation share it.
REQUEST_SECONDS: Final = 34.0
_MOST_OBJECTS: Final = 4096
_MOST_UIDS: Final = 16384
_MOST_REQUESTS: Final = 64
"""Of one object at a time: replicas that are created together."""
_MOST_INVOCATIONS: Final = 2
_OWN_VOLUME: Final = "kube-api-access-"

_Webhook: TypeAlias = tuple[str, str]
_Object: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The members of a RecordedExchange of the same names."""

    request: str
    attempt: int
    invocation: int


@dataclass(slots=True, kw_only=True)
class _Request:
    name: str
    started_at: float
    objects: dict[_Webhook, list[int]] = field(default_factory=dict[_Webhook, list[int]])
    """What each webhook was sent, as hashes, in the order of its invocations."""


@dataclass(slots=True, kw_only=True)
class _Call:
    request: _Request
    invocation: int
    attempt: int = 1


class Grouper:
    """Places calls in the order they ended; what it remembers is bounded in number and time."""

    def __init__(self) -> None:
        self._calls = Bounded[tuple[_Webhook, str], _Call](_MOST_UIDS)
        self._requests = Bounded[_Object, list[_Request]](_MOST_OBJECTS)

    def place(
        self, webhook: WebhookIdentity, review: JsonObject, *, id_: str, started_at: float
    ) -> Place:
        """Where the call stands; `id_` names the request if this is its first call."""
        asked = review.get("request")
        uid = asked.get("uid") if isinstance(asked, dict) else None
        if not isinstance(asked, dict) or not isinstance(uid, str):
            return Place(request=id_, attempt=1, invocation=1)
        name = (webhook.configuration, webhook.name)
        call = self._calls.get((name, uid))
        if call is not None:
            call.attempt += 1
        else:
            call = self._place_first(name, asked, _Request(name=id_, started_at=started_at))
            self._calls[name, uid] = call
        return Place(request=call.request.name, attempt=call.attempt, invocation=call.invocation)

    def _place_first(self, webhook: _Webhook, asked: JsonObject, new: _Request) -> _Call:
        about = _object_of(asked)
        shape = hash(orjson.dumps(asked.get("object"))) if "object" in asked else 0
        requests = [
            each
            for each in self._requests.get(about, ())
            if abs(new.started_at - each.started_at) < REQUEST_SECONDS
        ]
        request = _find_request(requests, webhook, shape)
        if request is None:
            request = new
            requests.append(new)
        shapes = request.objects.setdefault(webhook, [])
        shapes.append(shape)
        self._requests[about] = requests[-_MOST_REQUESTS:]
        self._requests.move_to_end(about)
        return _Call(request=request, invocation=len(shapes))


def _find_request(requests: list[_Request], webhook: _Webhook, shape: int) -> _Request | None:
    """The oldest request that still waits for this webhook, or the one that calls it again."""
    for request in requests:
        if webhook not in request.objects:
            return request
    for request in requests:
        shapes = request.objects[webhook]
        if shape not in shapes and len(shapes) < _MOST_INVOCATIONS:
            return request
    return None


def _object_of(asked: JsonObject) -> _Object:
    """What the call is about, as far as it stays the same from call to call of one request."""
    return (
        asked.get("operation"),
        *_members(asked.get("requestResource") or asked.get("resource")),
        asked.get("requestSubResource") or asked.get("subResource"),
        asked.get("namespace"),
        asked.get("name") or _of_metadata(asked.get("object"), "generateName"),
        _of_metadata(asked.get("oldObject"), "resourceVersion"),
        _token_volume(asked),
        *_members(asked.get("userInfo"), "username", "uid"),
        asked.get("dryRun") is True,
    )


def _token_volume(asked: JsonObject) -> str:
    """The volume the ServiceAccount plugin made for one pod: replicas differ in its name alone.

    It runs before webhooks and draws a name of its own for every pod (k8s.io/kubernetes
    plugin/pkg/admission/serviceaccount/admission.go, ServiceAccountVolumeName).
    """
    for volume in objects_at(object_at(asked, "object", "spec"), "volumes"):
        name = text_at(volume, "name")
        if name.startswith(_OWN_VOLUME):
            return name
    return ""


def _members(value: JsonValue, *names: str) -> tuple[object, ...]:
    if not isinstance(value, dict):
        return (None,)
    found = [value.get(name) for name in names or ("group", "version", "resource")]
    return tuple(each if isinstance(each, str) else None for each in found)


def _of_metadata(value: JsonValue, name: str) -> str | None:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    found = metadata.get(name) if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else None
