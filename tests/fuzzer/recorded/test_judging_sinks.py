import json
import pickle
import stat
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from fakes import outcome_of
from recorded import pod_review
from replayed import RECORDED_WEBHOOK, creation
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.corpora.recordings.sinks import Count, Sink
from webhook_fuzz.corpora.seeds.loading import shipped_seed
from webhook_fuzz.fuzzer.apiserver.defaulting import default_pod
from webhook_fuzz.fuzzer.recorded.judging_sinks import JudgingSinkFactory
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen

SECRET = "s3cr3t-of-the-pod"
POD = default_pod(shipped_seed("mesh").pod)


def call(
    review: JsonObject,
    program: str = "typed-round-trip-1.27",
    *,
    webhook: WebhookIdentity = RECORDED_WEBHOOK,
    number: int = 0,
) -> RawExchange:
    outcome = outcome_of(get_specimen(program).program(review))
    answer = (
        RawAnswer(status=500, headers=(), body=outcome.body)
        if isinstance(outcome, CallFailure)
        else RawAnswer(status=200, headers=(), body=outcome.body)
    )
    return RawExchange(
        webhook=webhook,
        started_at=1_700_000_000.0 + number,
        seconds=0.002,
        upstream_seconds=0.001,
        target=b"/mutate?timeout=10s",
        request_headers=((b"Authorization", b"Bearer " + SECRET.encode()),),
        request_body=orjson.dumps(review),
        answer=answer,
    )


def count_of(sink: Sink, name: str, **labels: str) -> float | None:
    found = [each for each in sink.counts() if each.name == name and dict(each.labels) == labels]
    return found[0].value if found else None


def names(counts: Sequence[Count]) -> set[str]:
    return {each.name for each in counts}


def test_the_factory_goes_to_another_process(tmp_path: Path) -> None:
    factory = JudgingSinkFactory(target="1.33", results=tmp_path / "findings.json")
    assert pickle.loads(pickle.dumps(factory)) == factory  # noqa: S301 - our own


def test_what_is_found_in_passing_traffic_is_counted_by_code_and_webhook() -> None:
    sink = JudgingSinkFactory()()
    for number in range(3):
        sink.take(call(creation(POD, number), number=number))
    assert count_of(sink, "exchanges_judged") == 3
    assert count_of(sink, "findings", code="WF101", webhook="mpod.example.com") == 3


def test_it_judges_for_the_minor_it_is_given() -> None:
    sink = JudgingSinkFactory(target="1.30")()
    sink.take(call(creation(POD)))
    assert count_of(sink, "findings", code="WF101", webhook="mpod.example.com") == 1


@pytest.mark.parametrize("target", ["1.2", "1.99", "new"])
def test_a_minor_nobody_knows_is_refused(target: str) -> None:
    with pytest.raises(InputError):
        JudgingSinkFactory(target=target)()


def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        JudgingSinkFactory(results=tmp_path / "file" / "findings.json")()


def test_what_is_not_judged_is_counted_by_the_reason() -> None:
    sink = JudgingSinkFactory()()
    sink.take(
        RawExchange(
            webhook=RECORDED_WEBHOOK,
            started_at=1.0,
            seconds=1.0,
            upstream_seconds=1.0,
            target=b"/",
            request_headers=(),
            request_body=b"[" * 10_000,
            answer=CallFailure(kind=FailureKind.TIMEOUT, detail="late"),
        )
    )
    assert count_of(sink, "exchanges_not_judged", reason="UNREAD") == 1
    assert count_of(sink, "exchanges_judged") == 0


def test_a_repeated_call_is_told_by_its_uid() -> None:
    sink = JudgingSinkFactory()()
    for _ in range(2):
        sink.take(call(creation(POD, 1), "http-500"))
    assert count_of(sink, "findings", code="WF002", webhook="mpod.example.com") == 2


def test_as_many_webhooks_as_there_may_be_make_only_so_many_labels() -> None:
    sink = JudgingSinkFactory()()
    for number in range(130):
        webhook = WebhookIdentity(configuration="c", name=f"w{number}", url="https://w/")
        sink.take(call(creation(POD, number), webhook=webhook))
    labels = {each.labels["webhook"] for each in sink.counts() if each.name == "findings"}
    assert len(labels) == 101
    assert count_of(sink, "findings", code="WF101", webhook="other") == 30


def secretive(number: int) -> JsonObject:
    """A pod that holds a secret in every place that is one, and in a volume of no type."""
    spec = POD["spec"]
    assert isinstance(spec, dict)
    containers = spec["containers"]
    assert isinstance(containers, list)
    first = containers[0]
    assert isinstance(first, dict)
    env: JsonObject = {"name": "PASSWORD", "value": SECRET}
    metadata = POD["metadata"]
    assert isinstance(metadata, dict)
    pod = {
        **POD,
        "metadata": {**metadata, "annotations": {"token": SECRET}},
        "spec": {**spec, "containers": [{**first, "env": [env]}, *containers[1:]]},
    }
    return pod_review(pod, uid=f"00000000-0000-4000-8000-{number:012}")


@pytest.mark.parametrize(
    "program",
    ["typed-round-trip-1.27", "overwrites-value", "loses-annotations", "undecodable-result"],
)
def test_nothing_of_a_pod_is_in_counts_or_results(tmp_path: Path, program: str) -> None:
    results = tmp_path / "new" / "findings.json"
    sink = JudgingSinkFactory(results=results)()
    sink.take(call(secretive(1), program))
    sink.close()
    text = results.read_text()
    assert json.loads(text)["findings"]
    assert SECRET not in text
    assert SECRET not in repr(sink.counts())


def test_results_are_written_once_a_minute_and_at_the_end(tmp_path: Path) -> None:
    results = tmp_path / "findings.json"
    sink = JudgingSinkFactory(results=results)()
    sink.tick(1_000.0)
    first = json.loads(results.read_text())
    sink.take(call(creation(POD)))
    sink.tick(1_030.0)
    assert json.loads(results.read_text()) == first
    sink.tick(1_061.0)
    found = json.loads(results.read_text())
    assert [each["code"] for each in found["findings"]][:1] == ["WF101"]
    assert found["webhooks"][0]["patched_pods_with_new_fields"] == 1
    sink.take(call(creation(POD, 2)))
    sink.close()
    assert json.loads(results.read_text())["findings"][0]["count"] == 2
    assert stat.S_IMODE(results.stat().st_mode) == 0o600


def test_a_disk_that_is_full_costs_the_results_only(tmp_path: Path) -> None:
    results = tmp_path / "folder" / "findings.json"
    sink = JudgingSinkFactory(results=results)()
    results.parent.rmdir()
    sink.take(call(creation(POD)))
    sink.close()
    assert count_of(sink, "judging_results_failed") == 1
    assert count_of(sink, "exchanges_judged") == 1


def test_counts_have_the_names_that_are_documented() -> None:
    sink = JudgingSinkFactory()()
    sink.take(call(creation(POD)))
    assert names(sink.counts()) == {
        "exchanges_judged",
        "exchanges_judged_alike",
        "judging_failed",
        "judging_results_failed",
        "findings",
    }
