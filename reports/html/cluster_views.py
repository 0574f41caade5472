"""What does the page show of the cluster: chain in order, readiness, what is wrong in it?"""

from collections.abc import Sequence
from dataclasses import dataclass

from webhook_fuzz.reports.cluster_results import (
    ClusterFindingResult,
    ClusterResult,
    HopResult,
    Severity,
)
from webhook_fuzz.reports.html.views import Card
from webhook_fuzz.reports.overviews import SEVERITIES, WAYS, order_cluster_findings

_MATCHED = {
    "matches": "called for these pods",
    "skipped": "not called for these pods",
    "rejected": "its match condition fails, pods are refused",
    "undecided": "decided by the API server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HopView:
    """One webhook of the chain. `card` is its verdict, where it has one."""

    hop: HopResult
    number: int
    matched: str
    way: str
    refused: tuple[tuple[str, str], ...]
    card: Card | None
    lost_here: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """The cluster's part of the page."""

    cluster: ClusterResult
    hops: tuple[HopView, ...]
    severities: tuple[tuple[Severity, tuple[ClusterFindingResult, ...]], ...]


def build_cluster(cluster: ClusterResult, cards: Sequence[Card]) -> ClusterView:
    """The cluster of a run as the page shows it."""
    by_identity = {(card.webhook["configuration"], card.webhook["name"]): card for card in cards}
    findings = order_cluster_findings(cluster)
    return ClusterView(
        cluster=cluster,
        hops=tuple(
            _build_hop(hop, by_identity.get((hop["configuration"], hop["name"])), cluster)
            for hop in sorted(cluster["chain"], key=lambda hop: hop["position"])
        ),
        severities=tuple(
            (severity, chosen)
            for severity in SEVERITIES
            if (chosen := tuple(f for f in findings if f["severity"] == severity))
        ),
    )


def _build_hop(hop: HopResult, card: Card | None, cluster: ClusterResult) -> HopView:
    identity = f"{hop['configuration']}/{hop['name']}"
    losses = cluster["dry_run"]["lost"] if cluster["dry_run"] else []
    return HopView(
        hop=hop,
        number=hop["position"] + 1,
        matched=_MATCHED[hop["matched"]],
        way=WAYS[hop["way"]],
        refused=tuple((WAYS[each["way"]], each["reason"]) for each in hop["refused"]),
        card=card,
        lost_here=sum(loss["hop"] == identity for loss in losses),
    )
