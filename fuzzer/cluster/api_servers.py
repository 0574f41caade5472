"""Which API servers are there, of what version, and what do they say about a feature gate?

Whoever asks through a load balancer meets one of several replicas, and during an upgrade they are
not alike. The replicas are listed in the endpoints of the Service default/kubernetes; each is tried
at its own address with the same credentials. That often fails from outside of the cluster's
network, which is no fault: it is said how many were asked.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Self, TypeAlias

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    Unseen,
    attempt,
    cluster_error,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object, list_objects
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import list_at, objects_at, text_at
from webhook_fuzz.fuzzer.cluster.component_facts import ApiServer, ApiServers
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions, Credentials
from webhook_fuzz.fuzzer.cluster.gate_metrics import MetricsPage, read_gate_metric
from webhook_fuzz.fuzzer.cluster.logins import Login

# Ten thousand series a webhook and resource: the API servers of large clusters export 50 MiB.
_MOST_BYTES = 128 << 20
_REPLICA_SECONDS = 3.0
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
# Every API server's certificate has it: kubeadm's, the self-signed one, those of the clouds.
_SERVER_NAME = "kubernetes.default.svc"

Direct: TypeAlias = Callable[[str], AbstractAsyncContextManager[ClusterApi]]
"""Opens a connection to the replica at `HOST:PORT`; raises ClusterError when asked in vain."""


async def read_api_servers(
    api: ClusterApi, gate: str, *, direct: Direct | None = None
) -> ApiServers:
    """The API server the kubeconfig leads to, and every replica that can be reached.

    Raises ClusterError when not even the first tells its version.
    """
    first = await _read(api, gate, address="")
    addresses = await attempt(_read_addresses(api), "the API server's replicas")
    if isinstance(addresses, Unseen):
        return ApiServers(asked=(first,), replicas=None, not_seen=(addresses,))
    if len(addresses) < 2 or direct is None:  # noqa: PLR2004 - one replica is the one that was asked
        return ApiServers(asked=(first,), replicas=len(addresses) or None)
    found = await asyncio.gather(*(_read_replica(direct, gate, each) for each in addresses))
    reached = [each for each in found if isinstance(each, ApiServer)]
    missing = tuple(each for each in found if isinstance(each, Unseen))
    # With all replicas reached, the first answer was one of theirs.
    return ApiServers(
        asked=tuple(reached) if not missing else (first, *reached),
        replicas=len(addresses),
        not_seen=missing,
    )


async def _read(api: ClusterApi, gate: str, *, address: str) -> ApiServer:
    version = await get_object(api, "/version")
    of = f"the API server {address}".rstrip()
    page = MetricsPage(path="/metrics", of=of, most_bytes=_MOST_BYTES)
    return ApiServer(
        address=address,
        version=text_at(version, "gitVersion"),
        emulated=_emulated(version),
        metric=await read_gate_metric(api, page, gate),
    )


async def _read_replica(direct: Direct, gate: str, address: str) -> ApiServer | Unseen:
    try:
        async with direct(address) as api:
            return await _read(api, gate, address=address)
    except ClusterError as error:
        return Unseen(what=f"API server {address}", why=error.message, trouble=error.trouble)


async def _read_addresses(api: ClusterApi) -> Sequence[str]:
    """`HOST:PORT` of each replica, sorted."""
    query = {"labelSelector": "kubernetes.io/service-name=kubernetes"}
    found: set[str] = set()
    for part in await list_objects(api, _SLICES, query):
        ports = [port.get("port") for port in objects_at(part, "ports")]
        for endpoint in objects_at(part, "endpoints"):
            for address in list_at(endpoint, "addresses"):
                host = f"[{address}]" if ":" in str(address) else str(address)
                found.update(f"{host}:{port}" for port in ports if isinstance(port, int))
    return sorted(found)


def _emulated(version: JsonObject) -> str | None:
    """Source: k8s.io/apimachinery pkg/version/types.go, EmulationMajor and EmulationMinor."""
    major, minor = text_at(version, "emulationMajor"), text_at(version, "emulationMinor")
    own = (text_at(version, "major"), text_at(version, "minor").rstrip("+"))
    return f"{major}.{minor}" if major and minor and (major, minor) != own else None


class Replica(Cluster):
    """One API server at its own address, with the credentials of the others."""

    def __init__(self, options: ClusterOptions, address: str) -> None:
        bounded = replace(options, timeout_seconds=_REPLICA_SECONDS)
        super().__init__(bounded)
        self._login: Login = _ReplicaLogin(bounded, address)
        self._address = address

    async def __aenter__(self) -> Self:
        """Open it. Raises ClusterError where the certificate would not be verified.

        The credentials would go to whoever has the address in the network this runs in.
        """
        await super().__aenter__()
        if self._login.credentials.tls.verify_mode is not ssl.CERT_REQUIRED:
            await self.__aexit__(None, None, None)
            why = "not asked, because the kubeconfig switches the verification of certificates off"
            raise cluster_error(f"https://{self._address}", why, Trouble.REFUSED)
        return self


class _ReplicaLogin(Login):
    def __init__(self, options: ClusterOptions, address: str) -> None:
        super().__init__(options)
        self._address = address

    @property
    def credentials(self) -> Credentials:
        """Those of the kubeconfig, for another address."""
        server = f"https://{self._address}"
        return replace(super().credentials, server=server, server_name=_SERVER_NAME)


def connect_directly(options: ClusterOptions) -> Direct:
    """Opens replicas of the cluster that `options` lead to."""
    return lambda address: Replica(options, address)
