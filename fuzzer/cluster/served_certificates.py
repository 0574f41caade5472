"""Does a webhook serve a certificate the API server accepts?

A TLS handshake and nothing more, with the caBundle and the name the API server verifies. From
outside of a cluster most webhooks cannot be reached: that says nothing about them, so it is no
finding and no gap. Nor does a stranger's certificate: in another network somebody else may have the
address, and the API server may trust authorities this machine does not. All are tried at once,
within a few seconds.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from cryptography import x509

from webhook_fuzz.fuzzer.cluster.surroundings import ServedCertificate

SECONDS: Final = 2.0
"""For all of them together: who can be reached answers a handshake in milliseconds."""
_AT_ONCE: Final = 64
_HTTPS: Final = 443
# The chain led to a trusted authority, so that whoever answers is the webhook (X509_V_ERR_* of
# OpenSSL: not yet valid, expired, another name, another address).
_SURELY_THE_WEBHOOK: Final = frozenset({9, 10, 62, 64})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to connect to for the webhook at a position, and the name it must prove to have.

    `bundle` is PEM; None means the system's authorities.
    """

    position: int
    host: str
    port: int
    server_name: str
    bundle: bytes | None

    @classmethod
    def of_url(cls, position: int, url: str, bundle: bytes | None) -> Self | None:
        """The address of `clientConfig.url`; None where it is no URL of a host."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _HTTPS
        except ValueError:
            return None
        if not host:
            return None
        return cls(position=position, host=host, port=port, server_name=host, bundle=bundle)


async def look_at_certificates(addresses: Iterable[Address]) -> dict[int, ServedCertificate]:
    """What those serve that can be reached, by position."""
    found: dict[int, ServedCertificate] = {}
    slots = asyncio.Semaphore(_AT_ONCE)
    tasks = [asyncio.create_task(_look(address, slots, found)) for address in addresses]
    if tasks:
        _, pending = await asyncio.wait(tasks, timeout=SECONDS)
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _look(
    address: Address, slots: asyncio.Semaphore, found: dict[int, ServedCertificate]
) -> None:
    shown = f"{address.server_name}:{address.port}"
    try:
        context = _build_context(address.bundle)
    except (ssl.SSLError, ValueError):  # no certificate in it: another rule says so
        return
    try:
        async with slots:
            try:
                certificate = await _handshake(address, context)
            except ssl.SSLCertVerificationError as error:
                if await _is_the_webhook(address, error):
                    problem = error.verify_message or str(error)
                    found[address.position] = ServedCertificate(address=shown, problem=problem)
                return
    except (OSError, EOFError, ValueError):
        return
    found[address.position] = ServedCertificate(
        address=shown,
        expires=certificate.not_valid_after_utc,
        lifetime=certificate.not_valid_after_utc - certificate.not_valid_before_utc,
    )


async def _is_the_webhook(address: Address, error: ssl.SSLCertVerificationError) -> bool:
    """Whether the refused certificate is the webhook's, and the API server would refuse it too."""
    if error.verify_code in _SURELY_THE_WEBHOOK:
        return True
    if address.bundle is None:  # the API server's own authorities are not ours
        return False
    context = _build_context(address.bundle)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return address.server_name in _names(await _handshake(address, context))


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {*names.value.get_values_for_type(x509.DNSName)}


def _build_context(bundle: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=bundle.decode("ascii") if bundle else None)
    context.hostname_checks_common_name = False  # Go does not, since 1.15
    # Go accepts what Python 3.13 calls malformed, and a serving certificate as its own authority.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


async def _handshake(address: Address, context: ssl.SSLContext) -> x509.Certificate:
    _, writer = await asyncio.open_connection(
        address.host, address.port, ssl=context, server_hostname=address.server_name
    )
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    finally:
        writer.transport.abort()
