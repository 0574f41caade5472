"""Is what was planted found, and nothing else?

Every specimen is swept with all shipped seeds and probes, and the result compared with what is
known to be wrong with it: codes, the exact set of lost fields, and the small pods that show them.
"""

import pytest

from quality.sweeping import Swept, swept, tally_of, violations
from webhook_fuzz.corpora.pods import containers
from webhook_fuzz.fuzzer.checks.all_checks import CHECKS
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.findings import load_codes
from webhook_fuzz.fuzzer.generation.cases import Purpose
from webhook_fuzz.fuzzer.specimens.catalogue import SPECIMENS
from webhook_fuzz.fuzzer.verdicts import Verdict

ALL = list(SPECIMENS)
LOSING = [name for name, specimen in SPECIMENS.items() if specimen.loses_since]
FAULTLESS = [name for name, specimen in SPECIMENS.items() if not specimen.expected_codes]
LOSS_CODES = ("WF101", "WF102", "WF103")


def predicted_losses(sweep: Swept) -> set[str]:
    """Every creatable new root that a probe of the plan sets and the specimen does not know."""
    catalogue = sweep.plan.catalogue
    probed = {path for probe in sweep.plan.probes.values() for path in probe.all_paths()}
    lost = frozenset(
        field.path
        for field in catalogue.new_roots()
        if field.path in probed
        and field.creatable
        and field.exists_in(sweep.plan.target)
        and sweep.specimen.loses(field.path, field.since)
    )
    return set(catalogue.topmost(lost))


@pytest.mark.parametrize("name", ALL)
def test_what_is_found_is_what_was_planted(name: str) -> None:
    sweep = swept(name)
    assert sweep.specimen.expected_codes <= sweep.codes
    assert sweep.codes <= sweep.specimen.expected_codes | sweep.specimen.possible_codes


@pytest.mark.parametrize("name", LOSING)
def test_exactly_the_fields_newer_than_the_types_are_lost(name: str) -> None:
    sweep = swept(name)
    lost = sweep.tally.fields_with(*LOSS_CODES)
    assert lost == predicted_losses(sweep)


@pytest.mark.parametrize("name", FAULTLESS)
def test_a_faultless_webhook_is_exercised_and_compatible(name: str) -> None:
    sweep = swept(name)
    assert not sweep.tally.found
    assert sweep.tally.exercised
    assert sweep.verdict is Verdict.COMPATIBLE


@pytest.mark.parametrize("name", LOSING)
def test_every_lost_field_is_confirmed_by_a_pod_with_nothing_else_on_it(name: str) -> None:
    for found in swept(name).tally.findings:
        if found.finding.code not in LOSS_CODES:
            continue
        assert found.alone, found.finding.field
        assert found.case.purpose is Purpose.ALONE, found.finding.field
        assert len({placement.probe.name for placement in found.case.placements}) <= 2
        lists = [name for name, _ in containers(found.case.pod)]
        assert lists.count("containers") == 1, found.finding.field
        needs_init = str(found.finding.field).startswith("spec.initContainers")
        assert lists.count("initContainers") == needs_init, found.finding.field


def test_a_migration_is_confirmed_by_a_pod_with_two_containers() -> None:
    moved = [
        found
        for found in swept("prepend-with-migration").tally.findings
        if found.finding.code == "WF104"
    ]
    assert moved
    for found in moved:
        assert found.alone, found.finding.field
        assert len(list(containers(found.case.pod))) <= 3


def test_values_of_every_new_container_field_move_when_an_index_diff_is_filtered() -> None:
    """controller-runtime's filter of removals keeps a field in the pod and loses its container."""
    sweep = swept("prepend-with-migration")
    kept = {
        field.path
        for field in sweep.plan.catalogue.new_roots()
        if field.since.minor > 32
        and field.creatable
        and field.exists_in(sweep.plan.target)
        and field.path.startswith(sweep.specimen.loss_scope)
        and "wf" not in field.path
    }
    touched = sweep.tally.fields_with("WF104", *LOSS_CODES)
    assert kept <= touched


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("typed-round-trip-1.27", Verdict.INCOMPATIBLE),
        ("typed-round-trip-1.33", Verdict.INCOMPATIBLE),
        ("needs-trigger", Verdict.INCOMPATIBLE),
        ("denies-new-field", Verdict.INCOMPATIBLE),
        ("crashes-on-new-field", Verdict.INCOMPATIBLE),
        ("http-500", Verdict.INCOMPATIBLE),
        ("slow", Verdict.UNREACHABLE),
        ("overwrites-value", Verdict.COMPATIBLE),
        ("needless-patch", Verdict.COMPATIBLE),
    ],
)
def test_the_verdict_follows_from_what_was_planted(name: str, verdict: Verdict) -> None:
    assert swept(name).verdict is verdict


def test_the_field_a_webhook_denies_or_fails_on_is_named_and_no_other() -> None:
    denied = swept("denies-new-field").tally
    assert denied.fields_with("WF007") == {"spec.hostnameOverride"}
    crashed = swept("crashes-on-new-field").tally
    assert crashed.fields_with("WF008") == {
        "spec.containers[].restartPolicyRules",
        "spec.initContainers[].restartPolicyRules",
    }


@pytest.mark.parametrize("name", ["denies-new-field", "crashes-on-new-field"])
def test_every_other_field_is_still_judged_beside_the_one_a_webhook_stumbles_over(
    name: str,
) -> None:
    sweep = swept(name)
    stumbled = sweep.tally.fields_with("WF007", "WF008")
    probed = {
        path
        for probe in sweep.plan.probes.values()
        if not probe.future
        for path in probe.all_paths()
    }
    unjudged = probed - sweep.tally.patched_paths - stumbled
    # Nothing but the members of probes that set a culprit beside something else.
    assert unjudged == set()


@pytest.mark.parametrize("code", CHECKS)
def test_without_any_one_check_a_planted_fault_is_missed(code: str) -> None:
    expecting = [name for name in ALL if code in SPECIMENS[name].expected_codes]
    assert expecting, f"no specimen shows what {code} is there for"
    for name in expecting:
        sweep = swept(name)
        assert code in violations(sweep.specimen, tally_of(sweep, without=code))


@pytest.mark.parametrize("name", ["list-replacement", "perfect-index-diff", "unescaped-pointer"])
def test_judging_the_same_answers_again_changes_nothing(name: str) -> None:
    sweep = swept(name)
    assert tally_of(sweep, again=True).found.keys() == sweep.tally.found.keys()


def test_every_check_and_both_isolated_codes_are_planted_somewhere() -> None:
    expected = {code for specimen in SPECIMENS.values() for code in specimen.expected_codes}
    assert expected >= CHECKS.keys() | {"WF007", "WF008"}
    assert expected <= load_codes().keys()


@pytest.mark.parametrize("name", ALL)
def test_no_trigger_costs_more_than_twenty_four_sweep_calls(name: str) -> None:
    sent: dict[str, int] = {}
    for event in swept(name).events:
        if isinstance(event, CaseJudged) and event.case.purpose in {Purpose.SWEEP, Purpose.FUTURE}:
            if event.case.name.startswith("subset"):
                continue
            sent[event.case.trigger.name] = sent.get(event.case.trigger.name, 0) + 1
    rounds = 2 if swept(name).tally.fields_with("WF007", "WF008") else 1
    assert all(count <= 24 * rounds for count in sent.values())


@pytest.mark.parametrize("name", LOSING)
def test_no_field_costs_more_than_two_confirming_calls(name: str) -> None:
    tally = swept(name).tally
    assert tally.confirmations <= 2 * len(tally.found)
