"""What a report says of recorded traffic, beside what it says of any run."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import jsonschema
import pytest
from samples import bad_run

from recorded import answered, exchange_of, pod_review
from replayed import creation, of_webhook, plain_pods, recorded
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.recorded.judging import TrafficJudge
from webhook_fuzz.fuzzer.recorded.traffic import Traffic
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen
from webhook_fuzz.reports.formats import FORMATS
from webhook_fuzz.reports.html.rendering import render_html
from webhook_fuzz.reports.markdown import render_markdown
from webhook_fuzz.reports.results import RunResult
from webhook_fuzz.reports.schemas import find_mismatch, load_schema
from webhook_fuzz.reports.terminal import render_summary
from webhook_fuzz.reports.traffic_folds import TrafficFacts, fold_traffic
from webhook_fuzz.reports.traffic_results import TrafficResult

CATALOGUE = load_catalogue()
UID = "11111111-2222-4333-8444-555555555555"
ROUND_TRIP = get_specimen("typed-round-trip-1.27").program
PERFECT = get_specimen("perfect").program


def mesh() -> JsonObject:
    return default_pod(shipped_seed("mesh").pod)


def fold(*exchanges: RecordedExchange, damaged: int = 0) -> RunResult:
    traffic = Traffic(judge=TrafficJudge(CATALOGUE, CATALOGUE.newest))
    for each in exchanges:
        traffic.add(each)
    facts = TrafficFacts(
        version="1.2.3",
        target=CATALOGUE.newest,
        started=datetime(2026, 11, 24, tzinfo=UTC),
        seconds=1.5,
        recordings=("recording",),
        damaged=damaged,
    )
    run = fold_traffic(traffic, facts, build_plan())
    jsonschema.validate(run, load_schema())
    assert find_mismatch(cast("JsonValue", run)) is None
    return run


def traffic_of(run: RunResult) -> TrafficResult:
    traffic = run.get("traffic")
    assert traffic is not None
    return traffic


def lossy(number: int = 0) -> RecordedExchange:
    return recorded(creation(mesh(), number), ROUND_TRIP, number)


def deployment() -> RecordedExchange:
    kind: JsonObject = {"group": "", "version": "v1", "kind": "Secret"}
    secret: JsonObject = {"data": {"password": "aHVudGVyMg=="}}
    review = pod_review(secret, kind=kind, resource={"resource": "secrets"}, uid=UID)
    missing: JsonObject = {"op": "remove", "path": "/data/user"}
    return exchange_of(review, answered([missing], UID))


def test_a_finding_says_how_often_when_and_where_it_stands() -> None:
    again = replace(lossy(4), attempt=2)
    run = fold(lossy(1), again)
    assert run["findings"][0].get("occurrences") == {
        "exchange": "00000001",
        "count": 2,
        "retries": 1,
        "reinvocations": 0,
        "first_seen": "2023-11-14T22:13:21+00:00",
        "last_seen": "2023-11-14T22:13:24+00:00",
    }


def test_a_lost_field_is_lost_in_the_coverage_too() -> None:
    (webhook,) = traffic_of(fold(lossy()))["webhooks"]
    assert [(each["path"], each["outcome"]) for each in webhook["fields"]] == [
        ("spec.initContainers[].restartPolicy", "lost")
    ]
    assert webhook["fields_not_seen"] == 103


def test_a_field_on_a_pod_that_was_left_alone_is_not_called_kept() -> None:
    alone = recorded(creation(mesh()), get_specimen("needs-trigger").program)
    run = fold(alone)
    (field,) = traffic_of(run)["webhooks"][0]["fields"]
    assert (field["outcome"], field["patched"]) == ("not-patched", 0)
    assert run["webhooks"][0]["verdict"] == "not-exercised"
    assert run["webhooks"][0]["kept_fields"] == []


def test_an_object_of_another_kind_is_not_quoted() -> None:
    run = fold(deployment())
    (finding,) = run["findings"]
    assert finding["code"] == "WF005"
    assert finding["reproducer"] is None
    assert "aHVudGVyMg" not in str(run)
    assert traffic_of(run)["webhooks"][0]["in_part"] == {"secrets CREATE": 1}


def test_a_webhook_that_patched_other_kinds_only_is_not_exercised() -> None:
    kind: JsonObject = {"group": "apps", "version": "v1", "kind": "Deployment"}
    review = pod_review({"metadata": {}}, kind=kind, uid=UID)
    added: JsonObject = {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}
    run = fold(exchange_of(review, answered([added], UID)))
    assert run["webhooks"][0]["verdict"] == "not-exercised"
    assert "of other kinds and no pod" in run["webhooks"][0]["sentence"]


def test_a_webhook_nobody_reached_is_unreachable() -> None:
    failed = CallFailure(kind=FailureKind.REFUSED, detail="connection refused")
    run = fold(exchange_of(creation(mesh()), failed))
    assert run["webhooks"][0]["verdict"] == "unreachable"
    assert [finding["code"] for finding in run["findings"]] == ["WF001"]


def test_webhooks_of_one_name_are_told_apart_by_their_configuration() -> None:
    one = of_webhook(lossy(1), "w.example.com")
    webhook = replace(one.exchange.webhook, configuration="second")
    other = replace(one, exchange=replace(one.exchange, webhook=webhook))
    run = fold(one, other)
    names = [each["webhook"] for each in traffic_of(run)["webhooks"]]
    assert names == ["injector/w.example.com", "second/w.example.com"]
    page = render_html(run)
    assert page.count("occurred on no pod: nothing is known of them") == 2


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_show_traffic(name: str) -> None:
    run = fold(lossy(), deployment(), *(recorded(creation(pod), PERFECT) for pod in plain_pods()))
    assert FORMATS[name].render(run)


def test_the_page_says_where_a_finding_stands_and_what_was_not_judged() -> None:
    page = render_html(
        fold(lossy(7), exchange_of({}, CallFailure(kind=FailureKind.TLS, detail="")))
    )
    assert "1 recorded exchange, at 2023-11-14T22:13:27+00:00" in page
    assert "<code>00000007</code>" in page
    assert "1 not judged: the request was no AdmissionReview" in page
    assert "As it was recorded." in page
    assert "Trigger:" not in page


def test_markdown_names_the_recorded_exchange_and_no_trigger() -> None:
    text = render_markdown(fold(lossy(7)))
    assert "Pod (recorded exchange `00000007`):" in text
    assert "trigger" not in text


def test_the_summary_fits_a_screen_and_says_what_it_rests_on() -> None:
    exchanges = [of_webhook(lossy(n), f"w{n}.example.com") for n in range(4)]
    hung_up = CallFailure(kind=FailureKind.TIMEOUT, detail="")
    left = exchange_of(creation(mesh()), hung_up, hung_up=True)
    text = render_summary(fold(*exchanges, left, damaged=2), report="out/report.html")
    assert len(text.splitlines()) <= 24
    assert "4 of 5 recorded exchanges judged" in text
    assert "judged: 1, the API server hung up before there was an answer" in text
    assert "2 places of the recording could not be read" in text


def test_what_rests_on_redacted_values_is_said() -> None:
    pod = mesh()
    metadata = pod["metadata"]
    assert isinstance(metadata, dict)
    pod["metadata"] = {**metadata, "annotations": {"a": "redacted-11111111"}}
    patch: JsonObject = {"op": "replace", "path": "/metadata/annotations/a", "value": "redacted-2"}
    run = fold(exchange_of(pod_review(pod, uid=UID), answered([patch], UID)))
    assert run["findings"] == []
    assert "1 finding rest" in render_summary(run)


def test_nothing_of_traffic_is_in_the_reports_of_other_runs() -> None:
    run = bad_run()
    for text in (render_html(run), render_markdown(run), render_summary(run)):
        assert "recorded" not in text
