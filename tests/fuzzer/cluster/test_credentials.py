"""Kubeconfigs, plugins and pods: what is loaded is what a real TLS server sees."""

import asyncio
import base64
import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from authorities import Authority
from scripted_api_servers import ScriptedApiServer, answering, scripted_api_server
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster import credentials, logins
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions, load_credentials

VERSION: JsonObject = {"gitVersion": "v1.37.2"}
GET_VERSION = ClusterRequest(method="GET", path="/version", query={})


async def _ask(options: ClusterOptions) -> ClusterAnswer:
    async with Cluster(options) as cluster:
        return await cluster.ask(GET_VERSION)


async def _authorization(folder: Path, user: JsonObject, **cluster: str) -> str:
    async with scripted_api_server(answering(VERSION), folder=folder) as server:
        file = server.write_kubeconfig(folder / "config", user=user, **cluster)
        answer = await _ask(ClusterOptions(kubeconfig=file))
    assert answer.document() == VERSION
    return server.header("Authorization")[0]


def _plugin(folder: Path, status: JsonObject | None, *, words: str = "") -> JsonObject:
    """A user whose exec plugin prints an ExecCredential; with None it fails with `words`."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    script = folder / "plugin.py"
    script.write_text(
        f"import sys; sys.exit({words!r})"
        if status is None
        else f"print({json.dumps({**credential, 'status': status})!r})"
    )
    return {
        "exec": {
            "apiVersion": credential["apiVersion"],
            "command": sys.executable,
            "args": [str(script)],
            "interactiveMode": "Never",
        }
    }


async def test_a_token_is_sent_as_it_stands(tmp_path: Path) -> None:
    assert await _authorization(tmp_path, {"token": "abc"}) == "Bearer abc"


async def test_a_token_file_may_end_with_a_newline(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")

    user: JsonObject = {"tokenFile": str(tmp_path / "token")}
    assert await _authorization(tmp_path, user) == "Bearer from-a-file"


async def test_a_name_and_a_password_become_basic_authorization(tmp_path: Path) -> None:
    sent = await _authorization(tmp_path, {"username": "u", "password": "p"})

    assert sent == "Basic " + base64.b64encode(b"u:p").decode()


async def test_an_exec_plugin_gives_the_token(tmp_path: Path) -> None:
    assert await _authorization(tmp_path, _plugin(tmp_path, {"token": "x"})) == "Bearer x"


async def test_a_failing_plugin_is_named_with_its_last_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"the context staging .*please log in"):
        await _authorization(tmp_path, _plugin(tmp_path, None, words="please log in"))

    assert capfd.readouterr().err == ""


async def test_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    user: JsonObject = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/no/such/plugin"}
    }

    with pytest.raises(InputError, match="/no/such/plugin"):
        await _authorization(tmp_path, user)


async def test_an_impersonated_user_is_not_forgotten(tmp_path: Path) -> None:
    async with scripted_api_server(answering(VERSION), folder=tmp_path) as server:
        user: JsonObject = {"token": "t", "as": "jane", "as-uid": "7"}
        file = server.write_kubeconfig(tmp_path / "config", user=user)
        await _ask(ClusterOptions(kubeconfig=file))

    assert server.header("Impersonate-User") == ["jane"]
    assert server.header("Impersonate-Uid") == ["7"]


async def test_impersonated_groups_are_refused_rather_than_left_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="as-groups"):
        await _authorization(tmp_path, {"token": "t", "as": "jane", "as-groups": ["g"]})


@pytest.mark.parametrize("inline", [True, False])
async def test_a_client_certificate_is_presented_from_a_file_and_inline(
    tmp_path: Path, *, inline: bool
) -> None:
    async with scripted_api_server(
        answering(VERSION), folder=tmp_path, demand_certificate=True
    ) as server:
        client = server.authority.issue(common_name="jane")
        user = _certificate_user(client.cert_file, client.key_file, inline=inline)
        file = server.write_kubeconfig(tmp_path / "config", user=user)
        answer = await _ask(ClusterOptions(kubeconfig=file))

    assert answer.status == 200


def _certificate_user(certificate: Path, key: Path, *, inline: bool) -> JsonObject:
    if not inline:
        return {"client-certificate": str(certificate), "client-key": str(key)}
    return {
        "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }


async def test_a_plugin_may_give_a_client_certificate(tmp_path: Path) -> None:
    async with scripted_api_server(
        answering(VERSION), folder=tmp_path, demand_certificate=True
    ) as server:
        client = server.authority.issue(common_name="jane")
        status: JsonObject = {
            "clientCertificateData": client.cert_file.read_text(),
            "clientKeyData": client.key_file.read_text(),
        }
        file = server.write_kubeconfig(tmp_path / "config", user=_plugin(tmp_path, status))

        assert (await _ask(ClusterOptions(kubeconfig=file))).status == 200


async def test_an_encrypted_key_is_an_error_and_no_question(tmp_path: Path) -> None:
    async with scripted_api_server(answering(VERSION), folder=tmp_path) as server:
        client = server.authority.issue(common_name="jane")
        key = serialization.load_pem_private_key(client.key_file.read_bytes(), None)
        client.key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        user = _certificate_user(client.cert_file, client.key_file, inline=False)
        file = server.write_kubeconfig(tmp_path / "config", user=user)

        with pytest.raises(InputError, match="of no use"):
            await _ask(ClusterOptions(kubeconfig=file))


async def test_the_ca_may_be_inline(tmp_path: Path) -> None:
    async with scripted_api_server(answering(VERSION), folder=tmp_path) as server:
        bundle = base64.b64encode(server.authority.ca_file.read_bytes()).decode()
        file = server.write_kubeconfig(
            tmp_path / "config", certificate_authority="", certificate_authority_data=bundle
        )

        assert (await _ask(ClusterOptions(kubeconfig=file))).status == 200


async def test_the_tls_server_name_is_what_the_certificate_is_checked_for(tmp_path: Path) -> None:
    async with scripted_api_server(
        answering(VERSION), folder=tmp_path, names=("api.staging.example",)
    ) as server:
        file = server.write_kubeconfig(tmp_path / "config", tls_server_name="api.staging.example")

        assert (await _ask(ClusterOptions(kubeconfig=file))).status == 200


async def test_skipping_tls_verification_is_the_kubeconfigs_decision(tmp_path: Path) -> None:
    async with scripted_api_server(
        answering(VERSION), folder=tmp_path, names=("elsewhere.example",)
    ) as server:
        file = server.write_kubeconfig(
            tmp_path / "config", certificate_authority=None, insecure_skip_tls_verify=True
        )

        assert (await _ask(ClusterOptions(kubeconfig=file))).status == 200


async def test_a_ca_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("no certificate")

    with pytest.raises(InputError, match="a certificate or key is of no use"):
        await _authorization(tmp_path, {"token": "t"}, certificate_authority=str(tmp_path / "ca"))


async def test_several_files_in_kubeconfig_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_api_server(answering(VERSION), folder=tmp_path) as server:
        one = server.write_kubeconfig(tmp_path / "one", name="production", user={"token": "p"})
        two = server.write_kubeconfig(tmp_path / "two", name="staging", user={"token": "s"})
        monkeypatch.setenv("KUBECONFIG", f"{one}:{two}:{tmp_path / 'gone'}")
        async with Cluster(ClusterOptions(context="staging")) as cluster:
            await cluster.ask(GET_VERSION)
            assert (cluster.context, cluster.server) == ("staging", server.url)

    assert server.header("Authorization") == ["Bearer s"]


async def test_a_path_below_the_server_is_kept(tmp_path: Path) -> None:
    async with scripted_api_server(answering(VERSION), folder=tmp_path) as server:
        file = server.write_kubeconfig(tmp_path / "config", server=f"{server.url}/k8s/c-1/")
        await _ask(ClusterOptions(kubeconfig=file))

    assert server.requests[0].path == "/k8s/c-1/version"


async def test_a_pod_uses_its_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.config import incluster_config  # noqa: PLC0415 - slow to import

    (tmp_path / "token").write_text("of-the-pod\n")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr(credentials, "_SERVICE_ACCOUNT", tmp_path / "token")
    async with scripted_api_server(answering(VERSION), folder=tmp_path) as server:
        defaults = (str(tmp_path / "token"), str(server.authority.ca_file))
        monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", defaults[0])
        monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", defaults[1])
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", server.url.rpartition(":")[2])
        async with Cluster(ClusterOptions()) as cluster:
            await cluster.ask(GET_VERSION)
            assert cluster.context == "in-cluster"

    assert server.header("Authorization") == ["bearer of-the-pod"]


async def test_a_token_that_was_replaced_is_read_again_after_a_401(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("old")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        fresh = request.headers["Authorization"] == "Bearer new"
        return web.json_response(VERSION, status=200 if fresh else 401)

    async with scripted_api_server(answer, folder=tmp_path) as server:
        user: JsonObject = {"tokenFile": str(tmp_path / "token")}
        file = server.write_kubeconfig(tmp_path / "config", user=user)
        async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
            assert (await cluster.ask(GET_VERSION)).status == 401
            (tmp_path / "token").write_text("new")
            monkeypatch.setattr(logins, "_RENEWAL_SECONDS", 0.0)
            assert (await cluster.ask(GET_VERSION)).status == 200

    # The first 401 was answered with the same token once more, and not for every request.
    assert server.header("Authorization") == [
        "Bearer old",
        "Bearer old",
        "Bearer old",
        "Bearer new",
    ]


async def test_a_token_that_cannot_be_refreshed_is_used_until_it_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expired: JsonObject = {"token": "old", "expirationTimestamp": "2001-01-01T00:00:00Z"}
    options = _written(tmp_path, "http://127.0.0.1:1", user=_plugin(tmp_path, expired))
    loaded = load_credentials(options)
    _plugin(tmp_path, None, words="please log in")

    assert loaded.headers() == {"authorization": "Bearer old"}
    assert capfd.readouterr().err == ""


def test_a_token_file_of_a_pod_that_vanishes_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.config import incluster_config  # noqa: PLC0415 - slow to import

    (tmp_path / "token").write_text("of-the-pod")
    authority = Authority(tmp_path / "ca")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(credentials, "_SERVICE_ACCOUNT", tmp_path / "token")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority.ca_file))

    def at_once(*, minutes: int) -> timedelta:
        """The client reads a pod's token once a minute; here every time."""
        return timedelta(minutes=0 * minutes)

    clock = SimpleNamespace(datetime=datetime, timedelta=at_once)
    monkeypatch.setattr(incluster_config, "datetime", clock)
    loaded = load_credentials(ClusterOptions())
    (tmp_path / "token").unlink()

    assert loaded.headers() == {"authorization": "bearer of-the-pod"}


