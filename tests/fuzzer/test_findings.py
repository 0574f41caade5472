"""Are findings told apart by code and field, and codes described for people?"""

import pytest

from webhook_fuzz.fuzzer.findings import Code, Finding, Severity, load_codes


def test_two_findings_are_the_same_by_code_and_field() -> None:
    one = Finding(code="WF102", field="spec.a", path="spec.a", explanation="x")
    other = Finding(code="WF102", field="spec.a", path="spec.a", explanation="y", before=1)
    assert one.key == other.key
    assert one.key != Finding(code="WF102", field="spec.b", explanation="x").key
    assert one.key != Finding(code="WF103", field="spec.a", explanation="x").key


def test_severities_rank_from_the_worst() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert Severity("critical") is Severity.CRITICAL


@pytest.mark.parametrize("code", load_codes().values(), ids=lambda code: code.code)
def test_a_code_is_described_in_one_line(code: Code) -> None:
    assert code.title[0].isupper()
    assert not code.title.endswith(".")
    assert code.name == code.name.lower()
    assert " " not in code.name
