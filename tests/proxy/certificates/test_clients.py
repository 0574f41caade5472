import asyncio
import ssl
from pathlib import Path

import pytest

from authorities import Authority, Credential
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.certificates.clients import (
    ClientAuthentication,
    parse_networks,
    read_client_ca,
)
from webhook_fuzz.proxy.certificates.contexts import build_server_context
from webhook_fuzz.proxy.certificates.given_certificates import GivenCertificates


@pytest.mark.parametrize(
    ("address", "is_admitted"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("fd00::1", True),
        ("fe80::1%eth0", False),
        ("::ffff:10.1.2.3", True),
        ("", False),
        ("nonsense", False),
    ],
)
def test_an_address_is_admitted_when_a_network_holds_it(
    address: str,
    is_admitted: bool,  # noqa: FBT001 - what is expected
) -> None:
    clients = ClientAuthentication(networks=parse_networks(["10.0.0.0/8", "192.0.2.7", "fd00::/8"]))

    assert clients.admits(address) is is_admitted


def test_without_networks_everybody_is_admitted() -> None:
    assert ClientAuthentication().admits("203.0.113.9")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/40", "api-server", ""])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--allow-from"):
        parse_networks([text])


def test_a_file_without_a_certificate_is_no_client_authority(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")

    with pytest.raises(InputError, match="no certificate"):
        read_client_ca(tmp_path / "ca.pem")
    with pytest.raises(InputError, match="cannot be read"):
        read_client_ca(tmp_path / "missing.pem")


async def _reaches(context: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Whether the server ever had a connection it could read from."""
    served = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.set()
        writer.write(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client, server_hostname="localhost"
            )
            writer.write(b"x")
            answer_byte = await reader.read(1)
            writer.close()
        except (ssl.SSLError, ConnectionError):
            return served.is_set()
        return answer_byte == b"x"


def _client(authority: Authority, credential: Credential | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if credential is not None:
        context.load_cert_chain(credential.cert_file, credential.key_file)
    return context


async def test_only_who_has_a_certificate_of_the_client_authority_gets_through(
    tmp_path: Path,
) -> None:
    authority, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others", name="others")
    server = authority.issue("localhost")
    given = GivenCertificates(server.cert_file, server.key_file)
    clients = ClientAuthentication(ca_pem=read_client_ca(authority.ca_file))
    context = build_server_context(given.pair, clients)

    assert await _reaches(context, _client(authority, authority.issue("api-server")))
    assert not await _reaches(context, _client(authority, None))
    assert not await _reaches(context, _client(authority, others.issue("api-server")))
