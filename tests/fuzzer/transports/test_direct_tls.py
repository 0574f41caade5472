import asyncio
import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import hostile_servers as hostile
from authorities import LOOPBACK, Authority
from direct_calls import Serving, answers, failure_of, send_once
from hostile_servers import serve_connections, serve_raw
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Answered, CallFailure, FailureKind
from webhook_fuzz.fuzzer.transports.direct import DirectOptions, DirectTransport


class TestTls:
    async def test_with_a_certificate_for_another_name(self, authority: Authority) -> None:
        context = authority.issue("other.ns.svc").server_context()
        async with serve_raw(answers, context) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file), FailureKind.TLS_NAME
            )
        assert "not valid for 127.0.0.1" in failed.detail

    async def test_with_a_name_only_in_the_common_name(self, authority: Authority) -> None:
        context = authority.issue(common_name="hook.ns.svc").server_context()
        async with serve_raw(answers, context) as server:
            await failure_of(
                DirectOptions(
                    url=server.url(), ca_file=authority.ca_file, server_name="hook.ns.svc"
                ),
                FailureKind.TLS_NAME,
            )

    @pytest.mark.parametrize(
        ("age", "words"),
        [
            (dt.timedelta(days=2), "has expired"),
            (dt.timedelta(days=-1), "is not valid yet"),
        ],
    )
    async def test_with_a_certificate_outside_its_time(
        self, authority: Authority, age: dt.timedelta, words: str
    ) -> None:
        context = authority.issue(*LOOPBACK, age=age).server_context()
        async with serve_raw(answers, context) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file),
                FailureKind.TLS_EXPIRED,
            )
        assert words in failed.detail

    async def test_with_a_self_signed_certificate(self, authority: Authority) -> None:
        context = authority.issue(*LOOPBACK, self_signed=True).server_context()
        async with serve_raw(answers, context) as server:
            failed = await failure_of(
                DirectOptions(url=server.url(), ca_file=authority.ca_file),
                FailureKind.TLS_UNTRUSTED,
            )
        assert "self-signed" in failed.detail

    async def test_with_an_unknown_authority_and_the_system_roots(self, serving: Serving) -> None:
        async with serving(answers) as server:
            await failure_of(DirectOptions(url=server.url()), FailureKind.TLS_UNTRUSTED)

    async def test_with_the_serving_certificate_itself_as_ca_file(
        self, authority: Authority
    ) -> None:
        credential = authority.issue(*LOOPBACK)
        async with serve_raw(answers, credential.server_context()) as server:
            exchange = await send_once(
                DirectOptions(url=server.url(), ca_file=credential.cert_file)
            )
        assert isinstance(exchange.outcome, Answered)

    async def test_is_not_verified_when_told_so(self, authority: Authority) -> None:
        context = authority.issue("other", self_signed=True).server_context()
        async with serve_raw(answers, context) as server:
            exchange = await send_once(DirectOptions(url=server.url(), insecure_skip_verify=True))
        assert isinstance(exchange.outcome, Answered)

    async def test_to_a_plain_http_port(self, authority: Authority) -> None:
        async def refuses_binary(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            await writer.drain()

        async with serve_connections(refuses_binary) as port:
            failed = await failure_of(
                DirectOptions(url=f"https://127.0.0.1:{port}/", ca_file=authority.ca_file),
                FailureKind.TLS,
            )
        assert "does not speak TLS" in failed.detail

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_that_demands_a_client_certificate(
        self, authority: Authority, version: ssl.TLSVersion
    ) -> None:
        context = authority.issue(*LOOPBACK).server_context(client_ca=authority.ca_file)
        context.maximum_version = version
        client = authority.issue("client")
        with hostile.demanding_client_certificates(context) as port:
            url = f"https://127.0.0.1:{port}/mutate"
            refused = await send_once(DirectOptions(url=url, ca_file=authority.ca_file))
            exchange = await send_once(
                DirectOptions(
                    url=url,
                    ca_file=authority.ca_file,
                    client_cert=client.cert_file,
                    client_key=client.key_file,
                )
            )
        assert isinstance(refused.outcome, CallFailure)
        # With TLS 1.3 the alert may come while the request is being written, and be lost.
        assert refused.outcome.kind in {FailureKind.TLS, FailureKind.RESET}
        assert "client certificate" in refused.outcome.detail
        assert isinstance(exchange.outcome, Answered)

    async def test_hung_up_in_the_handshake_is_a_reset(self, authority: Authority) -> None:
        async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)

        async with serve_connections(hangs_up) as port:
            failed = await failure_of(
                DirectOptions(url=f"https://127.0.0.1:{port}/", ca_file=authority.ca_file),
                FailureKind.RESET,
            )
        assert "during the TLS handshake" in failed.detail


class TestFiles:
    def test_a_missing_ca_file(self, tmp_path: Path) -> None:
        self.rejects("cannot be read", ca_file=tmp_path / "absent")

    def test_a_ca_file_that_is_a_folder(self, tmp_path: Path) -> None:
        self.rejects("cannot be read", ca_file=tmp_path)

    def test_a_ca_file_without_a_certificate(self, tmp_path: Path) -> None:
        (tmp_path / "ca").write_text("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t")
        with pytest.raises(InputError) as caught:
            DirectTransport(DirectOptions(url="https://host/", ca_file=tmp_path / "ca"))
        assert "base64" in caught.value.hint

    def test_a_ca_file_and_no_verification(self, authority: Authority) -> None:
        with pytest.raises(InputError, match="switched off"):
            DirectTransport(
                DirectOptions(
                    url="https://host/", ca_file=authority.ca_file, insecure_skip_verify=True
                )
            )

    def test_a_key_of_another_certificate(self, authority: Authority) -> None:
        one, two = authority.issue("a"), authority.issue("b")
        self.rejects("does not belong", client_cert=one.cert_file, client_key=two.key_file)

    def test_a_missing_key(self, authority: Authority, tmp_path: Path) -> None:
        self.rejects(
            "client key .* cannot be read",
            client_cert=authority.issue("a").cert_file,
            client_key=tmp_path / "absent",
        )

    def test_a_key_without_its_certificate(self, authority: Authority) -> None:
        self.rejects("without its certificate", client_key=authority.issue("a").key_file)

    def test_a_certificate_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "cert").write_text("nothing")
        self.rejects("are no client certificate", client_cert=tmp_path / "cert")

    @staticmethod
    def rejects(
        words: str,
        *,
        ca_file: Path | None = None,
        client_cert: Path | None = None,
        client_key: Path | None = None,
    ) -> None:
        with pytest.raises(InputError, match=words):
            DirectTransport(
                DirectOptions(
                    url="https://host/",
                    ca_file=ca_file,
                    client_cert=client_cert,
                    client_key=client_key,
                )
            )

    def test_an_encrypted_key_is_refused_without_asking(
        self, authority: Authority, tmp_path: Path
    ) -> None:
        credential = authority.issue("a")
        key = serialization.load_pem_private_key(credential.key_file.read_bytes(), None)
        locked = tmp_path / "locked.key"
        locked.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"passphrase"),
            )
        )
        self.rejects("is encrypted", client_cert=credential.cert_file, client_key=locked)
