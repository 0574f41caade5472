"""Is a replica of the API server asked at its own address, as the same user?"""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripted_api_servers import answering, scripted_api_server
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.cluster_api.requests import get_object
from webhook_fuzz.fuzzer.cluster.api_servers import connect_directly
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions

VERSION = {"gitVersion": "v1.37.2"}
NAME = "kubernetes.default.svc"


async def test_a_replica_is_asked_by_its_address_and_verified_by_its_name(tmp_path: Path) -> None:
    async with scripted_api_server(answering(VERSION), folder=tmp_path, names=(NAME,)) as server:
        file = server.write_kubeconfig(tmp_path / "config", server="https://balancer.invalid")
        direct = connect_directly(ClusterOptions(kubeconfig=file))
        async with direct(urlsplit(server.url).netloc) as replica:
            found = await get_object(replica, "/version")

    assert found == VERSION
    assert server.header("Authorization") == ["Bearer t-1"]


async def test_a_server_without_that_name_gets_no_credentials(tmp_path: Path) -> None:
    async with scripted_api_server(answering(VERSION), folder=tmp_path) as server:
        file = server.write_kubeconfig(tmp_path / "config")
        direct = connect_directly(ClusterOptions(kubeconfig=file))
        async with direct(urlsplit(server.url).netloc) as replica:
            with pytest.raises(ClusterError, match="certificate"):
                await get_object(replica, "/version")

    assert server.requests == []


async def test_without_verification_no_replica_is_asked(tmp_path: Path) -> None:
    async with scripted_api_server(answering(VERSION), folder=tmp_path, names=(NAME,)) as server:
        file = server.write_kubeconfig(
            tmp_path / "config", insecure_skip_tls_verify=True, certificate_authority=None
        )
        direct = connect_directly(ClusterOptions(kubeconfig=file))
        with pytest.raises(ClusterError, match="verification of certificates off"):
            async with direct(urlsplit(server.url).netloc):
                raise AssertionError("it was opened")

    assert server.requests == []
