"""How does the proxy sign its own certificates?

Keys are on P-256: the fastest handshake every API server accepts. The authority signs servers
only, and nothing below it (RFC 5280, 4.2.1.9). Certificates begin a few minutes ago, for clocks
that are a little slow.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.certificates.pairs import Pair, parse_pair

_CLOCK_SKEW = 300.0
# ub-common-name of RFC 5280, appendix A.1; nobody verifies a common name any more.
_COMMON_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What signs: a certificate, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def ca_pem(self) -> bytes:
        """The certificate, as a caBundle holds it before base64."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def not_after(self) -> float:
        """When it ends, in seconds since the epoch."""
        return self.certificate.not_valid_after_utc.timestamp()

    def render(self) -> bytes:
        """Certificate and key as PEM: a secret."""
        return self.ca_pem + _key_pem(self.key)

    def issue(self, names: Sequence[str], *, now: float, seconds: float) -> Pair:
        """A certificate for a server with these DNS names and addresses, the first its subject.

        It lives for `seconds`, and never longer than the authority.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        serves = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        end = min(now + seconds, self.not_after)
        certificate = (
            _builder(_name(names[0]), self.certificate.subject, key.public_key(), now, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(serves, critical=False)
            .add_extension(alternatives, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return parse_pair(pem, _key_pem(key), source="own certificate", now=now)


def create_authority(*, now: float, seconds: float) -> Authority:
    """A new authority that lives for `seconds`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("webhook-fuzz proxy")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), now, now + seconds)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


def parse_authority(pem: bytes, *, source: str) -> Authority:
    """What `Authority.render` wrote. Raises InputError for anything else."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise _damaged(source) from error
    public = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != public:
        raise _damaged(source)
    return Authority(certificate=certificate, key=key)


def check_names(names: Sequence[str]) -> None:
    """Raises InputError where one of the names can be in no certificate."""
    for name in names:
        try:
            _general_name(name)
        except ValueError as error:
            raise InputError(
                f"{name!r} is no name a certificate can be for",
                hint="Give DNS names in ASCII and addresses, without ports: web.shop.svc, ::1.",
            ) from error


def _damaged(source: str) -> InputError:
    return InputError(
        f"{source}: holds no authority of the proxy",
        hint="Remove it, and a new one is made; the caBundles that hold the old one need the new.",
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: float, end: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(now - _CLOCK_SKEW, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(end, dt.UTC))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    name = common_name[:_COMMON_NAME_LENGTH]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not name or name.endswith(".") or not name.replace("*.", "", 1).replace(".", "").strip():
            raise
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
