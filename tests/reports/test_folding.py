"""What the engine found out, folded into a result."""

import dataclasses
from datetime import UTC, datetime

import jsonschema
import pytest

from quality.sweeping import Swept, swept
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.reports.folding import RunFacts, fold_run
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.schemas import load_schema
from webhook_fuzz.reports.webhook_folds import WebhookFold

FACTS = RunFacts(
    version="0",
    target=Minor(1, 37),
    started=datetime(2026, 1, 1, tzinfo=UTC),
    seconds=1.0,
    seed=0,
    complete=True,
)


def folded(*names: str) -> RunResult:
    sweeps = [swept(name) for name in names]
    return fold_run([sweep.tally for sweep in sweeps], FACTS, sweeps[0].plan)


def fold(sweep: Swept, target: Minor) -> WebhookFold:
    return WebhookFold(sweep.tally, sweep.plan.catalogue, target)


@pytest.mark.parametrize("name", ["typed-round-trip-1.27", "slow", "perfect", "denies-new-field"])
def test_a_result_matches_its_schema(name: str) -> None:
    jsonschema.validate(folded(name), load_schema())


def test_the_worst_findings_come_first_and_older_losses_before_newer_ones() -> None:
    findings = folded("typed-round-trip-1.27")["findings"]
    lost = [finding["since"] for finding in findings if finding["code"] == "WF102"]

    assert findings[0]["code"] == "WF101"
    assert lost == sorted(lost, key=lambda since: Minor(1, int(str(since).partition(".")[2])))


def test_every_finding_has_an_id_of_its_own_that_does_not_change() -> None:
    first, again = (folded("list-replacement")["findings"] for _ in range(2))

    assert len({finding["id"] for finding in first}) == len(first)
    assert [finding["id"] for finding in first] == [finding["id"] for finding in again]


def test_webhooks_with_one_name_are_told_apart_by_their_configuration() -> None:
    sweep = swept("list-replacement")
    other = dataclasses.replace(
        sweep.tally, webhook=dataclasses.replace(sweep.tally.webhook, configuration="other")
    )
    run = fold_run([sweep.tally, other], FACTS, sweep.plan)

    assert {finding["webhook"].partition("/")[0] for finding in run["findings"]} == {
        sweep.tally.webhook.configuration,
        "other",
    }


def test_secrets_are_replaced_in_everything_a_finding_quotes() -> None:
    sweep = swept("list-replacement")
    redactor = Redactor()
    redactor.learn(
        [{"spec": {"containers": [{"env": [{"name": "A", "value": "registry.example.com"}]}]}}]
    )
    run = fold_run([sweep.tally], FACTS, dataclasses.replace(sweep.plan, redactor=redactor))

    assert "registry.example.com" not in repr(run["findings"])


class TestSentences:
    def test_an_incompatible_webhook_is_told_by_the_fields_of_the_target(self) -> None:
        sentence = fold(swept("typed-round-trip-1.27"), Minor(1, 28)).sentence()

        assert sentence == (
            "On Kubernetes 1.28 it breaks pods: it loses initContainers[].restartPolicy, "
            "containers[].restartPolicy; all of it is behind feature gates that are off by default."
        )

    def test_a_webhook_at_risk_is_told_with_the_release_that_breaks_it(self) -> None:
        sentence = fold(swept("typed-round-trip-1.33"), Minor(1, 33)).sentence()

        assert sentence.startswith("Nothing breaks on Kubernetes 1.33 yet; 1.34 will break pods: ")

    def test_losses_behind_gates_that_are_off_are_told_as_such(self) -> None:
        sweep = swept("typed-round-trip-1.33")
        only_gated = dataclasses.replace(
            sweep.tally,
            found={
                key: found
                for key, found in sweep.tally.found.items()
                if "bindMountOptions" in str(key[1])
            },
        )
        sentence = WebhookFold(only_gated, sweep.plan.catalogue, Minor(1, 37)).sentence()

        assert sentence.endswith("all of it is behind feature gates that are off by default.")

    def test_a_webhook_that_patched_nothing_is_asked_for_a_trigger(self) -> None:
        sweep = swept("needs-trigger")
        untriggered = dataclasses.replace(sweep.tally, found={}, patched=0)
        sentence = WebhookFold(untriggered, sweep.plan.catalogue, Minor(1, 37)).sentence()

        assert "patched none of them (1 trigger tried)" in sentence
        assert "--trigger" in sentence
