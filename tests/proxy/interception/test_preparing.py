"""Does it find out, before anything is changed, where webhooks are reached and whether at all?"""

from dataclasses import replace
from pathlib import Path

import pytest

from intercepted import ALL, CA_PEM, MESH, OPTIONS, SECRETS, anybody, files, prepared, staging
from patching_clusters import PatchingCluster
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.proxy.interception.preparing import can_dial, prepare_interception

INJECTOR = "/api/v1/namespaces/mesh/services/injector"


def with_injector(spec: JsonObject) -> PatchingCluster:
    cluster = staging()
    cluster.stored[INJECTOR]["spec"] = spec
    return cluster


async def nobody(_host: str, _port: int) -> bool:
    return False


async def test_services_are_dialled_at_their_cluster_ip_and_urls_at_their_host(
    tmp_path: Path,
) -> None:
    found = await prepared(staging(), tmp_path)
    assert [(each.upstream.host, each.upstream.port) for each in found.routes] == [
        ("10.0.0.1", 443),
        ("10.0.0.1", 443),
        ("hooks.example.com", 8443),
        ("10.0.0.2", 443),
    ]
    assert found.names == ("proxy.fuzz.svc",)
    assert found.identities == ALL


async def test_inside_the_cluster_services_are_dialled_by_name_and_not_asked_for(
    tmp_path: Path,
) -> None:
    cluster = staging()
    found = await prepared(cluster, tmp_path, options=replace(OPTIONS, inside=True))
    assert found.routes[0].upstream.host == "injector.mesh.svc"
    assert not any("services" in each.path for each in cluster.asked)


async def test_a_given_address_is_dialled_instead(tmp_path: Path) -> None:
    options = replace(OPTIONS, dial={ALL[0]: ("127.0.0.1", 9443)})
    upstream = (await prepared(staging(), tmp_path, ALL[0], options=options)).routes[0].upstream
    assert (upstream.host, upstream.port) == ("127.0.0.1", 9443)
    assert upstream.authority == "injector.mesh.svc:443"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"clusterIP": "None", "ports": [{"port": 443}]}, "not known where its Service"),
        ({"clusterIP": "10.0.0.1", "ports": [{"port": 8443}]}, "has no port 443"),
    ],
)
async def test_a_service_without_an_address_or_port_is_refused(
    tmp_path: Path, spec: JsonObject, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        await prepared(with_injector(spec), tmp_path, ALL[0])


async def test_an_external_name_is_dialled(tmp_path: Path) -> None:
    cluster = with_injector({"type": "ExternalName", "externalName": "hooks.example.com"})
    assert (await prepared(cluster, tmp_path, ALL[0])).routes[0].upstream.host == (
        "hooks.example.com"
    )


async def test_a_missing_service_is_refused_by_name_and_left_out_of_all(tmp_path: Path) -> None:
    cluster = staging()
    del cluster.stored[INJECTOR]
    with pytest.raises(InputError, match="no Service mesh/injector"):
        await prepared(cluster, tmp_path, ALL[0])
    said: list[str] = []
    everything = replace(OPTIONS, all=True, backup_folder=tmp_path)
    found = await prepare_interception(cluster, everything, tell=said.append, dials=anybody)
    assert found.identities == (ALL[2], ALL[3])
    assert sum("left out: " in line for line in said) == 2


async def test_a_webhook_that_cannot_be_reached_from_here_is_refused() -> None:
    cluster = staging()
    with pytest.raises(InputError, match=r"cannot be reached from here at 10\.0\.0\.1:443") as each:
        await prepare_interception(cluster, replace(OPTIONS, webhooks=ALL), dials=nobody)
    assert f"--dial {ALL[0]}=HOST:PORT" in each.value.hint
    with pytest.raises(InputError, match="no webhook can be intercepted"):
        await prepare_interception(cluster, replace(OPTIONS, all=True), dials=nobody)
    assert not cluster.did("PATCH")


async def test_nothing_is_dialled_for_a_proxy_inside_the_cluster() -> None:
    inside = replace(OPTIONS, webhooks=ALL, inside=True)
    assert (await prepare_interception(staging(), inside, dials=nobody)).identities == ALL


async def test_who_listens_can_be_dialled_and_who_does_not_cannot(unused_tcp_port: int) -> None:
    assert not await can_dial("127.0.0.1", unused_tcp_port)


async def test_a_dry_run_has_the_exact_patches_tried_and_changes_nothing(tmp_path: Path) -> None:
    cluster = staging()
    before = cluster.snapshot()
    found = await prepared(cluster, tmp_path)
    await found.validate(CA_PEM)
    shown = found.patches(CA_PEM)
    assert [*shown] == [MESH, SECRETS]
    assert [len(each) for each in cluster.patched] == [len(each) for each in shown.values()]
    assert {each.query["dryRun"] for each in cluster.asked if each.method == "PATCH"} == {"All"}
    assert cluster.snapshot() == before
    assert files(tmp_path) == []
