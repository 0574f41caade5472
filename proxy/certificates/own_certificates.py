"""How does the proxy get certificates without being given any?

It keeps an authority in a folder, so that the caBundles that hold it stay right when it is started
again, and signs a certificate for itself that it never writes down. Two proxies that are started at
once on the same folder agree on one authority: whoever has the lock makes it, the other reads it.
"""

import fcntl
import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.certificates.authorities import (
    Authority,
    check_names,
    create_authority,
    parse_authority,
)
from webhook_fuzz.proxy.certificates.pairs import Pair

CA_FILE = "ca.pem"
"""The authority's certificate alone, for caBundles."""
_AUTHORITY_FILE = "authority.pem"
_LOCK_FILE = "lock"
_RENEWED_AT = 2 / 3
_DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long certificates live, in seconds.

    A server's certificate is renewed at two thirds of its life. An authority of which less than
    a server's life is left is replaced when the proxy starts, and never while it runs: nobody has
    the new one yet.
    """

    server: float = _DAY
    authority: float = 365 * _DAY


class OwnCertificates:
    """A certificate for `names` (DNS names and addresses), signed by the authority of a folder.

    `is_new` says that the authority was made just now, so nobody trusts it yet. Raises InputError
    for a folder that cannot be used, and for names no certificate can be for.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], *, lifetimes: Lifetimes, now: float
    ) -> None:
        check_names(names)
        self._names, self._lifetimes = tuple(names), lifetimes
        self.ca_file = folder / CA_FILE
        self._authority, self.is_new = _open_authority(folder, lifetimes, now)
        self._problem: str | None = None
        self._pair = self._issue(now)

    @property
    def pair(self) -> Pair:
        """What is to be served now."""
        return self._pair

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate."""
        return self._authority.ca_pem

    @property
    def ca_not_after(self) -> float:
        """When the authority ends, and with it every certificate it signed."""
        return self._authority.not_after

    @property
    def problem(self) -> str | None:
        """That the authority has ended: no certificate can be signed any more."""
        return self._problem

    def refresh(self, now: float) -> bool:
        """Whether a new certificate was signed because the old one is two thirds through."""
        if now < self._renewed_at(self._pair):
            return False
        if self._pair.not_after >= self.ca_not_after:
            self._problem = "the proxy's own authority ends: start it again for another"
            return False
        self._pair = self._issue(now)
        return True

    def _renewed_at(self, pair: Pair) -> float:
        return pair.not_before + (pair.not_after - pair.not_before) * _RENEWED_AT

    def _issue(self, now: float) -> Pair:
        return self._authority.issue(self._names, now=now, seconds=self._lifetimes.server)


def _open_authority(folder: Path, lifetimes: Lifetimes, now: float) -> tuple[Authority, bool]:
    """The folder's authority, and whether it was made just now."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with _locked(folder):
            found = _read_authority(folder / _AUTHORITY_FILE)
            if found is not None and found.not_after - now > lifetimes.server:
                authority = found
            else:
                authority = create_authority(now=now, seconds=lifetimes.authority)
                _write(folder / _AUTHORITY_FILE, authority.render())
            # Written again every time: a crash may have come between the two files.
            _write(folder / CA_FILE, authority.ca_pem)
            return authority, authority is not found
    except OSError as error:
        raise InputError(
            f"{folder}: the proxy's authority cannot be kept there: {error.strerror}",
            hint="Choose a folder of your own with --certificates, or give --tls-cert and "
            "--tls-key.",
        ) from error


def _read_authority(file: Path) -> Authority | None:
    try:
        pem = file.read_bytes()
    except FileNotFoundError:
        return None
    return parse_authority(pem, source=str(file))


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    handle = os.open(folder / _LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(file: Path, content: bytes) -> None:
    """Replace a file, mode 0600, so that there is the old one or the new one after a crash."""
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
        try:
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
            Path(new.name).replace(file)
        except BaseException:
            with suppress(OSError):
                Path(new.name).unlink()
            raise
    handle = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
