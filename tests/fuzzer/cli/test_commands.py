"""The small commands: `explain`, `fields`, `report`, `version`, and help."""

import json
from pathlib import Path

import pytest

from command_lines import run_cli
from webhook_fuzz.fuzzer.findings import load_codes


async def test_help_names_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    ran = await run_cli("--help", cwd=tmp_path)

    assert ran.code == 0
    for word in ("run", "demo", "fields", "explain", "report", "version", "Exit codes"):
        assert word in ran.out


async def test_an_unknown_command_exits_2(tmp_path: Path) -> None:
    assert (await run_cli("frobnicate", cwd=tmp_path)).code == 2


async def test_version_says_what_the_catalogue_knows(tmp_path: Path) -> None:
    assert "Kubernetes 1.19 to 1.37" in (await run_cli("version", cwd=tmp_path)).out


async def test_explain_prints_the_page_of_a_code(tmp_path: Path) -> None:
    ran = await run_cli("explain", "wf104", cwd=tmp_path)

    assert ran.out == load_codes()["WF104"].page


async def test_explain_lists_all_codes(tmp_path: Path) -> None:
    ran = await run_cli("explain", cwd=tmp_path)

    assert [line.split()[0] for line in ran.out.splitlines()] == list(load_codes())


async def test_explain_suggests_a_code_for_a_name(tmp_path: Path) -> None:
    ran = await run_cli("explain", "field-migrated", cwd=tmp_path)

    assert ran.code == 2
    assert "WF104" in ran.err


async def test_fields_lists_what_a_minor_brought(tmp_path: Path) -> None:
    ran = await run_cli("fields", "--since", "1.36", "--format", "json", cwd=tmp_path)
    fields = json.loads(ran.out)

    assert {field["since"] for field in fields} == {"1.36", "1.37"}
    assert "spec.schedulingGroup" in {field["path"] for field in fields}


async def test_fields_of_a_gate_show_its_stages(tmp_path: Path) -> None:
    ran = await run_cli("fields", "--gate", "SidecarContainers", cwd=tmp_path)

    assert "spec.initContainers[].restartPolicy" in ran.out
    assert "GA 1.33" in ran.out


@pytest.mark.parametrize(
    "arguments", [("fields", "--gate", "Nope"), ("fields", "--since", "x"), ("report", "no.json")]
)
async def test_bad_arguments_exit_2_with_a_hint(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ran = await run_cli(*arguments, cwd=tmp_path)

    assert ran.code == 2
    assert len(ran.err.splitlines()) == 2
