"""Does the verdict follow from what was found, relative to the target?"""

import pytest

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.checks.all_checks import CHECKS
from webhook_fuzz.fuzzer.verdicts import (
    BREAKING_CODES,
    FIELD_CODES,
    FUTURE_CODES,
    Verdict,
    breaking_release,
    decide,
)

CATALOGUE = load_catalogue()
SIDECAR = "spec.initContainers[].restartPolicy"  # since 1.28
IMAGE = "spec.volumes[].image"  # since 1.31


def verdict(
    *found: tuple[str, str | None], target: int = 30, reached: bool = True, exercised: bool = True
) -> Verdict:
    return decide(
        found,
        catalogue=CATALOGUE,
        target=Minor(1, target),
        reached=reached,
        exercised=exercised,
    )


def test_without_findings_it_is_compatible_only_if_it_was_exercised() -> None:
    assert verdict() is Verdict.COMPATIBLE
    assert verdict(exercised=False) is Verdict.NOT_EXERCISED


def test_nobody_there_is_unreachable_whatever_was_found() -> None:
    assert verdict(("WF001", None), reached=False) is Verdict.UNREACHABLE


@pytest.mark.parametrize("code", sorted(FIELD_CODES))
@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (SIDECAR, Verdict.INCOMPATIBLE),
        (IMAGE, Verdict.AT_RISK),
        ("spec.dnsConfig", Verdict.INCOMPATIBLE),
        ("spec.wfFutureField", Verdict.AT_RISK),
    ],
)
def test_a_broken_field_counts_if_the_target_has_it(
    code: str, field: str, expected: Verdict
) -> None:
    assert verdict((code, field)) is expected


def test_the_same_loss_is_a_risk_before_the_field_comes_and_a_break_after() -> None:
    assert verdict(("WF101", SIDECAR), target=27) is Verdict.AT_RISK
    assert verdict(("WF101", SIDECAR), target=28) is Verdict.INCOMPATIBLE


@pytest.mark.parametrize("code", sorted(BREAKING_CODES))
def test_what_breaks_any_pod_is_incompatible(code: str) -> None:
    assert verdict((code, None)) is Verdict.INCOMPATIBLE
    assert verdict((code, None), exercised=False) is Verdict.INCOMPATIBLE


def test_losing_only_what_no_release_has_is_a_risk() -> None:
    assert verdict(("WF108", "spec.wfFutureField")) is Verdict.AT_RISK


@pytest.mark.parametrize("code", ["WF001", "WF009", "WF107", "WF201", "WF202", "WF205", "WF207"])
def test_warnings_and_shapes_do_not_break_a_pod(code: str) -> None:
    assert verdict((code, None)) is Verdict.COMPATIBLE


def test_the_lists_name_codes_that_there_are() -> None:
    known = CHECKS.keys() | {"WF007", "WF008"}
    assert known >= BREAKING_CODES | FIELD_CODES | FUTURE_CODES
    assert not BREAKING_CODES & FIELD_CODES


@pytest.mark.parametrize(
    ("fields", "future_lost", "release"),
    [
        ([SIDECAR], False, None),
        ([IMAGE, SIDECAR], False, Minor(1, 31)),
        ([IMAGE, "spec.hostnameOverride"], True, Minor(1, 31)),
        ([], True, Minor(1, 38)),
        ([SIDECAR], True, Minor(1, 38)),
        (["spec.wfFutureField"], False, None),
    ],
)
def test_the_next_release_that_breaks_is_the_first_with_a_broken_field(
    fields: list[str],
    future_lost: bool,  # noqa: FBT001
    release: Minor | None,
) -> None:
    found = breaking_release(
        fields, catalogue=CATALOGUE, target=Minor(1, 30), future_lost=future_lost
    )
    assert found == release
