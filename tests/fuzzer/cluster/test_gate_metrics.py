"""What does a page of metrics say of one gate?"""

import pytest

from examined_clusters import ExaminedCluster, gone, metrics, on
from fake_clusters import FakeCluster
from webhook_fuzz.corpora.cluster_api.failures import Trouble, Unseen
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.fuzzer.cluster.component_facts import GateMetric
from webhook_fuzz.fuzzer.cluster.gate_metrics import (
    MetricsPage,
    parse_gate_metric,
    read_gate_metric,
)

GATE = "SidecarContainers"
PAGE = MetricsPage(path="/metrics", of="the API server", most_bytes=1 << 20)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{name="SidecarContainers",stage="BETA"} 1', (True, "BETA")),
        ('{name="SidecarContainers",stage="ALPHA"} 0', (False, "ALPHA")),
        ('{name="SidecarContainers",stage=""} 1', (True, "")),
        ('{stage="BETA",name="SidecarContainers"} 1', (True, "BETA")),
        ('{name="SidecarContainers"} 1e+00', (True, "")),
        ('{name="SidecarContainersOfOthers",stage="BETA"} 1', (None, "")),
        ('{name="SidecarContainers', (None, "")),
    ],
)
def test_the_line_of_the_gate_is_read_and_no_other(
    line: str, expected: tuple[bool | None, str]
) -> None:
    found = parse_gate_metric(metrics(f"kubernetes_feature_enabled{line}").encode(), GATE)

    assert (found.enabled, found.stage) == expected
    assert found.exported


def test_a_comment_is_no_metric() -> None:
    page = metrics('# kubernetes_feature_enabled{name="SidecarContainers"} 1').encode()

    assert parse_gate_metric(page, GATE) == GateMetric(exported=False)


def test_a_component_that_exports_gates_may_not_have_this_one() -> None:
    assert parse_gate_metric(gone().encode(), GATE) == GateMetric(exported=True)


async def test_a_page_that_is_refused_is_unseen() -> None:
    cluster = ExaminedCluster(metrics=(403, "forbidden: no"))

    found = await read_gate_metric(cluster, PAGE, GATE)

    assert isinstance(found, Unseen)
    assert (found.what, found.trouble) == ("metrics of the API server", Trouble.FORBIDDEN)
    assert "forbidden: no" in found.why


class Cut(FakeCluster):
    """Answers with the beginning of something longer."""

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        answer = await super().ask(request)
        return ClusterAnswer(status=answer.status, body=answer.body, cut=True)


async def test_a_page_that_is_too_long_counts_only_if_the_line_was_in_what_was_read() -> None:
    there = await read_gate_metric(Cut(texts={"/metrics": on()}), PAGE, GATE)
    not_there = await read_gate_metric(Cut(texts={"/metrics": gone()}), PAGE, GATE)

    assert there == GateMetric(exported=True, enabled=True, stage="BETA")
    assert isinstance(not_there, Unseen)
    assert "first 1 MiB" in not_there.why
