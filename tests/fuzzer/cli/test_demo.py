"""`webhook-fuzz demo`: every specimen over real TLS, what is planted against what is found."""

from pathlib import Path

from command_lines import run_cli
from webhook_fuzz.fuzzer.cli.demo import compare
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS, get_specimen
from webhook_fuzz.reports.files import load_run


async def test_everything_planted_is_found_and_a_difference_would_be_seen(tmp_path: Path) -> None:
    ran = await run_cli("demo", "--output", tmp_path / "out", cwd=tmp_path)

    assert ran.code == 0, ran.out
    assert f"{len(SPECIMENS)} of {len(SPECIMENS)} specimens" in ran.out
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"run.json", "report.html"}

    run = load_run(tmp_path / "out")
    for finding in run["findings"]:
        if finding["webhook"] == "list-replacement" and finding["code"] == "WF202":
            finding["code"] = "WF777"
    row = compare(get_specimen("list-replacement"), run)

    assert not row.agrees
    assert row.missing == frozenset({"WF202"})
    assert row.made_up == frozenset({"WF777"})
