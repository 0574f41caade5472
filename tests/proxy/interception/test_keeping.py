"""Is the lease prolonged, and is who takes a webhook back named and left alone?"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from intercepted import ALL, BUNDLE, CA_PEM, MESH, OPTIONS, files, prepared, restored, staging
from patching_clusters import service_config
from storing_clusters import status
from webhook_fuzz.proxy.interception.marks import Mark, read_marks
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS

ORIGINAL = service_config("mesh", "injector", path="/inject", bundle=BUNDLE)


def now(minutes: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def taken_back(found: dict[str, Any]) -> None:
    found["webhooks"][0]["clientConfig"] = ORIGINAL


def without_webhook(found: dict[str, Any]) -> None:
    del found["webhooks"][0]


def without_annotations(found: dict[str, Any]) -> None:
    del found["metadata"]["annotations"]


async def test_the_lease_is_prolonged_half_way_through_and_not_before(tmp_path: Path) -> None:
    cluster = staging()
    async with (await prepared(cluster, tmp_path)).active(CA_PEM) as keeper:
        await keeper.look(now(minutes=20))
        assert len(cluster.did("PATCH")) == 2
        await keeper.look(now(minutes=40))
        assert len(cluster.did("PATCH")) == 4
        marks = [mark for _, mark in read_marks(cluster.configuration(MESH))]
        assert len(marks) == 3
        assert all(isinstance(m, Mark) and m.lease.expires > now(minutes=95) for m in marks)
        assert keeper.expires > now(minutes=95)
    assert cluster.snapshot() == staging().snapshot()


async def test_who_reverts_the_edit_is_named_once_and_not_fought(tmp_path: Path) -> None:
    cluster = staging()
    said: list[str] = []
    async with (await prepared(cluster, tmp_path, said=said)).active(CA_PEM) as keeper:
        cluster.edit(MESH, taken_back, manager="mesh-operator")
        said.clear()
        for _ in range(3):
            await keeper.look(now())
        assert len(said) == 1
        assert said[0].startswith(f"{ALL[0]}: mesh-operator changed its clientConfig back")
        assert keeper.lost == {ALL[0]}
        assert len(cluster.did("PATCH")) == 2
    assert cluster.snapshot() == staging().snapshot()
    assert files(tmp_path) == []


async def test_another_ca_bundle_alone_has_the_address_given_back_at_once(tmp_path: Path) -> None:
    """What cert-manager's cainjector does: with its bundle, calls at the proxy would fail."""
    cluster = staging()
    said: list[str] = []

    def inject(found: dict[str, Any]) -> None:
        found["metadata"]["annotations"]["cert-manager.io/inject-ca-from"] = "mesh/cert"
        found["webhooks"][0]["clientConfig"]["caBundle"] = "bmV3ZXI="

    async with (await prepared(cluster, tmp_path, said=said)).active(CA_PEM) as keeper:
        cluster.edit(MESH, inject, manager="cainjector")
        await keeper.look(now())
        found: Any = cluster.configuration(MESH)
        assert found["webhooks"][0]["clientConfig"] == ORIGINAL | {"caBundle": "bmV3ZXI="}
        assert len([*read_marks(found)]) == 2
        assert any("cainjector wrote another caBundle" in line for line in said)
        assert any("inject-ca-from=mesh/cert" in line for line in said)
        await keeper.look(now())
        assert cluster.configuration(MESH) == found
    after: Any = cluster.snapshot()[f"{CONFIGURATIONS}/{MESH}"]
    assert after["webhooks"][0]["clientConfig"]["caBundle"] == "bmV3ZXI="
    assert "webhook-fuzz" not in str(after)


@pytest.mark.parametrize(
    ("change", "said_of_it"),
    [(without_webhook, "removed the webhook"), (without_annotations, None)],
)
async def test_other_changes_of_others_are_survived(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], said_of_it: str | None
) -> None:
    cluster = staging()
    expected = staging()
    said: list[str] = []
    expected.edit(MESH, change, manager="operator")
    async with (await prepared(cluster, tmp_path, said=said)).active(CA_PEM) as keeper:
        cluster.edit(MESH, change, manager="operator")
        said.clear()
        await keeper.look(now())
        assert len(said) == (said_of_it is not None)
        assert (said_of_it or "") in "".join(said)
    assert cluster.snapshot() == expected.snapshot()
    assert files(tmp_path) == []


async def test_a_deleted_configuration_is_said_once(tmp_path: Path) -> None:
    cluster = staging()
    said: list[str] = []
    async with (await prepared(cluster, tmp_path, said=said)).active(CA_PEM) as keeper:
        del cluster.stored[f"{CONFIGURATIONS}/{MESH}"]
        said.clear()
        await keeper.look(now())
        await keeper.look(now(minutes=40))
        assert said == [f"{MESH} was deleted: there is nothing to restore"]
    assert files(tmp_path) == []


async def test_a_lease_that_cannot_be_prolonged_is_said(tmp_path: Path) -> None:
    cluster = staging()
    said: list[str] = []
    async with (await prepared(cluster, tmp_path, said=said)).active(CA_PEM) as keeper:
        said.clear()
        cluster.refuse = lambda _: status(503, "not ready")
        await keeper.look(now())
        assert not said
        await keeper.look(now(minutes=50))
        assert "cannot be looked after" in said[0]
        cluster.refuse = lambda _: None


async def test_it_is_looked_at_by_itself_while_the_proxy_runs(tmp_path: Path) -> None:
    cluster = staging()
    found = replace(await prepared(cluster, tmp_path), look_seconds=0.01)
    async with found.active(CA_PEM) as keeper:
        cluster.edit(MESH, taken_back, manager="mesh-operator")
        async with asyncio.timeout(5):
            while not keeper.lost:  # noqa: ASYNC110 - a set, which tells nobody
                await asyncio.sleep(0.01)


async def test_two_proxies_prolong_each_its_own(tmp_path: Path) -> None:
    cluster = staging()
    short = replace(OPTIONS, ttl=timedelta(minutes=2))
    first = await prepared(cluster, tmp_path, ALL[0], options=short)
    second = await prepared(cluster, tmp_path, ALL[1], options=short)
    async with first.active(CA_PEM) as one, second.active(CA_PEM) as other:
        await one.look(now(minutes=1.5))
        await other.look(now(minutes=1.5))
        assert not one.lost | other.lost
        assert len([*read_marks(cluster.configuration(MESH))]) == 2
    assert cluster.snapshot() == staging().snapshot()


async def test_restore_after_a_revert_removes_only_the_annotation(tmp_path: Path) -> None:
    cluster = staging()
    await (await prepared(cluster, tmp_path)).begin(CA_PEM)

    def newer(found: dict[str, Any]) -> None:
        found["webhooks"][0]["clientConfig"] = service_config("mesh", "newer", bundle=BUNDLE)

    cluster.edit(MESH, newer, manager="mesh-operator")
    outcomes = await restored(cluster, tmp_path)
    assert {each.identity: str(each.result) for each in outcomes} == {
        ALL[0]: "kept",
        ALL[1]: "restored",
        ALL[2]: "restored",
        ALL[3]: "restored",
    }
    expected = staging()
    expected.edit(MESH, newer, manager="mesh-operator")
    assert cluster.snapshot() == expected.snapshot()
