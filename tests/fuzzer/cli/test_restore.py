"""Does `webhook-fuzz restore` put back what a killed proxy left, and say what it did?"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

import interception_programs
from command_lines import Ran, run_cli
from intercepted import ALL, CA_PEM, MESH, SECRETS, files, prepared, staging
from patching_clusters import PatchingCluster
from served_clusters import CONTEXT, served
from storing_clusters import status
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS

INTERCEPTED = f"after PATCH {CONFIGURATIONS}/{SECRETS}"


async def restore(kubeconfig: Path, folder: Path, *arguments: object) -> Ran:
    return await run_cli(
        *("restore", "--context", CONTEXT, "--kubeconfig", kubeconfig),
        *("--backup-dir", folder, *arguments),
        cwd=folder.parent,
    )


async def killed(
    kubeconfig: Path, folder: Path, moment: str = INTERCEPTED, times: int = 1
) -> int | None:
    """A proxy that is really killed, at a moment."""
    program = str(interception_programs.__file__)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        program,
        *(str(kubeconfig), str(folder), moment, str(times)),
        env={**os.environ, "PYTHONPATH": str(Path(program).parent)},
    )
    return await process.wait()


@pytest.mark.parametrize(
    ("moment", "times"),
    [
        ("half of the file is written", 1),
        ("after a file is renamed", 1),
        (f"after PATCH {CONFIGURATIONS}/{MESH}", 1),
        (INTERCEPTED, 1),
        (f"after PATCH {CONFIGURATIONS}/{MESH}", 2),
        ("before a file is removed", 1),
    ],
)
async def test_a_process_that_was_killed_is_known_to_be_gone_at_once(
    tmp_path: Path, moment: str, times: int
) -> None:
    cluster, folder = staging(), tmp_path / "backups"
    before = cluster.snapshot()
    async with served(cluster, tmp_path) as kubeconfig:
        assert await killed(kubeconfig, folder, moment, times) == -signal.SIGKILL
        ran = await restore(kubeconfig, folder)
    assert ran.code == 0, ran.err
    assert cluster.snapshot() == before
    assert files(folder) == []


async def test_it_says_what_it_did_and_that_there_is_nothing_more_to_do(tmp_path: Path) -> None:
    cluster, folder = staging(), tmp_path / "backups"
    async with served(cluster, tmp_path) as kubeconfig:
        await killed(kubeconfig, folder)
        first = await restore(kubeconfig, folder)
        again = await restore(kubeconfig, folder)
    assert first.out.splitlines() == [f"{name}: restored" for name in ALL]
    assert again.code == 0
    assert again.out == "Nothing to restore: no webhook is intercepted.\n"


async def test_what_a_living_proxy_uses_takes_force(tmp_path: Path) -> None:
    cluster, folder = staging(), tmp_path / "backups"
    active = (await prepared(cluster, folder)).active(CA_PEM)
    async with served(cluster, tmp_path) as kubeconfig, active:
        refused = await restore(kubeconfig, folder)
        assert refused.code == 3
        assert "left alone: it is in use by " in refused.out
        assert "--force" in refused.err
        quiet = await restore(kubeconfig, folder, "--expired")
        assert quiet.code == 0
        forced = await restore(kubeconfig, folder, "--force")
        assert forced.code == 0
        assert cluster.snapshot() == staging().snapshot()


async def test_a_damaged_annotation_takes_the_file(tmp_path: Path) -> None:
    cluster, folder = staging(), tmp_path / "backups"
    async with served(cluster, tmp_path) as kubeconfig:
        await killed(kubeconfig, folder)
        annotations = object_at(cluster.configuration(MESH), "metadata", "annotations")
        key = next(each for each in annotations if each.startswith("webhook-fuzz/"))
        annotations[key] = "{"
        elsewhere = tmp_path / "elsewhere"
        without = await restore(kubeconfig, elsewhere)
        assert without.code == 3
        assert "--backup FILE" in without.err
        given = folder / files(folder)[0]
        assert (await restore(kubeconfig, elsewhere, "--backup", given)).code == 0
    assert cluster.snapshot() == staging().snapshot()
    assert files(folder) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--context NAME or --in-cluster"),
        (("--context", "x", "--in-cluster"), "the one, not the other"),
        (("--context", "x", "--force", "--expired"), "not both"),
    ],
)
async def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ran = await run_cli("restore", *arguments, cwd=tmp_path)
    assert ran.code == 2
    assert said in ran.err


async def webhooks(kubeconfig: Path, folder: Path) -> Ran:
    """Any other command; its state is in the folder."""
    return await run_cli(
        *("webhooks", "--context", CONTEXT, "--kubeconfig", kubeconfig, "--no-dial"), cwd=folder
    )


async def test_any_later_command_puts_back_what_is_over_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "state" / "webhook-fuzz" / "interceptions"
    cluster = staging()
    async with served(cluster, tmp_path) as kubeconfig:
        await killed(kubeconfig, folder)
        assert cluster.snapshot() != staging().snapshot()
        ran = await webhooks(kubeconfig, tmp_path)
        again = await webhooks(kubeconfig, tmp_path)
    assert ran.err.count("a proxy is gone: ") == len(ALL)
    assert "a proxy is gone" not in again.err
    assert ran.out == again.out
    assert cluster.snapshot() == staging().snapshot()
    assert files(folder) == []


async def test_a_later_command_that_may_not_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    cluster = staging()
    async with served(cluster, tmp_path) as kubeconfig:
        await killed(kubeconfig, tmp_path / "state" / "webhook-fuzz" / "interceptions")
        cluster.refuse = lambda request: (
            status(403, "you may not") if request.method == "PATCH" else None
        )
        ran = await webhooks(kubeconfig, tmp_path)
    assert "run `webhook-fuzz restore`" in ran.err
    assert ran.code in {0, 3}


async def test_a_later_command_leaves_a_living_proxy_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    cluster = staging()
    active = (await prepared(cluster, tmp_path / "backups")).active(CA_PEM)
    async with served(cluster, tmp_path) as kubeconfig, active:
        during = cluster.snapshot()
        ran = await webhooks(kubeconfig, tmp_path)
        assert "proxy" not in ran.err
        assert cluster.snapshot() == during


async def test_a_later_command_changes_nothing_where_nothing_was_left(tmp_path: Path) -> None:
    cluster: PatchingCluster = staging()
    async with served(cluster, tmp_path) as kubeconfig:
        await webhooks(kubeconfig, tmp_path)
    assert not cluster.did("PATCH")
