"""How did one call to a webhook end?

An exchange is one AdmissionReview with its answer, timing and outcome. The outcome stops where
HTTP stops: whether the body is a valid AdmissionReview is judged later, from the bytes, so that a
recording made today can be judged by the rules of tomorrow.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject


class FailureKind(StrEnum):
    """Why there is no usable answer, in the classes kube-apiserver's client can end in.

    Source: k8s.io/apiserver pkg/util/webhook/client.go and k8s.io/client-go rest/request.go; all
    of them are ErrCallingWebhook there (`failed calling webhook "X": failed to call webhook`).
    """

    DNS = "dns"
    REFUSED = "connection-refused"
    UNREACHABLE = "network-unreachable"
    TLS_NAME = "tls-name"
    TLS_EXPIRED = "tls-expired"
    TLS_UNTRUSTED = "tls-untrusted"
    TLS = "tls-handshake"
    TIMEOUT = "timeout"
    RESET = "connection-reset"
    STATUS = "http-status"
    TOO_LARGE = "answer-too-large"
    MALFORMED_HTTP = "malformed-http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The webhook answered with a status of 200 to 206; `body` is decoded from gzip, unparsed."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailure:
    """The call ended without an answer the API server would read.

    `status` is set for `http-status`; `detail` is one line for people, without secrets; `body` is
    the beginning of an error body (at most 512 bytes), empty where there was none.
    """

    kind: FailureKind
    detail: str
    status: int | None = None
    body: bytes = b""


Outcome: TypeAlias = Answered | CallFailure

UNREACHED = frozenset(FailureKind) - {
    FailureKind.STATUS,
    FailureKind.TOO_LARGE,
    FailureKind.MALFORMED_HTTP,
}
"""The failures in which nobody answered; in the others somebody did, with what is no review."""


def was_reached(outcome: Outcome) -> bool:
    """Whether anything came back, be it an answer or not."""
    return not (isinstance(outcome, CallFailure) and outcome.kind in UNREACHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookIdentity:
    """Which webhook: its configuration's name, its own name and the URL it is called at."""

    configuration: str
    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One AdmissionReview and how the call ended. `seconds` is the whole call, connect included."""

    webhook: WebhookIdentity
    review: JsonObject
    outcome: Outcome
    seconds: float
