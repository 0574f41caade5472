import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from prometheus_client.parser import text_string_to_metric_families

from webhook_fuzz.corpora.exchanges import FailureKind, WebhookIdentity
from webhook_fuzz.corpora.recordings.sinks import Count
from webhook_fuzz.proxy.forwarding.statistics import (
    BOUNDS,
    Histogram,
    Statistics,
    WebhookStatistics,
)
from webhook_fuzz.proxy.operations.messages import FeedNumbers
from webhook_fuzz.proxy.operations.metrics import render_metrics
from webhook_fuzz.proxy.operations.snapshots import Snapshot

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "proxy-metrics.md"
SINKS = {
    "recording": "corpora/recordings/writing.py",
    "judging": "fuzzer/recorded/judging_sinks.py",
    "shadowing": "fuzzer/recorded/shadowing.py",
    "any": "proxy/recorder/sink_programs.py",
}
WEBHOOK = WebhookIdentity(configuration="injector", name="inject.example.com", url="https://w")
_ROW = re.compile(r"^\| `(webhook_fuzz_proxy_\w+)` \|([^|]*)\|", re.MULTILINE)
LABELS = {"configuration": "injector", "webhook": "inject.example.com"}


def counts_of(module: Path) -> Iterator[Count]:
    """Every count a module makes, read from its source: some are made only when there is one."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            given = {each.arg: each.value for each in node.keywords}
            if node.func.id == "Count":
                labels = cast("ast.Dict", given["labels"]).keys if "labels" in given else []
                yield Count(
                    name=cast("ast.Constant", given["name"]).value,  # type: ignore[arg-type]
                    value=2,
                    labels={cast("ast.Constant", each).value: "x" for each in labels},  # type: ignore[misc]
                    is_gauge="is_gauge" in given,
                )


def snapshot() -> Snapshot:
    seen = WebhookStatistics(
        webhook=WEBHOOK,
        exchanges=7,
        statuses={"2xx": 4, "5xx": 1},
        failures={FailureKind.TIMEOUT: 2},
        added=Histogram(counts=(3, 1, *(0,) * (len(BOUNDS) - 2), 1), seconds=40.0),
    )
    return Snapshot(
        statistics=Statistics(webhooks=(seen,), connections=3),
        feeds={"recording": FeedNumbers(sent=6, dropped=1, queued_bytes=10)},
        sinks={name: tuple(counts_of(ROOT / module)) for name, module in SINKS.items()},
        sink_restarts={"recording": 1},
        workers=2,
        workers_listening=1,
        certificate_not_after=1_800_000_000.0,
        authority_not_after=1_900_000_000.0,
    )


def exposed() -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """The value of each sample, by its labels, by its name."""
    text = render_metrics(snapshot, version="1.2").decode()
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def family(sample: str) -> str:
    return re.sub("_(bucket|sum|count)$", "", sample)


def test_the_page_has_every_metric_with_its_labels_and_no_other() -> None:
    rows = _ROW.findall(PAGE.read_text())
    documented = {name: set(re.findall(r"\w+", labels)) for name, labels in rows}
    shown = {
        family(name): {label for labels in samples for label, _ in labels} - {"le"}
        for name, samples in exposed().items()
    }

    assert documented == shown


def test_calls_are_counted_by_webhook_status_and_failure() -> None:
    found = exposed()

    def value(name: str, **labels: str) -> float:
        return found[f"webhook_fuzz_proxy_{name}"][frozenset({**LABELS, **labels}.items())]

    assert value("exchanges_total") == 7
    assert value("answers_total", status="5xx") == 1
    assert value("upstream_failures_total", **{"class": "timeout"}) == 2


def test_a_histogram_is_cumulative_and_ends_with_everything() -> None:
    buckets = exposed()["webhook_fuzz_proxy_added_seconds_bucket"]

    def below(bound: str) -> float:
        return buckets[frozenset({**LABELS, "le": bound}.items())]

    assert (below("0.0001"), below("0.0002"), below("30.0"), below("+Inf")) == (3, 4, 4, 5)
    assert sum(exposed()["webhook_fuzz_proxy_added_seconds_sum"].values()) == 40.0


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
