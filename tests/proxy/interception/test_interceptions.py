"""Is it the proxy that is called inside, and is everything as before after it, however it ends?"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from intercepted import ALL, BUNDLE, CA_PEM, MESH, SECRETS, files, prepared, restored, staging
from patching_clusters import PatchingCluster
from storing_clusters import status
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, cluster_error
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.errors import IncompleteRunError, InputError
from webhook_fuzz.proxy.interception.interceptions import see_through
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS


def entries(cluster: PatchingCluster, name: str) -> list[dict[str, Any]]:
    found: Any = cluster.configuration(name)
    entries: list[dict[str, Any]] = found["webhooks"]
    return entries


async def test_only_the_client_config_of_those_that_were_asked_for_changes(tmp_path: Path) -> None:
    cluster = staging()
    before = staging()
    async with (await prepared(cluster, tmp_path, ALL[0], ALL[2])).active(CA_PEM):
        assert entries(cluster, MESH)[1] == entries(before, MESH)[1]
        assert entries(cluster, SECRETS) == entries(before, SECRETS)
        for index in (0, 2):
            was, now = entries(before, MESH)[index], entries(cluster, MESH)[index]
            assert now["clientConfig"]["service"]["namespace"] == "fuzz"
            assert now["clientConfig"]["caBundle"] != BUNDLE
            assert now | {"clientConfig": was["clientConfig"]} == was
    assert cluster.snapshot() == before.snapshot()
    assert files(tmp_path) == []


async def test_the_backup_is_there_before_the_first_patch(tmp_path: Path) -> None:
    cluster = staging()
    found: list[int] = []
    cluster.before_patch = lambda _: found.append(len(files(tmp_path)))
    async with (await prepared(cluster, tmp_path)).active(CA_PEM):
        assert found == [1, 1]


async def test_each_configuration_is_one_patch_each_way(tmp_path: Path) -> None:
    cluster = staging()
    async with (await prepared(cluster, tmp_path)).active(CA_PEM):
        pass
    assert len(cluster.did("PATCH")) == 4


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt()])
async def test_everything_is_put_back_when_the_proxy_fails(
    tmp_path: Path, error: BaseException
) -> None:
    cluster = staging()
    before = cluster.snapshot()
    with pytest.raises(type(error)):
        async with (await prepared(cluster, tmp_path)).active(CA_PEM):
            raise error
    assert cluster.snapshot() == before
    assert files(tmp_path) == []


async def test_everything_is_put_back_when_an_edit_is_refused_half_way(tmp_path: Path) -> None:
    cluster = staging()
    before = cluster.snapshot()

    def refuse(request: ClusterRequest) -> ClusterAnswer | None:
        if request.method == "PATCH" and request.path.endswith(SECRETS):
            return status(403, "you may not")
        return None

    cluster.refuse = refuse
    found = await prepared(cluster, tmp_path)
    with pytest.raises(ClusterError, match="you may not"):
        async with found.active(CA_PEM):
            raise AssertionError("it must not get here")
    assert cluster.snapshot() == before
    assert files(tmp_path) == []
    with pytest.raises(ClusterError, match="you may not"):
        await (await prepared(cluster, tmp_path)).begin(CA_PEM)
    assert cluster.snapshot() == before
    assert files(tmp_path) == []


async def test_a_patch_whose_answer_was_lost_is_put_back_too(tmp_path: Path) -> None:
    cluster = staging()
    before = cluster.snapshot()

    class Lossy:
        async def ask(self, request: ClusterRequest) -> ClusterAnswer:
            answer = await cluster.ask(request)
            if request.method == "PATCH" and len(cluster.did("PATCH")) == 1:
                raise cluster_error("PATCH", "no answer", Trouble.UNREACHABLE)
            return answer

    found = await prepared(Lossy(), tmp_path)
    with pytest.raises(ClusterError, match="no answer"):
        async with found.active(CA_PEM):
            raise AssertionError("it must not get here")
    assert cluster.snapshot() == before
    assert files(tmp_path) == []


async def test_everything_is_put_back_when_it_is_cancelled_even_twice(tmp_path: Path) -> None:
    cluster = staging()
    before = cluster.snapshot()
    inside = asyncio.Event()
    found = await prepared(cluster, tmp_path)

    async def run() -> None:
        async with found.active(CA_PEM):
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(run())
    await inside.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cluster.snapshot() == before
    assert files(tmp_path) == []


async def test_it_is_tried_again_while_no_api_server_answers(tmp_path: Path) -> None:
    cluster = staging()
    before = cluster.snapshot()
    said: list[str] = []
    found = replace(await prepared(cluster, tmp_path, said=said), pauses=(0.0, 0.0, 0.0))
    async with found.active(CA_PEM):
        asked = len(cluster.asked)

        def refuse(_: ClusterRequest) -> ClusterAnswer | None:
            return status(503, "not ready") if len(cluster.asked) < asked + 3 else None

        cluster.refuse = refuse
    assert cluster.snapshot() == before
    assert any("not restored yet" in line for line in said)


async def test_what_could_not_be_put_back_is_said_loudly_and_kept_on_disk(tmp_path: Path) -> None:
    cluster = staging()
    before = cluster.snapshot()
    found = await prepared(cluster, tmp_path)
    with pytest.raises(IncompleteRunError, match="NOT RESTORED") as caught:
        async with found.active(CA_PEM):
            cluster.refuse = lambda _: status(503, "not ready")
    assert "webhook-fuzz restore" in caught.value.hint
    assert "kubectl get mutatingwebhookconfiguration 10-mesh" in caught.value.hint
    assert len(files(tmp_path)) == 1
    cluster.refuse = lambda _: None
    await restored(cluster, tmp_path)
    assert cluster.snapshot() == before
    assert files(tmp_path) == []


async def test_a_client_config_that_changed_after_it_was_read_is_not_intercepted(
    tmp_path: Path,
) -> None:
    cluster = staging()
    found = await prepared(cluster, tmp_path)
    cluster.edit(
        SECRETS,
        lambda each: each["webhooks"][0]["clientConfig"].pop("caBundle"),
        manager="operator",
    )
    before = cluster.snapshot()
    with pytest.raises(IncompleteRunError, match="changed by somebody else meanwhile"):
        async with found.active(CA_PEM):
            raise AssertionError("it must not get here")
    assert cluster.snapshot() == before


async def test_a_configuration_that_was_deleted_after_it_was_read_ends_it(tmp_path: Path) -> None:
    cluster = staging()
    found = await prepared(cluster, tmp_path)
    del cluster.stored[f"{CONFIGURATIONS}/{SECRETS}"]
    before = cluster.snapshot()
    with pytest.raises(IncompleteRunError, match="was deleted meanwhile"):
        async with found.active(CA_PEM):
            raise AssertionError("it must not get here")
    assert cluster.snapshot() == before
    assert files(tmp_path) == []


async def test_without_room_for_a_backup_nothing_is_changed(tmp_path: Path) -> None:
    cluster = staging()
    (tmp_path / "file").write_text("")
    found = await prepared(cluster, tmp_path / "file")
    with pytest.raises(InputError, match="no backup can be written"):
        async with found.active(CA_PEM):
            raise AssertionError("it must not get here")
    assert not cluster.did("PATCH")


async def test_originals_too_large_for_annotations_are_refused(tmp_path: Path) -> None:
    cluster = staging()
    large = "QUJD" * 40_000

    def enlarge(found: dict[str, Any]) -> None:
        for each in found["webhooks"]:
            each["clientConfig"]["caBundle"] = large

    cluster.edit(MESH, enlarge, manager="helm")
    found = await prepared(cluster, tmp_path)
    with pytest.raises(InputError, match="more room") as caught:
        async with found.active(CA_PEM):
            raise AssertionError("it must not get here")
    assert "fewer" in caught.value.hint
    assert not cluster.did("PATCH")


async def test_a_standing_interception_needs_nobody_and_ends_with_restore(tmp_path: Path) -> None:
    cluster = staging()
    before = cluster.snapshot()
    await (await prepared(cluster, tmp_path)).begin(CA_PEM)
    assert cluster.snapshot() != before
    assert {each.result for each in await restored(cluster, tmp_path, hours=0)} == {"living"}
    await restored(cluster, tmp_path, hours=1.1)
    assert cluster.snapshot() == before
    assert files(tmp_path) == []


async def test_work_is_seen_through_and_its_failure_told() -> None:
    async def fail() -> None:
        raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed"):
        await see_through(fail())
