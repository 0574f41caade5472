import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from webhook_fuzz.corpora.exchanges import FailureKind, WebhookIdentity
from webhook_fuzz.corpora.recordings.sinks import Count
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
from webhook_fuzz.proxy.forwarding.statistics import (
    BOUNDS,
    Histogram,
    Statistics,
    WebhookStatistics,
)
from webhook_fuzz.proxy.operations.messages import FeedNumbers
from webhook_fuzz.proxy.operations.metrics import render_metrics
from webhook_fuzz.proxy.operations.snapshots import Snapshot

PAGE = Path(__file__).parents[3] / "docs" / "proxy-metrics.md"
WEBHOOK = WebhookIdentity(configuration="injector", name="inject.example.com", url="https://w")
_ROW = re.compile(r"^\| `(webhook_fuzz_proxy_\w+)` \|([^|]*)\|", re.MULTILINE)
LABELS = {"configuration": "injector", "webhook": "inject.example.com"}


def snapshot(tmp_path: Path) -> Snapshot:
    recording = RecordingSinkFactory(folder=tmp_path / "recording")()
    seen = WebhookStatistics(
        webhook=WEBHOOK,
        exchanges=7,
        statuses={"2xx": 4, "5xx": 1},
        failures={FailureKind.TIMEOUT: 2},
        added=Histogram(counts=(3, 1, *(0,) * (len(BOUNDS) - 2), 1), seconds=40.0),
    )
    judged = Count(name="findings", value=2, labels={"code": "WF104", "webhook": "w"})
    shadowed = (
        Count(name="shadow_sent", value=3, labels={"webhook": "w"}),
        Count(name="shadow_skipped", value=4, labels={"reason": "rate"}),
        Count(name="shadow_failed", value=0),
    )
    return Snapshot(
        statistics=Statistics(webhooks=(seen,), connections=3),
        feeds={"recording": FeedNumbers(sent=6, dropped=1, queued_bytes=10)},
        sinks={"recording": recording.counts(), "judging": (judged,), "shadowing": shadowed},
        sink_restarts={"recording": 1},
        workers=2,
        workers_listening=1,
        certificate_not_after=1_800_000_000.0,
        authority_not_after=1_900_000_000.0,
    )


def exposed(tmp_path: Path) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """The value of each sample, by its labels, by its name."""
    text = render_metrics(lambda: snapshot(tmp_path), version="1.2").decode()
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def family(sample: str) -> str:
    return re.sub("_(bucket|sum|count)$", "", sample)


def test_the_page_has_every_metric_with_its_labels_and_no_other(tmp_path: Path) -> None:
    rows = _ROW.findall(PAGE.read_text())
    documented = {name: set(re.findall(r"\w+", labels)) for name, labels in rows}
    shown = {
        family(name): {label for labels in samples for label, _ in labels} - {"le"}
        for name, samples in exposed(tmp_path).items()
    }

    assert documented == shown


def test_calls_are_counted_by_webhook_status_and_failure(tmp_path: Path) -> None:
    found = exposed(tmp_path)

    def value(name: str, **labels: str) -> float:
        return found[f"webhook_fuzz_proxy_{name}"][frozenset({**LABELS, **labels}.items())]

    assert value("exchanges_total") == 7
    assert value("answers_total", status="5xx") == 1
    assert value("upstream_failures_total", **{"class": "timeout"}) == 2


def test_a_histogram_is_cumulative_and_ends_with_everything(tmp_path: Path) -> None:
    buckets = exposed(tmp_path)["webhook_fuzz_proxy_added_seconds_bucket"]

    def below(bound: str) -> float:
        return buckets[frozenset({**LABELS, "le": bound}.items())]

    assert (below("0.0001"), below("0.0002"), below("30.0"), below("+Inf")) == (3, 4, 4, 5)
    assert sum(exposed(tmp_path)["webhook_fuzz_proxy_added_seconds_sum"].values()) == 40.0


def test_readiness_needs_all_workers_and_sinks_and_no_end_in_sight() -> None:
    well = Snapshot(statistics=Statistics(), workers=2, workers_listening=2)

    assert well.ready
    assert not Snapshot(statistics=Statistics(), workers=2, workers_listening=1).ready
    assert not Snapshot(
        statistics=Statistics(), workers=1, workers_listening=1, draining=True
    ).ready
    assert not Snapshot(
        statistics=Statistics(), workers=1, workers_listening=1, sinks_working=False
    ).ready
