"""Is there another certificate in the files the proxy was given?

Files are compared by what is in them. Kubernetes mounts a Secret as links to a folder that is
swapped as a whole, often with times of long ago (kubelet's AtomicWriter), so neither the time nor
the inode of the named file says anything. Both files are read again when they do not fit together:
the swap may have come in between.
"""

import hashlib
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.certificates.pairs import Pair, parse_pair


class GivenCertificates:
    """A pair out of two files; with `ca` the file of the authority that signed it.

    Raises InputError where they cannot be used at the beginning; later the pair before is kept.
    """

    def __init__(self, cert: Path, key: Path, *, ca: Path | None = None) -> None:
        self._cert, self._key, self._ca = cert, key, ca
        self._problem: str | None = None
        self._ca_pem: bytes | None = None
        self._ca_not_after: float | None = None
        self._seen = _digest(self._read())
        self._pair = self._parse(time.time())

    @property
    def pair(self) -> Pair:
        """The newest pair that could be used."""
        return self._pair

    @property
    def ca_pem(self) -> bytes | None:
        """The given authority, or the one that ends the chain; None where there is none."""
        return self._ca_pem

    @property
    def ca_not_after(self) -> float | None:
        """When it ends."""
        return self._ca_not_after

    @property
    def problem(self) -> str | None:
        """What is wrong with the files as they are now."""
        return self._problem

    def refresh(self, now: float) -> bool:
        """Whether the files hold another pair that can be used."""
        try:
            seen = _digest(self._read())
            if seen == self._seen and self._problem is None:
                return False
            pair = self._parse(now)
        except InputError as error:
            self._problem = error.message
            return False
        self._seen, self._problem = seen, None
        changed = pair != self._pair
        self._pair = pair
        return changed

    def _parse(self, now: float) -> Pair:
        source = f"{self._cert} and {self._key}"
        try:
            pair = parse_pair(*self._read(), source=source, now=now)
        except InputError:
            pair = parse_pair(*self._read(), source=source, now=now)
        self._ca_pem, self._ca_not_after = self._find_authority(pair)
        return pair

    def _read(self) -> tuple[bytes, bytes]:
        return _read(self._cert), _read(self._key)

    def _find_authority(self, pair: Pair) -> tuple[bytes | None, float | None]:
        pem = pair.chain_pem if self._ca is None else _read(self._ca)
        try:
            last = x509.load_pem_x509_certificates(pem)[-1]
        except ValueError as error:
            raise InputError(
                f"{self._ca}: there is no certificate in it", hint="Give a PEM file."
            ) from error
        if self._ca is None and last.subject != last.issuer:
            return None, None
        end = last.not_valid_after_utc.timestamp()
        return last.public_bytes(serialization.Encoding.PEM) if self._ca is None else pem, end


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror}",
            hint="Give files the proxy may read: the certificate chain and its key, both PEM.",
        ) from error


def _digest(files: tuple[bytes, bytes]) -> bytes:
    return hashlib.sha256(b"\0".join(files)).digest()
