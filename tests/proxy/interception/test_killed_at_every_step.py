"""Is everything as it was after a kill at any moment, whatever else happened meanwhile?"""

import copy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from intercepted import (
    ALL,
    CA_PEM,
    MESH,
    OPTIONS,
    SECRETS,
    Killed,
    KilledApi,
    Killer,
    at_every_step,
    files,
    kill,
    killed_files,
    prepared,
    restored,
    staging,
)
from webhook_fuzz.proxy.interception.marks import ANNOTATION
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS

SHORT = replace(OPTIONS, ttl=timedelta(minutes=1))
LEAST = 20
"""A backup, two configurations each way, and the requests around them."""


async def test_restore_leaves_nothing_of_ours_whenever_the_proxy_was_killed(
    tmp_path: Path,
) -> None:
    async def attempt(at: int) -> Killer:
        cluster, folder = staging(), tmp_path / str(at)
        before = cluster.snapshot()
        killer = await kill(cluster, folder, at)
        await restored(cluster, folder)
        assert cluster.snapshot() == before, killer.names[-1]
        assert files(folder) == [], killer.names[-1]
        return killer

    names = await at_every_step(attempt, least=LEAST)
    assert f"after PATCH {CONFIGURATIONS}/{MESH}" in names
    assert "half of the file is written" in names


async def test_restore_itself_may_be_killed_at_every_step_and_run_again(tmp_path: Path) -> None:
    async def attempt(at: int) -> Killer:
        cluster, folder = staging(), tmp_path / str(at)
        before = cluster.snapshot()
        await (await prepared(cluster, folder)).begin(CA_PEM)
        killer = Killer(at)
        try:
            with killed_files(killer):
                await restored(KilledApi(cluster, killer), folder)
        except Killed:
            await restored(cluster, folder)
        assert cluster.snapshot() == before, killer.names[-1]
        assert files(folder) == []
        return killer

    await at_every_step(attempt, least=8)


async def test_what_a_second_controller_edited_in_between_stays(tmp_path: Path) -> None:
    def edit(found: dict[str, Any]) -> None:
        found["metadata"]["labels"]["edited"] = "yes"
        found["webhooks"][0]["timeoutSeconds"] = 7
        found["webhooks"].reverse()

    async def attempt(at: int) -> Killer:
        cluster, folder = staging(), tmp_path / str(at)
        expected = copy.deepcopy(cluster)
        expected.edit(MESH, edit, manager="operator")
        killer = await kill(cluster, folder, at)
        cluster.edit(MESH, edit, manager="operator")
        await restored(cluster, folder)
        assert cluster.snapshot() == expected.snapshot(), killer.names[-1]
        assert files(folder) == []
        return killer

    await at_every_step(attempt, least=LEAST)


async def test_edits_while_the_patches_are_sent_are_neither_lost_nor_an_obstacle(
    tmp_path: Path,
) -> None:
    def edit(found: dict[str, Any]) -> None:
        labels = found["metadata"].setdefault("labels", {})
        labels["edits"] = str(int(labels.get("edits", "0")) + 1)
        found["metadata"].setdefault("annotations", {})["operator/seen"] = "yes"
        found["webhooks"].reverse()

    async def attempt(at: int) -> Killer:
        cluster, folder = staging(), tmp_path / str(at)
        expected = cluster.snapshot()
        edits = 0

        def before_patch(_: object) -> None:
            nonlocal edits
            if edits < 5:
                edits += 1
                cluster.edit(SECRETS, edit, manager="operator")
                cluster.edit(MESH, edit, manager="operator")

        cluster.before_patch = before_patch
        killer = await kill(cluster, folder, at)
        cluster.before_patch = lambda _: None
        await restored(cluster, folder)
        found = cluster.snapshot()
        for path, each in found.items():
            was: Any = expected[path]
            now: Any = each
            assert sorted(now["webhooks"], key=str) == sorted(was["webhooks"], key=str)
            annotations = now["metadata"].get("annotations", {})
            assert not any(key.startswith(ANNOTATION) for key in annotations)
            assert annotations.get("operator/seen") == ("yes" if edits else None)
        assert files(folder) == []
        return killer

    await at_every_step(attempt, least=LEAST)


async def test_a_deleted_configuration_leaves_no_backup_and_is_not_made_again(
    tmp_path: Path,
) -> None:
    async def attempt(at: int) -> Killer:
        cluster, folder = staging(), tmp_path / str(at)
        before = cluster.snapshot()
        killer = await kill(cluster, folder, at)
        del cluster.stored[f"{CONFIGURATIONS}/{MESH}"]
        del before[f"{CONFIGURATIONS}/{MESH}"]
        await restored(cluster, folder)
        assert cluster.snapshot() == before, killer.names[-1]
        assert files(folder) == []
        return killer

    await at_every_step(attempt, least=LEAST)


async def test_a_configuration_that_is_made_again_under_its_name_is_left_alone(
    tmp_path: Path,
) -> None:
    async def attempt(at: int) -> Killer:
        cluster, folder = staging(), tmp_path / str(at)
        before = cluster.snapshot()
        again: Any = copy.deepcopy(cluster.configuration(MESH))
        killer = await kill(cluster, folder, at)
        again["metadata"]["uid"] = "another"
        cluster.stored[f"{CONFIGURATIONS}/{MESH}"] = again
        await restored(cluster, folder)
        found: Any = cluster.snapshot()
        found[f"{CONFIGURATIONS}/{MESH}"]["metadata"]["uid"] = f"uid-of-{MESH}"
        assert found == before, killer.names[-1]
        assert files(folder) == []
        return killer

    await at_every_step(attempt, least=LEAST)


async def test_the_other_of_two_proxies_goes_on_undisturbed(tmp_path: Path) -> None:
    """They share a configuration and a folder; one is killed, the other lives, then ends."""

    async def attempt(at: int) -> Killer:
        cluster, folder = staging(), tmp_path / str(at)
        before = cluster.snapshot()
        other = await prepared(cluster, folder, ALL[0], ALL[3])
        async with other.active(CA_PEM):
            during = cluster.snapshot()
            own = files(folder)
            killer = await kill(cluster, folder, at, ALL[1], ALL[2], options=SHORT)
            await restored(cluster, folder, hours=0.5)
            assert cluster.snapshot() == during, killer.names[-1]
            assert files(folder) == own, killer.names[-1]
        assert cluster.snapshot() == before
        assert files(folder) == []
        return killer

    await at_every_step(attempt, least=LEAST)
