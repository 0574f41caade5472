from xml.etree import ElementTree as ET

import pytest
from hostile_samples import hostile_run
from result_parts import SIDECAR
from samples import MakeRun, bad_run, crowded_run, good_run

from webhook_fuzz.reports.junit import render_junit
from webhook_fuzz.reports.results import RunResult

CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def suites(run: RunResult) -> ET.Element:
    return ET.fromstring(render_junit(run))  # noqa: S314 (our own text)


@pytest.mark.parametrize("make", [bad_run, good_run, crowded_run, hostile_run])
def test_the_structure_is_what_readers_agree_on(make: MakeRun) -> None:
    root = suites(make())
    assert root.tag == "testsuites"
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    for case in root.iter("testcase"):
        assert case.get("name")
        assert case.get("classname")
        assert len([child for child in case if child.tag != "system-out"]) <= 1


@pytest.mark.parametrize("make", [bad_run, hostile_run])
def test_counts_add_up(make: MakeRun) -> None:
    root = suites(make())
    kinds = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for attribute, tag in kinds.items():
        for element in (root, *root):
            assert element.get(attribute) == str(len(list(element.iter(tag))))


def test_a_suite_a_webhook_and_a_case_a_field() -> None:
    root = suites(bad_run())
    assert len(root) == 6
    lossy = root[0]
    case = next(c for c in lossy if c.get("name") == f"1.28 {SIDECAR}")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "WF101"
    assert "kind: Pod" in (failure.text or "")
    assert "Remedy: " in (failure.text or "")


def test_warnings_do_not_fail_a_case() -> None:
    case = next(c for c in suites(bad_run()).iter("testcase") if "WF205" in c.get("name", ""))
    assert [child.tag for child in case] == ["system-out"]


def test_what_was_not_exercised_or_reached_never_passes() -> None:
    root = suites(bad_run())
    first = {suite.get("name", "").split("/")[0]: suite[0] for suite in root}
    assert [child.tag for child in first["vault-agent"]] == ["skipped"]
    assert [child.tag for child in first["legacy"]] == ["error"]
    assert [child.tag for child in first["defaults"]] == []


def test_a_broken_field_without_a_finding_still_fails() -> None:
    run = bad_run()
    run["findings"] = []
    assert suites(run).get("failures") == "74"


def test_a_good_run_has_no_failure() -> None:
    assert suites(good_run()).get("failures") == "0"
