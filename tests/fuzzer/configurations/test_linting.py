"""Are rules, codes and pages the same set, and findings complete?"""

import pytest

from configured import around, configuration, entry, lint
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.cluster.surroundings import View
from webhook_fuzz.fuzzer.configurations.all_rules import ALL_RULES
from webhook_fuzz.fuzzer.configurations.linting import STATIC_CODE, render_path
from webhook_fuzz.fuzzer.configurations.registry import rule
from webhook_fuzz.fuzzer.findings import load_codes

CONFIGURATION_CODES = {code for code in load_codes() if code.startswith("WF6")}


def test_every_code_of_the_family_has_its_rule() -> None:
    assert {*ALL_RULES, STATIC_CODE} == CONFIGURATION_CODES
    assert list(ALL_RULES) == sorted(ALL_RULES)


@pytest.mark.parametrize("code", sorted(CONFIGURATION_CODES))
def test_a_codes_page_says_its_name_and_severity(code: str) -> None:
    entry_ = load_codes()[code]
    lines = entry_.page.splitlines()
    assert lines[0] == f"# {code} {entry_.name}"
    assert f"Severity: {entry_.severity}" in lines
    sections = [line for line in lines if line.startswith("## ")]
    assert sections[0] == "## What happens"
    assert sections[-1] == "## How it is decided"
    assert {"## Why", "## How to fix it", "## What is not a fix", "## Until it is fixed"} <= {
        *sections
    }


def test_two_rules_for_one_code_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules for WF601"):
        rule("WF601")(lambda _: ())


@pytest.mark.parametrize(
    ("view", "version", "said"),
    [
        (View.CLUSTER, Minor(1, 36), "where the feature gate is on"),
        (View.CLUSTER, Minor(1, 37), "no API shows them"),
        (View.CLUSTER, Minor(1, 35), None),
        (View.CLUSTER, None, None),
        (View.MANIFESTS, Minor(1, 37), None),
    ],
)
def test_static_webhooks_are_mentioned_where_there_can_be_some(
    view: View, version: Minor | None, said: str | None
) -> None:
    findings = lint(configuration(entry()), surroundings=around(view, version=version))
    if said is None:
        assert findings == []
    else:
        (finding,) = findings
        assert (finding.code, finding.subject, finding.path) == ("WF613", "API server", None)
        assert said in finding.explanation


def test_a_finding_names_the_webhook_by_its_configuration_and_its_place_in_it() -> None:
    findings = lint(configuration(entry(), entry(name="late.example.com", timeoutSeconds=9)))
    (finding,) = findings
    assert finding.subject == "injector/late.example.com"
    assert finding.path == "webhooks[1].timeoutSeconds"


def test_paths_are_written_as_people_write_them() -> None:
    assert render_path(("webhooks", 0, "rules", 1)) == "webhooks[0].rules[1]"
    assert render_path(()) == ""


def test_what_is_no_webhook_at_all_breaks_nothing() -> None:
    broken: JsonObject = {
        "name": 7,
        "rules": [{"operations": "CREATE", "resources": [1]}, "x"],
        "clientConfig": "https://example.com",
        "namespaceSelector": {"matchExpressions": "x"},
        "matchConditions": [{}],
    }
    codes = {finding.code for finding in lint(configuration(broken))}
    assert codes == {"WF601", "WF605", "WF606"}
