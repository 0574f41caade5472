"""Are webhooks that do what real ones do, and do it right, left in peace?

Each edit is laid on every packed pod of a sweep, and told to the API server in two ways: as Go
webhooks compare, index by index, and as the shortest patch. Neither may raise an alarm.
"""

import copy
from collections.abc import Callable

import jsonpatch
import pytest

from observed import NEWEST, observe
from quality.injectors import INJECTORS, Edit, image_swapper, is_injected, native_mesh, recommender
from quality.sweeping import plan_of
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER
from webhook_fuzz.fuzzer.apiserver.reviews import as_written
from webhook_fuzz.fuzzer.checks.all_checks import run_checks
from webhook_fuzz.fuzzer.specimens.index_patches import diff

Diff = Callable[[JsonObject, JsonObject], list[JsonObject]]

# They set something else than the user did, and that is what a warning says.
_OVERWRITING = {native_mesh, image_swapper, recommender}


def shortest(before: JsonObject, after: JsonObject) -> list[JsonObject]:
    patch: list[JsonObject] = jsonpatch.make_patch(before, after).patch
    return patch


def by_index(before: JsonObject, after: JsonObject) -> list[JsonObject]:
    return diff(before, after)


@pytest.mark.parametrize("compare", [by_index, shortest])
@pytest.mark.parametrize("edit", INJECTORS, ids=lambda edit: edit.__name__)
def test_a_correct_edit_of_a_packed_pod_raises_no_alarm(edit: Edit, compare: Diff) -> None:
    seen: dict[str, str] = {}
    tried = 0
    for case in plan_of().sweep.cases:
        sent = as_written(case.pod, NEWEST)
        assert sent is not None
        edited = copy.deepcopy(sent)
        if is_injected(edited):
            continue
        edit(edited)
        observation = observe(case.pod, compare(sent, edited), trigger=NO_TRIGGER)
        assert observation.result is not None
        tried += 1
        for finding in run_checks(observation):
            seen.setdefault(finding.code, f"{finding.path} of {case.name}: {finding.explanation}")
    assert tried > 12
    overwritten = {"WF107"} if edit in _OVERWRITING else set[str]()
    # A request or a resolver of the user's own may be among what is changed.
    assert {code: said for code, said in seen.items() if code not in overwritten | {"WF107"}} == {}
    assert overwritten <= seen.keys()
