"""Who may talk to the proxy?

An API server shows a client certificate only where its AdmissionConfiguration says so, and many
come from known addresses, so either may be asked for, or both. Whoever is not let in is not
forwarded, and nothing of theirs is recorded.
"""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from webhook_fuzz.corpora.errors import InputError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuthentication:
    """`ca_pem` must have signed the client's certificate; `networks` must hold its address.

    None and no networks mean that nothing is asked for.
    """

    ca_pem: bytes | None = None
    networks: tuple[Network, ...] = ()

    def admits(self, address: str) -> bool:
        """Whether a peer may talk to us, by its address alone (`10.0.0.1`, `fe80::1%eth0`)."""
        if not self.networks:
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped  # an IPv4 peer on a socket that takes both
        return any(found in network for network in self.networks)


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """`10.0.0.0/8`, `fd00::/8` or a single address. Raises InputError for anything else."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise InputError(
                f"--allow-from {text}: {error}",
                hint="Give an address or a network: 10.0.0.0/8, 192.0.2.7, fd00::/8.",
            ) from error
    return tuple(networks)


def read_client_ca(file: Path) -> bytes:
    """The authorities of a PEM file, without what is written between them.

    Raises InputError where there is none.
    """
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror}",
            hint="Give the authority of the API server's client certificate as PEM.",
        ) from error
    except ValueError as error:
        raise InputError(
            f"{file}: there is no certificate in it",
            hint="Give the authority of the API server's client certificate as PEM.",
        ) from error
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in found)


def demand_client_certificates(context: ssl.SSLContext, ca_pem: bytes) -> None:
    """Let nobody finish a handshake without a certificate of these authorities."""
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ca_pem.decode("ascii"))
