"""Why did a call end without an answer, and how is the API server shown the same?

It must come to the class it would have come to without the proxy: a connection that was reset
becomes a reset, one that ended ends, half an answer stays half an answer, and of a webhook that
does not answer in time nothing is heard until the API server's own deadline. What cannot be shown
on a connection that already stands (a closed port, a wrong certificate) becomes a 502 with one
line of text: to the API server a failed call, too. There is never a `Retry-After`: it would send
the review up to ten times more (client-go rest/with_retry.go).
"""

import errno
import socket
import ssl
from dataclasses import dataclass
from enum import Enum
from typing import Final

from webhook_fuzz.corpora.errors import WebhookFuzzError
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.proxy.routes import Upstream

# X509_V_ERR_* of OpenSSL (include/openssl/x509_vfy.h).
_EXPIRED: Final = frozenset({9, 10})
_NAME_MISMATCH: Final = frozenset({62, 64})
_UNREACHABLE: Final = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
    }
)
_DETAIL_CHARACTERS: Final = 500


class Manner(Enum):
    """How the API server is shown a failure."""

    SAY = "a 502 with a sentence"
    CLOSE = "the connection ends"
    RESET = "the connection is reset"
    HOLD = "nothing, until its own deadline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A failure, and how it is shown."""

    failure: CallFailure
    manner: Manner


class Phase(Enum):
    """How far a call had come, as the words of a failure say it."""

    HANDSHAKE = "during the TLS handshake"
    ASKING = "after the request, before any answer"
    HEAD = "in the middle of the answer's headers"
    BODY = "in the middle of the answer's body"


DIAL_ERRORS: Final = (OSError, ValueError, WebhookFuzzError)
"""What dialling can end in: UnicodeError (a ValueError) is a host name that cannot be one."""


def dial_failure(error: Exception, upstream: Upstream) -> Failed:
    """Why there is no connection; `error` is one of DIAL_ERRORS."""
    where = f"{upstream.host}:{upstream.port}"
    match error:
        case WebhookFuzzError():
            return _said(FailureKind.TLS, error.message)
        case socket.gaierror() | ValueError() if not isinstance(error, ssl.SSLError):
            return _said(FailureKind.DNS, f"the name {upstream.host} does not resolve: {error}")
        case ssl.SSLCertVerificationError():
            return _untrusted(error, where, upstream.server_name)
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return lost(error, where, Phase.HANDSHAKE)
        case ssl.SSLError():
            return tls_failure(error, where)
        case OSError():
            return _socket_failure(error, where)
        case _:
            raise error


def tls_failure(error: ssl.SSLError, where: str) -> Failed:
    """A quarrel about TLS that is not about the webhook's certificate."""
    reason = getattr(error, "reason", None) or str(error)
    return _said(FailureKind.TLS, f"TLS with {where} failed: {reason.replace('_', ' ').lower()}")


def lost(error: BaseException | None, where: str, phase: Phase) -> Failed:
    """The webhook's connection ended; with a reset where the operating system said so."""
    reset = isinstance(error, OSError) and error.errno in {errno.ECONNRESET, errno.EPIPE}
    verb = "reset" if reset else "closed"
    detail = f"{where} {verb} the connection {phase.value}"
    manner = Manner.RESET if reset else Manner.CLOSE
    return Failed(failure=failure(FailureKind.RESET, detail), manner=manner)


def late(where: str, seconds: float, *, connected: bool) -> Failed:
    """The time the API server gave is over."""
    what = f"{where} took the request and did not answer" if connected else f"no way to {where}"
    detail = f"{what} within {seconds:g} s"
    return Failed(failure=failure(FailureKind.TIMEOUT, detail), manner=Manner.HOLD)


def failure(kind: FailureKind, detail: str) -> CallFailure:
    """A failure, its detail made one printable line: parts of it may come from the webhook."""
    printable = "".join(char if char.isprintable() else " " for char in detail[:_DETAIL_CHARACTERS])
    return CallFailure(kind=kind, detail=" ".join(printable.split()))


def _said(kind: FailureKind, detail: str) -> Failed:
    return Failed(failure=failure(kind, detail), manner=Manner.SAY)


def _socket_failure(error: OSError, where: str) -> Failed:
    # With several addresses asyncio only repeats what was said of each.
    refused = f"[Errno {errno.ECONNREFUSED}]" in str(error)
    if error.errno == errno.ECONNREFUSED or (error.errno is None and refused):
        return _said(FailureKind.REFUSED, f"nothing listens at {where}")
    if error.errno == errno.ETIMEDOUT:
        detail = f"no connection to {where}: timed out"
        return Failed(failure=failure(FailureKind.TIMEOUT, detail), manner=Manner.HOLD)
    if error.errno in _UNREACHABLE:
        return _said(FailureKind.UNREACHABLE, f"no way to {where}: {error.strerror}")
    return lost(error, where, Phase.HANDSHAKE)


def _untrusted(error: ssl.SSLCertVerificationError, where: str, name: str) -> Failed:
    code, said = error.verify_code, error.verify_message.rstrip(".")
    if code in _NAME_MISMATCH:
        detail = f"the certificate of {where} is not valid for {name}: {said}"
        return _said(FailureKind.TLS_NAME, detail)
    if code in _EXPIRED:
        return _said(
            FailureKind.TLS_EXPIRED, f"the certificate of {where} is not valid now: {said}"
        )
    return _said(FailureKind.TLS_UNTRUSTED, f"the certificate of {where} is not trusted: {said}")
