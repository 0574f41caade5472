"""What became of a pod that was sent through an API server's admission, in comparable words?

The object without what differs from call to call; the message of a failed call by its class, in the
words of the API server and of its HTTP client, without addresses and names.
"""

import re
from dataclasses import dataclass

from failing_webhooks import CELL
from testbed.clusters import Reply
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at

_FAILED_CALL = re.compile(
    r'failed calling webhook "[^"]+": (?:failed to call webhook: )?(.*)', re.DOTALL
)
_DENIED = re.compile(r'admission webhook "[^"]+" denied the request: (.*)', re.DOTALL)
_POSTED = re.compile(r'Post "https://[^"]+": ')
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+:\d+(->\d+\.\d+\.\d+\.\d+:\d+)?")
_UID = re.compile(r'"[0-9a-f]{8}-[0-9a-f-]{27}"')
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_OF_OTHERS = ("uid", "creationTimestamp", "resourceVersion", "managedFields")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """One outcome. `kind` is the class of the message, `detail` what it says beyond the class."""

    status: int
    kind: str
    detail: str
    warnings: tuple[str, ...]
    pod: JsonObject

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


def outcome_of(reply: Reply) -> Admitted:
    """The outcome of a creation."""
    kind, detail = _classify(reply)
    return Admitted(
        status=reply.status,
        kind=kind,
        detail=detail,
        warnings=tuple(_anonymous(each) for each in reply.warnings),
        pod=_comparable(reply.body) if reply.body.get("kind") == "Pod" else {},
    )


def _classify(reply: Reply) -> tuple[str, str]:
    if reply.body.get("kind") == "Pod":
        return "created", ""
    for pattern, kind in ((_FAILED_CALL, "failed calling webhook"), (_DENIED, "denied")):
        if (found := pattern.search(reply.message)) is not None:
            return kind, _anonymous(found[1])
    return "refused", _anonymous(reply.message)


def _anonymous(text: str) -> str:
    without = _ADDRESS.sub("ADDRESS", _POSTED.sub("", text))
    return " ".join(_TIME.sub("TIME", _UID.sub('"UID"', without)).split())


def _comparable(pod: JsonObject) -> JsonObject:
    metadata = {
        name: member
        for name, member in object_at(pod, "metadata").items()
        if name not in _OF_OTHERS
    }
    labels = {**object_at(metadata, "labels")}
    labels.pop(CELL, None)
    return {**pod, "metadata": {**metadata, "labels": labels}}
