"""Are codes, checks, catalogue and pages the same set?"""

from importlib import resources

import pytest

from webhook_fuzz.fuzzer.checks.all_checks import CHECKS
from webhook_fuzz.fuzzer.checks.registry import check
from webhook_fuzz.fuzzer.findings import Severity, load_codes

# They need the same pod with and without a probe: isolation.py.
BY_ISOLATION = {"WF007", "WF008"}
PAGES = resources.files("webhook_fuzz.fuzzer.checks").joinpath("pages")
CODES = load_codes()


def test_every_check_has_its_entry_in_the_catalogue() -> None:
    assert CHECKS.keys() <= CODES.keys()
    assert not CHECKS.keys() & BY_ISOLATION


def test_the_families_of_one_exchange_are_complete() -> None:
    families = {code for code in CODES if code.startswith(("WF0", "WF1", "WF2"))}
    assert families <= CHECKS.keys() | BY_ISOLATION


def test_codes_are_in_order_and_names_are_used_once() -> None:
    assert list(CODES) == sorted(CODES)
    assert len({code.name for code in CODES.values()}) == len(CODES)


@pytest.mark.parametrize("code", sorted(CHECKS.keys() | BY_ISOLATION))
def test_a_codes_page_says_its_name_and_severity(code: str) -> None:
    lines = CODES[code].page.splitlines()
    assert lines[0] == f"# {code} {CODES[code].name}"
    assert f"Severity: {CODES[code].severity}" in lines


def test_every_page_belongs_to_a_code() -> None:
    named = {page.name.removesuffix(".md") for page in PAGES.iterdir() if page.name.endswith(".md")}
    assert named <= CODES.keys()


def test_two_checks_for_one_code_are_refused() -> None:
    with pytest.raises(ValueError, match="two checks for WF101"):
        check("WF101")(lambda _: ())


def test_severities_are_ordered_worst_first() -> None:
    assert Severity.CRITICAL.at_least(Severity.ERROR)
    assert Severity.ERROR.at_least(Severity.ERROR)
    assert not Severity.INFO.at_least(Severity.WARNING)


@pytest.mark.parametrize("code", CODES)
def test_a_remedy_is_a_sentence_that_says_what_to_do(code: str) -> None:
    assert len(CODES[code].remedy) > 30
    assert CODES[code].remedy.endswith(".")
