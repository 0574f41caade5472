"""Why did the call end without an answer?

kube-apiserver tells its users one thing, `failed to call webhook`, whatever happened. Here the
exceptions of the client are sorted into the classes a person would act on differently: a closed
port, a name that does not resolve, a certificate for another name, a webhook that hangs.
"""

import asyncio
import errno
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind

# X509_V_ERR_* of OpenSSL (include/openssl/x509_vfy.h). Everything else that verification can say
# (unknown issuer, self-signed, wrong purpose, weak key) is a certificate that is not trusted.
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED = frozenset({18, 19})
_NAME_MISMATCH = frozenset({62, 64})

_UNREACHABLE = frozenset(
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
_DETAIL_CHARACTERS = 500
# Reasons OpenSSL gives when what answers on the port does not speak TLS at all.
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
# How aiohttp's parsers (the C one and the Python one) begin the message for a body that ends before
# its announced length; they use the same class for a chunk that makes no sense.
_CUT_OFF = "Not enough data"
_WANTS_CLIENT_CERTIFICATE = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """What was called, for the words of a failure."""

    address: str
    verified_name: str
    timeout_seconds: float


class Phase(IntEnum):
    """How far a call has come."""

    CONNECTING = 0
    ASKING = 1
    READING = 2  # status and headers have arrived


def classify_failure(error: BaseException, dialled: Dialled, phase: Phase) -> CallFailure:
    """The failure an exception of aiohttp, ssl or the socket stands for, raised in `phase`."""
    if isinstance(error, TimeoutError):  # before OSError, of which it is a kind
        return _timeout(dialled, phase)
    # OpenSSL's own error first: aiohttp repeats its number (1) as if it were errno EPERM.
    for cause in sorted(_chain(error), key=lambda cause: not isinstance(cause, ssl.SSLError)):
        found = _by_cause(cause, dialled)
        if found is not None:
            return found
    return _reset(error, dialled, phase)


def failure(kind: FailureKind, detail: str) -> CallFailure:
    """A failure with its detail made fit to show."""
    return CallFailure(kind=kind, detail=render_detail(detail))


def render_detail(text: str) -> str:
    """One printable line of bounded length: parts of it may come from the webhook."""
    printable = "".join(char if char.isprintable() else " " for char in text[:_DETAIL_CHARACTERS])
    return " ".join(printable.split())


def _chain(error: BaseException) -> Iterator[BaseException]:
    """What aiohttp wrapped: its connector errors repeat the class, not the details, of theirs."""
    seen: BaseException | None = error
    while seen is not None:
        wrapped = getattr(seen, "os_error", None)
        if not isinstance(wrapped, OSError) or isinstance(seen, aiohttp.ClientConnectorDNSError):
            yield seen
        seen = wrapped if isinstance(wrapped, OSError) else seen.__cause__ or seen.__context__


def _by_cause(cause: BaseException, dialled: Dialled) -> CallFailure | None:
    found: CallFailure | None = None
    match cause:
        case aiohttp.ClientConnectorDNSError():
            host = dialled.address.rpartition(":")[0]
            said = f"the name {host} does not resolve: {cause.os_error}"
            found = failure(FailureKind.DNS, said)
        case ssl.SSLCertVerificationError():
            found = _untrusted(cause, dialled)
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            pass  # the peer went away: a reset, not a quarrel about TLS
        case ssl.SSLError():
            found = _tls(cause, dialled)
        case HttpProcessingError() | aiohttp.ClientResponseError():
            found = _malformed(cause.message, dialled)
        case OSError():
            found = _socket(cause, dialled)
        case _:
            pass
    return found


def _malformed(message: str, dialled: Dialled) -> CallFailure | None:
    if message.startswith(_CUT_OFF):
        return None
    return failure(
        FailureKind.MALFORMED_HTTP, f"{dialled.address} does not answer in HTTP/1.1: {message}"
    )


def _socket(error: OSError, dialled: Dialled) -> CallFailure | None:
    if error.errno == errno.ECONNREFUSED:
        return failure(FailureKind.REFUSED, f"nothing listens at {dialled.address}")
    if error.errno == errno.ETIMEDOUT:
        return failure(FailureKind.TIMEOUT, f"no connection to {dialled.address}: timed out")
    if error.errno in _UNREACHABLE:
        return failure(FailureKind.UNREACHABLE, f"no way to {dialled.address}: {error.strerror}")
    return None


def _untrusted(error: ssl.SSLCertVerificationError, dialled: Dialled) -> CallFailure:
    code, said = error.verify_code, error.verify_message.rstrip(".")
    if code in _NAME_MISMATCH:
        return failure(
            FailureKind.TLS_NAME,
            f"the certificate of {dialled.address} is not valid for {dialled.verified_name} "
            f"(only subject alternative names count): {said}",
        )
    if code in {_EXPIRED, _NOT_YET_VALID}:
        when = "has expired" if code == _EXPIRED else "is not valid yet"
        return failure(FailureKind.TLS_EXPIRED, f"the certificate of {dialled.address} {when}")
    who = "is self-signed and not in the CA file" if code in _SELF_SIGNED else "is not trusted"
    return failure(FailureKind.TLS_UNTRUSTED, f"the certificate of {dialled.address} {who}: {said}")


def _tls(error: ssl.SSLError, dialled: Dialled) -> CallFailure:
    reason = getattr(error, "reason", None) or str(error)  # set on OpenSSL's own errors only
    if reason in _NOT_TLS:
        detail = f"{dialled.address} does not speak TLS (plain HTTP on this port?)"
    elif any(wanted in reason for wanted in _WANTS_CLIENT_CERTIFICATE):
        detail = f"{dialled.address} refused the handshake; it may want a client certificate"
    else:
        detail = f"TLS with {dialled.address} failed"
    return failure(FailureKind.TLS, f"{detail}: {reason.replace('_', ' ').lower()}")


def _timeout(dialled: Dialled, phase: Phase) -> CallFailure:
    what = {
        Phase.CONNECTING: f"no connection to {dialled.address}",
        Phase.ASKING: f"{dialled.address} took the request and did not answer",
        Phase.READING: f"{dialled.address} began to answer and did not finish",
    }
    return failure(FailureKind.TIMEOUT, f"{what[phase]} within {dialled.timeout_seconds:g} s")


def _reset(error: BaseException, dialled: Dialled, phase: Phase) -> CallFailure:
    when = {
        Phase.CONNECTING: "during the TLS handshake",
        Phase.ASKING: "after the request, before any answer",
        Phase.READING: "in the middle of the answer",
    }[phase]
    if phase is Phase.ASKING and isinstance(error, aiohttp.ClientOSError) and error.errno is None:
        # aiohttp could not write. With TLS 1.3 a server finds the client's certificate missing
        # after the client thinks the handshake is over; not every event loop reports its alert.
        when = "without taking the request (does it want a client certificate?)"
    innermost = next(iter(_chain(error)))
    said = str(innermost) or type(innermost).__name__
    return failure(FailureKind.RESET, f"{dialled.address} closed the connection {when}: {said}")


# What a call can end in. Anything else is a fault of ours and must not be taken for the webhook's.
CALL_ERRORS = (aiohttp.ClientError, OSError, asyncio.TimeoutError, HttpProcessingError)
