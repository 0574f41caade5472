"""What did an examination of a cluster find out about one feature?"""

from collections.abc import Iterable
from dataclasses import dataclass

from webhook_fuzz.corpora.cluster_api.failures import Unseen
from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.fuzzer.readiness.pod_explanations import PodExplanation
from webhook_fuzz.fuzzer.readiness.skews import Skew
from webhook_fuzz.fuzzer.readiness.standings import ApiServerStanding, NodeGroup, Room
from webhook_fuzz.fuzzer.readiness.strategies import Strategy
from webhook_fuzz.fuzzer.readiness.survivals import ProbeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The whole of it.

    `groups`, `room` are None where the nodes were not seen; `replicas` is how many API servers
    there are, None where that is not known. `pods_looked_at` counts the pods of the census, `pod`
    explains the one that was asked for; with it, nothing else than its own node is looked at.
    """

    gate: Gate
    servers: tuple[ApiServerStanding, ...]
    replicas: int | None
    groups: tuple[NodeGroup, ...] | None
    skews: tuple[Skew, ...]
    findings: tuple[ClusterFinding, ...]
    not_seen: tuple[Unseen, ...]
    room: Room | None = None
    probe: ProbeResult | None = None
    probe_namespace: str = ""
    strategy: Strategy | None = None
    pods_looked_at: int | None = None
    pod: PodExplanation | None = None


def order_findings(findings: Iterable[ClusterFinding]) -> tuple[ClusterFinding, ...]:
    """The worst first, then by code and subject."""
    return tuple(sorted(findings, key=lambda each: (each.severity.rank, each.code, each.subject)))


def fold_unseen(unseen: Iterable[Unseen]) -> tuple[Unseen, ...]:
    """Each once, and nodes that failed in the same manner as one."""
    by_kind: dict[tuple[str, str], list[Unseen]] = {}
    for each in unseen:
        of_node = each.what.startswith("metrics of node ")
        kind = ("metrics of nodes", each.trouble) if of_node else (each.what, each.why)
        by_kind.setdefault(kind, []).append(each)
    return tuple(_fold(members) for members in by_kind.values())


def _fold(members: list[Unseen]) -> Unseen:
    first = members[0]
    distinct = {each.what for each in members}
    if len(distinct) == 1:
        return first
    others = len(distinct) - 1
    noun = "node" if others == 1 else "nodes"
    return Unseen(
        what=f"{first.what} and {others} other {noun}", why=first.why, trouble=first.trouble
    )
