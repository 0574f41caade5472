"""What docs/check.md says, compared with the code."""

import re
from pathlib import Path

import pytest

from webhook_fuzz.fuzzer.checks.all_checks import CHECKS
from webhook_fuzz.fuzzer.findings import load_codes
from webhook_fuzz.fuzzer.recorded.applicability import APPLIED, NOT_APPLIED, Extent
from webhook_fuzz.fuzzer.recorded.judging import REMEMBERED, NotJudged
from webhook_fuzz.fuzzer.recorded.traffic_tallies import MOST_FOUND
from webhook_fuzz.fuzzer.recorded.witnesses import MOST_BYTES

PAGE = (Path(__file__).parents[3] / "docs" / "check.md").read_text("utf-8")
ROWS = {
    code: dict(zip(Extent, answers, strict=True))
    for code, *answers in re.findall(
        r"^\| (WF\w+) \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE
    )
}


def applies(code: str, extent: Extent) -> bool:
    # Where there is no object, a patch at all is what does not apply.
    return code in APPLIED[extent] or (code == "WF005" and extent is Extent.ANSWER)


@pytest.mark.parametrize("extent", Extent)
def test_the_table_says_which_checks_are_run(extent: Extent) -> None:
    said = {code for code, answers in ROWS.items() if answers[extent] == "yes"}
    assert said == {code for code in load_codes() if applies(code, extent)}


def test_every_code_is_in_the_table_or_in_its_family() -> None:
    families = {code for code in ROWS if code.endswith("xx")}
    for code in load_codes():
        assert code in ROWS or f"{code[:3]}xx" in families, code


def test_every_code_that_is_not_run_on_pods_has_a_reason() -> None:
    for code in load_codes():
        has_reason = any(code.startswith(each) for each in NOT_APPLIED)
        assert has_reason is (code not in APPLIED[Extent.POD]), code
    assert set(APPLIED[Extent.POD]) == set(CHECKS)


@pytest.mark.parametrize("reason", NotJudged)
def test_every_reason_not_to_judge_is_told(reason: NotJudged) -> None:
    last = str(reason).removeprefix("the object ").removeprefix("is ")
    assert last in PAGE


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{REMEMBERED:,}" in PAGE
    assert MOST_FOUND == 1_000
    assert f"{MOST_BYTES // 2**20} MiB" in PAGE
