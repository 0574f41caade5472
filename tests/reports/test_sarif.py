import json
from typing import Any

import pytest
from hostile_samples import hostile_run
from samples import MakeRun, bad_run, good_run

from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.sarif import FINGERPRINT, render_sarif


def run_object(run: RunResult) -> dict[str, Any]:
    log = json.loads(render_sarif(run))
    assert log["version"] == "2.1.0"
    only: dict[str, Any]
    (only,) = log["runs"]
    return only


@pytest.mark.parametrize("make", [bad_run, good_run, hostile_run])
def test_every_result_names_its_rule_and_place(make: MakeRun) -> None:
    run = run_object(make())
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(run["results"]) == len(make()["findings"])
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "run.json"
        assert location["logicalLocations"][0]["fullyQualifiedName"]


def test_fingerprints_are_unique_and_do_not_depend_on_what_else_was_found() -> None:
    def prints(run: RunResult) -> list[str]:
        return [each["partialFingerprints"][FINGERPRINT] for each in run_object(run)["results"]]

    whole = prints(bad_run())
    assert len(set(whole)) == len(whole)
    part = bad_run()
    part["findings"] = part["findings"][40:]
    for each in part["findings"]:
        each["evidence"]["explanation"] = "said in other words"
        each["path"] = (each["path"] or "") + "x" if each["field"] else each["path"]
    assert set(prints(part)) <= set(whole)


def test_fingerprints_tell_webhooks_apart() -> None:
    run = bad_run()
    other = bad_run()
    other["webhooks"][1]["configuration"] = "another"
    assert (
        run_object(run)["results"][0]["partialFingerprints"]
        != (run_object(other)["results"][0]["partialFingerprints"])
    )


def test_webhooks_nothing_is_known_about_are_notifications() -> None:
    (invocation,) = run_object(bad_run())["invocations"]
    texts = [each["message"]["text"] for each in invocation["toolExecutionNotifications"]]
    assert [text.split("/")[0] for text in texts] == ["legacy", "vault-agent"]
    assert invocation["executionSuccessful"] is True


def test_an_unfinished_run_was_not_successful() -> None:
    assert run_object(hostile_run())["invocations"][0]["executionSuccessful"] is False
