"""Who signs the certificates of the specimens?

A throw-away authority for one run: it lives for an hour, in a folder only its owner can read,
which is deleted with it. Its key never leaves memory; nothing of it may be trusted elsewhere.
"""

import datetime as dt
import ipaddress
import ssl
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = dt.timedelta(hours=1)
# A certificate that began this minute is not valid yet for a client whose clock is a little slow.
_CLOCK_SKEW = dt.timedelta(minutes=5)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Authority:
    """A certificate authority; `ca_file` is its certificate as PEM."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("webhook-fuzz specimens (throw-away)")
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(_identifier(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(_pem(certificate))

    def build_server_context(self, *names: str) -> ssl.SSLContext:
        """A TLS context of a server that is localhost and, beside it, `names` (DNS names)."""
        key = ec.generate_private_key(ec.SECP256R1())
        san = x509.SubjectAlternativeName([_general_name(name) for name in (*_LOOPBACK, *names)])
        serves = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = (
            _builder(_name("specimen"), self._name, key.public_key())
            .add_extension(san, critical=False)
            .add_extension(serves, critical=False)
            # Clients that verify strictly (RFC 5280, Python's default from 3.13 on) ask for it.
            .add_extension(_issuer_identifier(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self._load(context, certificate, key)
        return context

    def _load(
        self,
        context: ssl.SSLContext,
        certificate: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
    ) -> None:
        """`ssl` reads keys from files only: the file exists for the time of the call."""
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        # mode 0600, whatever the umask
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".pem") as pair:
            pair.write(_pem(certificate) + secret)
            pair.flush()
            context.load_cert_chain(pair.name)


@contextmanager
def throw_away_authority() -> Generator[Authority]:
    """An authority whose folder is deleted at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="webhook-fuzz-specimens-") as folder:
        yield Authority(Path(folder))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _identifier(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _issuer_identifier(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(_identifier(key))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
