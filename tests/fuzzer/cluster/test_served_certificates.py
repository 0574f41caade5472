"""Is a served certificate judged as the API server does, and silence not judged at all?"""

import asyncio
import base64
import datetime as dt
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from authorities import Authority, Credential
from configured import NOW, by_service, configuration, entry
from fake_clusters import FakeCluster
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import list_webhooks
from webhook_fuzz.fuzzer.cluster import served_certificates
from webhook_fuzz.fuzzer.cluster.served_certificates import Address, look_at_certificates
from webhook_fuzz.fuzzer.cluster.surroundings import ServedCertificate
from webhook_fuzz.fuzzer.cluster.surveying import survey

NAME = "injector.injector.svc"


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@asynccontextmanager
async def listening(context: ssl.SSLContext | None) -> AsyncGenerator[int]:
    server = await asyncio.start_server(_hang_up, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def look(
    credential: Credential | None, bundle: bytes | None, *, name: str = NAME
) -> ServedCertificate | None:
    async with listening(credential.server_context() if credential else None) as port:
        address = Address(position=3, host="127.0.0.1", port=port, server_name=name, bundle=bundle)
        return (await look_at_certificates([address])).get(3)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


async def test_a_good_certificate_is_accepted_with_its_dates(authority: Authority) -> None:
    served = await look(authority.issue(NAME), authority.ca_file.read_bytes())
    assert served is not None
    assert served.problem is None
    assert served.lifetime == dt.timedelta(hours=2)
    assert served.expires is not None


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("expired", "expired"),
        ("another name", "Hostname mismatch"),
        ("no name", "Hostname mismatch|no alternative certificate subject|not valid for"),
        ("another authority", "unable to get local issuer"),
    ],
)
async def test_what_the_api_server_refuses_is_a_problem(
    case: str, said: str, authority: Authority, tmp_path: Path
) -> None:
    hour = dt.timedelta(hours=1)
    bundle = authority.ca_file.read_bytes()
    match case:
        case "expired":
            credential = authority.issue(NAME, age=3 * hour, lifetime=2 * hour)
        case "another name":
            credential = authority.issue("other.injector.svc")
        case "no name":
            credential = authority.issue(common_name=NAME)
        case _:
            credential = Authority(tmp_path / "other", name="another CA").issue(NAME)
    served = await look(credential, bundle)
    assert served is not None
    assert served.address.startswith(f"{NAME}:")
    assert served.problem is not None
    assert any(part in served.problem for part in said.split("|")), served.problem


@pytest.mark.parametrize("names", [("printer.example.com",), ()])
async def test_a_stranger_at_the_address_says_nothing_about_the_webhook(
    names: tuple[str, ...], authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "other", name="another CA").issue(*names)
    assert await look(stranger, authority.ca_file.read_bytes()) is None


async def test_authorities_the_api_server_may_know_are_not_held_against_a_url(
    authority: Authority,
) -> None:
    assert await look(authority.issue("localhost"), None, name="localhost") is None


async def test_a_certificate_may_be_its_own_authority(authority: Authority) -> None:
    credential = authority.issue(NAME, self_signed=True)
    served = await look(credential, credential.cert_file.read_bytes())
    assert served is not None
    assert served.problem is None


async def test_what_speaks_no_tls_says_nothing_about_certificates(authority: Authority) -> None:
    assert await look(None, authority.ca_file.read_bytes()) is None


@pytest.mark.parametrize("bundle", [b"no certificate", b"\xff"])
async def test_a_bundle_that_is_none_is_left_to_others(bundle: bytes, authority: Authority) -> None:
    assert await look(authority.issue(NAME), bundle) is None


async def test_who_does_not_answer_in_time_is_left_alone(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_certificates, "SECONDS", 0.05)
    hung_up = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()
        hung_up.set()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    async with server:
        address = Address(
            position=0,
            host="127.0.0.1",
            port=server.sockets[0].getsockname()[1],
            server_name=NAME,
            bundle=authority.ca_file.read_bytes(),
        )
        assert await look_at_certificates([address]) == {}
        await hung_up.wait()


@pytest.mark.parametrize("url", ["", "https://", "https://[x", "https://a:b"])
def test_a_url_without_a_host_has_no_address(url: str) -> None:
    assert Address.of_url(0, url, None) is None


def test_a_url_names_host_and_port() -> None:
    address = Address.of_url(2, "https://example.com/mutate", b"x")
    assert address is not None
    assert (address.host, address.port, address.server_name) == ("example.com", 443, "example.com")


async def test_a_survey_looks_at_services_and_urls(authority: Authority) -> None:
    bundle = base64.b64encode(authority.ca_file.read_bytes()).decode()
    credential = authority.issue("localhost", NAME)
    async with listening(credential.server_context()) as port:
        url = f"https://localhost:{port}/mutate"
        named = by_service(caBundle=bundle)["service"]
        assert isinstance(named, dict)
        here: JsonObject = {"caBundle": bundle, "service": {**named, "port": port}}
        webhooks = list_webhooks(
            [
                configuration(
                    entry(clientConfig=here),
                    entry(clientConfig={"url": url, "caBundle": bundle}),
                    entry(clientConfig={"url": url, "caBundle": "%"}),
                    entry(clientConfig=by_service()),
                    entry(clientConfig=by_service(name="gone", caBundle=bundle)),
                )
            ]
        )
        spec: JsonObject = {"clusterIP": "127.0.0.1", "ports": [{"port": port}]}
        service: JsonObject = {"metadata": {"name": "injector"}, "spec": spec}
        fake = FakeCluster(collections={"/api/v1/namespaces/injector/services": [service]})
        around = await survey(fake, webhooks, now=NOW, dial=True)
    assert around.certificates.keys() == {0, 1}
    assert all(served.problem is None for served in around.certificates.values())