async def test_requests_side_by_side_renew_the_credentials_once(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")

    (tmp_path / "next").write_text("new")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if (tmp_path / "next").exists():  # in one step, as the kubelet does it
            (tmp_path / "next").rename(tmp_path / "token")
        fresh = request.headers["Authorization"] == "Bearer new"
        return web.json_response(VERSION, status=200 if fresh else 401)

    async with scripted_api_server(answer, folder=tmp_path) as server:
        user: JsonObject = {"tokenFile": str(tmp_path / "token")}
        file = server.write_kubeconfig(tmp_path / "config", user=user)
        async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
            answers = await asyncio.gather(*(cluster.ask(GET_VERSION) for _ in range(5)))

    assert [each.status for each in answers] == [200] * 5


async def test_who_stays_refused_is_not_loaded_again_for_every_request(tmp_path: Path) -> None:
    denied = answering({"message": "Unauthorized"}, status=401)
    async with scripted_api_server(denied, folder=tmp_path) as server:
        file = server.write_kubeconfig(tmp_path / "config")
        async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
            for _ in range(3):
                assert (await cluster.ask(GET_VERSION)).message == "Unauthorized"

    assert len(server.requests) == 4


async def test_credentials_that_vanish_leave_the_401_as_it_is(tmp_path: Path) -> None:
    denied = answering({"message": "Unauthorized"}, status=401)
    async with scripted_api_server(denied, folder=tmp_path) as server:
        file = server.write_kubeconfig(tmp_path / "config")
        async with Cluster(ClusterOptions(kubeconfig=file)) as cluster:
            file.unlink()
            assert (await cluster.ask(GET_VERSION)).status == 401


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("contexts: [", "expected the node content"),
        ("just text", "credentials cannot be loaded"),
        ("- a\n- b\n", "credentials cannot be loaded"),
        ("contexts: 7\ncurrent-context: a\n", "credentials cannot be loaded"),
        ("current-context: a\ncontexts: []\n", "there is no context a in .*: it has none"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config").write_text(text)

    with pytest.raises(InputError, match=said):
        load_credentials(ClusterOptions(kubeconfig=tmp_path / "config"))


def _written(folder: Path, server: str | None, *, user: JsonObject | None = None) -> ClusterOptions:
    scripted = ScriptedApiServer(url=server or "", authority=_NoAuthority(folder))  # type: ignore[arg-type]  # only its file is used
    return ClusterOptions(kubeconfig=scripted.write_kubeconfig(folder / "config", user=user))


class _NoAuthority:
    def __init__(self, folder: Path) -> None:
        self.ca_file = folder / "no-ca.pem"


def test_an_unknown_context_is_told_with_those_there_are(tmp_path: Path) -> None:
    options = _written(tmp_path, "https://127.0.0.1:1")

    with pytest.raises(InputError, match=r"there is no context prod in .*: it has staging"):
        load_credentials(ClusterOptions(kubeconfig=options.kubeconfig, context="prod"))


@pytest.mark.parametrize("server", [None, "ftp://x"])
def test_a_context_without_a_server_is_a_sentence(tmp_path: Path, server: str | None) -> None:
    with pytest.raises(InputError, match="names no server"):
        load_credentials(_written(tmp_path, server))


def test_a_ca_file_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no-ca\.pem"):
        load_credentials(_written(tmp_path, "https://127.0.0.1:1"))


def test_no_kubeconfig_at_all_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    with pytest.raises(InputError, match="there is no kubeconfig at"):
        load_credentials(ClusterOptions())


def test_an_empty_kubeconfig_variable_means_the_default_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(InputError, match=r"~/\.kube/config"):
        load_credentials(ClusterOptions())


def test_without_the_kubernetes_package_the_remedy_is_said() -> None:
    script = (
        "import sys; sys.modules['kubernetes'] = None\n"
        "from webhook_fuzz.fuzzer.cluster.credentials import *\n"
        "try: load_credentials(ClusterOptions())\n"
        "except Exception as error: print(error.message, error.hint)\n"
    )

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own

    assert "pip install 'webhook-fuzz[cluster]'" in ran.stdout


def test_a_user_the_context_does_not_have_is_nobody(tmp_path: Path) -> None:
    options = _written(tmp_path, "http://127.0.0.1:8001")
    assert options.kubeconfig is not None
    config = yaml.safe_load(options.kubeconfig.read_text())
    config["users"] = []
    options.kubeconfig.write_text(yaml.safe_dump(config))

    assert load_credentials(options).headers() == {}
