"""Certificates for tests: a throw-away authority that can also issue wrong certificates."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A certificate and its key, as PEM files."""

    cert_file: Path
    key_file: Path

    def server_context(self, *, client_ca: Path | None = None) -> ssl.SSLContext:
        """For a server; with `client_ca` it demands client certificates of that authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_file, self.key_file)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        return context


class Authority:
    """A certificate authority in a folder: `ca_file` is its certificate as PEM."""

    def __init__(self, folder: Path, *, name: str = "test CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issued = 0
        builder = _builder(self._name, self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def issue(
        self,
        *names: str,
        common_name: str = "test server",
        age: dt.timedelta = dt.timedelta(hours=1),
        lifetime: dt.timedelta = dt.timedelta(hours=2),
        self_signed: bool = False,
    ) -> Credential:
        """A certificate for `names` (DNS or IP; none: no subject alternative names at all).

        It became valid `age` ago and lives for `lifetime`.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        issuer, issuer_key = (subject, key) if self_signed else (self._name, self._key)
        builder = _builder(subject, issuer, key.public_key(), age=age, lifetime=lifetime)
        if names:
            san = x509.SubjectAlternativeName([_general_name(name) for name in names])
            builder = builder.add_extension(san, critical=False)
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        return self._write(builder.sign(issuer_key, hashes.SHA256()), key)

    def _write(self, cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Credential:
        self._issued += 1
        cert_file = self._folder / f"{self._issued}.pem"
        key_file = self._folder / f"{self._issued}.key"
        cert_file.write_bytes(_pem(cert))
        key_file.touch(mode=0o600)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Credential(cert_file=cert_file, key_file=key_file)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    age: dt.timedelta = dt.timedelta(hours=1),
    lifetime: dt.timedelta = dt.timedelta(hours=2),
) -> x509.CertificateBuilder:
    start = dt.datetime.now(dt.UTC) - age
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lifetime)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)
