"""What does `run --context` say when the cluster lets it do nothing, or options make no sense?"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from command_lines import Ran, run_cli
from fake_clusters import FakeCluster
from served_clusters import CONTEXT, served
from webhook_fuzz.fuzzer.cli.exits import Exit

REGISTRATIONS = "/apis/admissionregistration.k8s.io"


async def run(refusals: Mapping[str, tuple[int, str]], folder: Path, *more: object) -> Ran:
    cluster = FakeCluster(
        objects={"/version": {"gitVersion": "v1.37.2"}},
        collections={f"{REGISTRATIONS}/v1/mutatingwebhookconfigurations": []},
        refusals=refusals,
    )
    async with served(cluster, folder) as kubeconfig:
        return await run_cli(
            *("run", "--context", CONTEXT, "--kubeconfig", kubeconfig),
            *("--output", folder / "out", *more),
            cwd=folder,
        )


@pytest.mark.parametrize(
    ("status", "said"),
    [(429, "try again later"), (403, "webhook-fuzz rbac"), (401, "log in again")],
)
async def test_an_api_server_that_refuses_everything_is_one_sentence_and_exit_3(
    tmp_path: Path, status: int, said: str
) -> None:
    ran = await run({"/": (status, "no")}, tmp_path)
    assert ran.code == Exit.INCOMPLETE
    assert f"({status})" in ran.err
    assert said in ran.err
    assert not (tmp_path / "out" / "run.json").exists()


async def test_an_api_server_that_is_busy_half_way_leaves_gaps_and_exit_3(tmp_path: Path) -> None:
    ran = await run({"/api/v1": (429, "busy")}, tmp_path, "--skip", "doctor", "--skip", "chain")
    assert ran.code == Exit.INCOMPLETE
    assert "Unseen   " in ran.out


async def test_a_cluster_without_webhooks_is_said_to_have_none(tmp_path: Path) -> None:
    ran = await run({}, tmp_path, "--skip", "doctor", "--skip", "chain", "--skip", "lint")
    assert "No webhook was tried" in ran.out
    assert (tmp_path / "out" / "run.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "neither --url nor --context"),
        (("--url", "https://127.0.0.1:1", "--context", "x"), "both --url and --context"),
        (("--url", "https://127.0.0.1:1", "--namespace", "x"), "--namespace goes with --context"),
        (("--context", "x", "--in-cluster"), "not both"),
        (("--context", "x", "--kubeconfig", "missing"), "no kubeconfig at missing"),
    ],
)
async def test_options_that_make_no_sense_are_a_usage_error(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ran = await run_cli("run", *arguments, cwd=tmp_path)
    assert ran.code == Exit.USAGE
    assert said in ran.err
