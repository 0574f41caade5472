"""Which certificate does a real webhook serve in a test?

One for 127.0.0.1 and localhost, from an authority made for the occasion and trusted by nobody.
Behind a service it is for the service's name as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=1)
SKEW = timedelta(minutes=5)
"""Clocks of a test machine may jump back a little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingFiles:
    """PEM files: the authority to trust, the serving certificate and its private key."""

    authority: Path
    certificate: Path
    key: Path


def issue_certificate(folder: Path, names: Sequence[str] = ()) -> ServingFiles:
    """Make an authority and a serving certificate and write them into `folder`.

    `names` are DNS names it is for beside localhost.
    """
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("webhook-fuzz testbed authority")
    authority = (
        _certificate(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _certificate(_name("webhook-fuzz testbed"), authority_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    *map(x509.DNSName, ("localhost", *names)),
                    x509.IPAddress(ip_address("127.0.0.1")),
                ]
            ),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    return _save(folder, authority, certificate, key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _save(
    folder: Path,
    authority: x509.Certificate,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> ServingFiles:
    files = ServingFiles(
        authority=folder / "ca.crt", certificate=folder / "tls.crt", key=folder / "tls.key"
    )
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
