"""Which certificate is served, and with which key?

A pair is checked before it is loaded anywhere. `SSLContext.load_cert_chain` replaces certificate
and key one after the other, so that a pair that does not fit would leave a living context without
either, and every handshake after it would fail.
"""

import os
import ssl
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from webhook_fuzz.corpora.errors import InputError

_PUBLIC = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate chain, the server's own first, and its key, both PEM.

    `not_before` and `not_after` are those of the server's own certificate, in seconds since the
    epoch. The key is in memory only and shows up in no repr.
    """

    chain_pem: bytes
    key_pem: bytes = field(repr=False)
    serial: int
    not_before: float
    not_after: float


def parse_pair(chain_pem: bytes, key_pem: bytes, *, source: str, now: float) -> Pair:
    """The pair, if a server can use it; `source` says where it is from.

    Raises InputError for what is no certificate or no key, for a key of another certificate, for
    a key with a password, and for a certificate that is not valid at `now`.
    """
    try:
        own = x509.load_pem_x509_certificates(chain_pem)[0]
    except ValueError as error:
        raise InputError(
            f"{source}: there is no certificate in it",
            hint="Give a PEM file: the server's certificate first, then what signed it.",
        ) from error
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError as error:
        raise InputError(
            f"{source}: the key has a password",
            hint="Give it without one, in a file only the proxy can read: "
            "openssl pkey -in KEY -out PLAIN",
        ) from error
    except ValueError as error:
        raise InputError(
            f"{source}: the key cannot be read", hint="Give a PEM file with a private key."
        ) from error
    if key.public_key().public_bytes(*_PUBLIC) != own.public_key().public_bytes(*_PUBLIC):
        raise InputError(
            f"{source}: the key is not the one of the certificate",
            hint="Give the two files that were made together.",
        )
    pair = Pair(
        chain_pem=chain_pem,
        key_pem=key_pem,
        serial=own.serial_number,
        not_before=own.not_valid_before_utc.timestamp(),
        not_after=own.not_valid_after_utc.timestamp(),
    )
    if not pair.not_before <= now < pair.not_after:
        word = "expired on" if now >= pair.not_after else "is not valid before"
        moment = pair.not_after if now >= pair.not_after else pair.not_before
        raise InputError(
            f"{source}: the certificate {word} {datetime.fromtimestamp(moment, UTC):%F %H:%M} UTC",
            hint="No API server would accept it: renew it, or let the proxy make its own.",
        )
    return pair


def load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    """Serve the pair in every handshake from now on; running connections keep what they had.

    `ssl` reads from files only. Where the system has files that are only in memory, the key is in
    one of those; elsewhere it is in a file of mode 0600 for the time of the call.
    """
    secret = pair.chain_pem.rstrip(b"\n") + b"\n" + pair.key_pem
    if sys.platform == "linux":
        handle = os.memfd_create("pair", os.MFD_CLOEXEC)
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(secret)
            file.flush()
            if Path(name := f"/proc/self/fd/{handle}").exists():
                context.load_cert_chain(name)
                return
    with tempfile.NamedTemporaryFile(suffix=".pem") as named:
        named.write(secret)
        named.flush()
        context.load_cert_chain(named.name)
