from dataclasses import replace

import pytest

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.plans import Plan, build_plan
from webhook_fuzz.fuzzer.staging.chain_cases import pack_chain_cases

ACTING = Trigger(name="acting", labels={"inject": "true"})
SCREENED = Trigger(name="screened", annotations={"inject": "true"})


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build_plan()


@pytest.mark.parametrize("minor", [Minor(1, 29), Minor(1, 33), Minor(1, 37)])
def test_only_fields_the_api_server_has_are_sent(plan: Plan, minor: Minor) -> None:
    fields = frozenset[str]().union(*(case.fields for case in pack_chain_cases(plan, minor)))
    catalogue = load_catalogue()
    known = [field for path in fields if (field := catalogue.get(path))]
    assert len(known) == len(fields)
    assert max(field.since for field in known) == minor


def test_an_api_server_newer_than_the_catalogue_gets_all_there_is(plan: Plan) -> None:
    newest = plan.catalogue.newest
    assert len(pack_chain_cases(plan, newest.shifted(1))) == len(pack_chain_cases(plan, newest))


def test_the_pods_as_they_are_come_first_and_triggers_get_a_few(plan: Plan) -> None:
    plain = pack_chain_cases(plan, Minor(1, 37))
    cases = pack_chain_cases(plan, Minor(1, 37), acting=[ACTING], screened=[ACTING, SCREENED])
    names = [case.trigger.name for case in cases]
    assert cases[: len(plain)] == plain
    assert names.count("acting") == 3
    assert names.count("screened") == 1
    positions = {case.sidecar_at for case in cases if case.trigger.name == "acting"}
    assert len(positions) == 3


def test_what_needs_a_service_account_of_its_own_is_left_out(plan: Plan) -> None:
    own = replace(ACTING, service_account_name="vault")
    seed = shipped_seed("bare")
    pod = {**seed.pod, "spec": {**seed.pod["spec"], "serviceAccountName": "cart"}}  # type: ignore[dict-item]  # a seed's spec is an object
    theirs = replace(plan, seeds=(*plan.seeds, replace(seed, name="cart", pod=pod)))
    cases = pack_chain_cases(theirs, Minor(1, 37), acting=[own], screened=[own])
    assert {case.trigger.name for case in cases} == {"none"}
    assert "cart" not in {case.seed for case in cases}
