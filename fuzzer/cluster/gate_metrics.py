"""Is a feature gate on, as a component's own metrics say?

`kubernetes_feature_enabled{name="SidecarContainers",stage="BETA"} 1` is exported by every component
since 1.26. A page of metrics may have a hundred thousand lines: it is searched as bytes for the one
that is wanted, never split or parsed as a whole.

Source: k8s.io/component-base metrics/prometheus/feature/metrics.go (RecordFeatureInfo) and
featuregate/feature_gate.go (AddMetrics): the gates that exist at the (emulated) version, and no
others; the stage of a gate that is GA is empty.
"""

import re
from dataclasses import dataclass

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Seen,
    Trouble,
    Unseen,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, ClusterRequest
from webhook_fuzz.fuzzer.cluster.component_facts import GateMetric

_FAMILY = re.compile(rb"^kubernetes_feature_enabled\{", re.MULTILINE)


def parse_gate_metric(page: bytes, gate: str) -> GateMetric:
    """The gate's line in a page of metrics, in Prometheus' text format."""
    name = re.escape(gate.encode())
    line = re.search(
        rb'^kubernetes_feature_enabled\{([^}\n]*\bname="' + name + rb'"[^}\n]*)\}[ \t]+(\S+)',
        page,
        re.MULTILINE,
    )
    if line is None:
        return GateMetric(exported=_FAMILY.search(page) is not None)
    stage = re.search(rb'\bstage="([^"]*)"', line[1])
    return GateMetric(
        exported=True,
        enabled=float(line[2]) != 0,
        stage=stage[1].decode("utf-8", "replace") if stage else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPage:
    """Where metrics are read: the path, the noun for people, and the bounds of the request."""

    path: str
    of: str
    most_bytes: int
    timeout_seconds: float | None = None


async def read_gate_metric(api: ClusterApi, page: MetricsPage, gate: str) -> Seen[GateMetric]:
    """The gate's metric of one component, or why it was not seen."""
    try:
        return await _read(api, page, gate)
    except ClusterError as error:
        return Unseen(what=f"metrics of {page.of}", why=error.message, trouble=error.trouble)


async def _read(api: ClusterApi, page: MetricsPage, gate: str) -> GateMetric:
    request = ClusterRequest(
        method="GET",
        path=page.path,
        query={},
        accept="*/*",
        most_bytes=page.most_bytes,
        timeout_seconds=page.timeout_seconds,
    )
    answer = await api.ask(request)
    asked = f"GET {page.path}"
    if answer.status >= 300:  # noqa: PLR2004 - HTTP
        raise cluster_error(asked, answer.message, trouble_of(answer.status), status=answer.status)
    found = parse_gate_metric(answer.body, gate)
    if answer.cut and found.enabled is None:
        said = f"the gate is not in the first {page.most_bytes >> 20} MiB, and no more was read"
        raise cluster_error(asked, said, Trouble.BROKEN)
    return found
