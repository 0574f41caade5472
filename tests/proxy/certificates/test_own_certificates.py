import asyncio
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.proxy.certificates.clients import ClientAuthentication
from webhook_fuzz.proxy.certificates.contexts import build_server_context
from webhook_fuzz.proxy.certificates.own_certificates import Lifetimes, OwnCertificates
from webhook_fuzz.proxy.certificates.pairs import load_pair

NOW = 1_800_000_000.0
DAY = 86400.0
NAMES = ("localhost", "web.shop.svc", "127.0.0.1", "fd00::7")


def open_folder(
    folder: Path, *, now: float = NOW, names: tuple[str, ...] = NAMES
) -> OwnCertificates:
    return OwnCertificates(folder, names, lifetimes=Lifetimes(), now=now)


def certificate(own: OwnCertificates) -> x509.Certificate:
    return x509.load_pem_x509_certificate(own.pair.chain_pem)


def test_the_certificate_is_for_the_names_and_addresses_asked_for(tmp_path: Path) -> None:
    found = certificate(open_folder(tmp_path / "own"))

    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "web.shop.svc"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ip_address("127.0.0.1"),
        ip_address("fd00::7"),
    ]


def test_it_lives_for_a_day_and_the_authority_for_a_year(tmp_path: Path) -> None:
    own = open_folder(tmp_path / "own")

    assert own.pair.not_after - NOW == DAY
    assert own.ca_not_after - NOW == 365 * DAY
    assert own.pair.not_before < NOW


@pytest.mark.parametrize("name", ["", "bücher.svc", "a.svc."])
def test_a_name_no_certificate_can_be_for_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no name a certificate"):
        open_folder(tmp_path / "own", names=(name,))


def test_only_the_owner_can_read_anything(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    open_folder(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert {file.name for file in folder.iterdir()} == {"authority.pem", "ca.pem", "lock"}


def test_the_servers_key_is_never_written_down(tmp_path: Path) -> None:
    own = open_folder(tmp_path / "own")

    key = own.pair.key_pem
    assert not any(key in file.read_bytes() for file in (tmp_path / "own").iterdir())
    assert b"PRIVATE" not in own.ca_file.read_bytes()
    assert "PRIVATE" not in repr(own.pair)


def test_the_same_folder_gives_the_same_authority_again(tmp_path: Path) -> None:
    first = open_folder(tmp_path / "own")
    second = open_folder(tmp_path / "own", now=NOW + 100 * DAY)

    assert (first.is_new, second.is_new) == (True, False)
    assert first.ca_pem == second.ca_pem
    assert first.pair.serial != second.pair.serial


def test_a_missing_ca_file_is_written_again(tmp_path: Path) -> None:
    first = open_folder(tmp_path / "own")
    first.ca_file.unlink()

    assert open_folder(tmp_path / "own").ca_file.read_bytes() == first.ca_pem


def test_an_authority_about_to_end_is_replaced_when_the_proxy_starts(tmp_path: Path) -> None:
    first = open_folder(tmp_path / "own")
    second = open_folder(tmp_path / "own", now=NOW + 364.5 * DAY)

    assert second.is_new
    assert first.ca_pem != second.ca_pem


def test_a_damaged_authority_is_said_and_not_replaced(tmp_path: Path) -> None:
    open_folder(tmp_path / "own")
    file = tmp_path / "own" / "authority.pem"
    file.write_bytes(file.read_bytes()[:300])

    with pytest.raises(InputError, match=r"authority\.pem"):
        open_folder(tmp_path / "own")


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("")

    with pytest.raises(InputError, match="cannot be kept there") as raised:
        open_folder(tmp_path / "own")
    assert "--certificates" in raised.value.hint


_OPENING = """
import sys, pathlib
from webhook_fuzz.proxy.certificates.own_certificates import Lifetimes, OwnCertificates
sys.stdin.read(1)
own = OwnCertificates(pathlib.Path(sys.argv[1]), ["a"], lifetimes=Lifetimes(), now=1.8e9)
sys.stdout.buffer.write(own.ca_pem)
"""


def test_two_proxies_started_at_once_have_one_authority(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPENING, str(tmp_path / "own")]
    starters = [
        subprocess.Popen(  # noqa: S603 - this interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write(b"x")
        starter.stdin.flush()
    found = {starter.communicate(timeout=30)[0] for starter in starters}

    assert found == {open_folder(tmp_path / "own").ca_pem}


def test_of_many_that_start_at_once_one_makes_the_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        barrier = threading.Barrier(8)

        def start(_number: int) -> OwnCertificates:
            barrier.wait(30)
            return open_folder(tmp_path / "own")

        found = list(pool.map(start, range(8)))

    assert [own.is_new for own in found].count(True) == 1
    assert len({own.ca_pem for own in found}) == 1


def test_the_certificate_is_renewed_at_two_thirds_of_its_life(tmp_path: Path) -> None:
    own = open_folder(tmp_path / "own")
    first = own.pair

    assert not own.refresh(NOW + 15 * 3600)
    assert own.pair is first
    assert own.refresh(NOW + 17 * 3600)
    assert own.pair.serial != first.serial
    assert own.pair.not_after == NOW + 17 * 3600 + DAY


def test_no_certificate_outlives_the_authority_and_its_end_is_said(tmp_path: Path) -> None:
    own = open_folder(tmp_path / "own")

    assert own.refresh(own.ca_not_after - 3600)
    assert own.pair.not_after == own.ca_not_after
    assert not own.refresh(own.ca_not_after - 60)
    assert own.problem is not None
    assert "authority ends" in own.problem


@asynccontextmanager
async def serve(context: ssl.SSLContext) -> AsyncGenerator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(1))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def shake_hands(port: int, ca: bytes) -> int:
    """The serial of the certificate that was shown, verified against the authority."""
    context = ssl.create_default_context(cadata=ca.decode())
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    writer.write(b"x")
    assert await reader.read(1) == b"x"
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(shown).serial_number


async def test_handshakes_go_on_while_the_certificate_is_renewed(tmp_path: Path) -> None:
    now = time.time()
    own = open_folder(tmp_path / "own", now=now - 0.7 * DAY)
    context = build_server_context(own.pair, ClientAuthentication())
    before = own.pair.serial
    async with serve(context) as port:
        assert await shake_hands(port, own.ca_pem) == before
        clients = [asyncio.create_task(shake_hands(port, own.ca_pem)) for _ in range(20)]
        await asyncio.sleep(0)
        assert own.refresh(now)
        load_pair(context, own.pair)
        clients += [asyncio.create_task(shake_hands(port, own.ca_pem)) for _ in range(20)]

        seen = await asyncio.gather(*clients)
        assert set(seen) <= {before, own.pair.serial}
        assert set(seen[20:]) == {own.pair.serial}


async def test_loopback_clients_that_offer_h2_are_answered_with_http_1_1(tmp_path: Path) -> None:
    own = open_folder(tmp_path / "own", now=time.time())
    async with serve(build_server_context(own.pair, ClientAuthentication())) as port:
        client = ssl.create_default_context(cadata=own.ca_pem.decode())
        client.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname="localhost"
        )
        chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()
    assert chosen == "http/1.1"
