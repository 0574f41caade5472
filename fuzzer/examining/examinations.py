"""In which order is a cluster examined, and what does it all come to?

API servers first: their answer decides what a probe pod means. Then nodes and pods, side by side.
What is forbidden or does not answer leaves a gap that is told, never a "no".
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.cluster_api.failures import Unseen
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.fuzzer.cluster.pod_owners import OwnerReader
from webhook_fuzz.fuzzer.examining.components import (
    ServersSeen,
    see_nodes,
    see_servers,
    stand_nodes,
)
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.examining.pods import PodExaminer, take_census
from webhook_fuzz.fuzzer.examining.probing import try_probe
from webhook_fuzz.fuzzer.examining.suspecting import Attribution, MatchingWebhooks
from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.fuzzer.readiness.censuses import Census
from webhook_fuzz.fuzzer.readiness.examined import Examination, fold_unseen, order_findings
from webhook_fuzz.fuzzer.readiness.findings_of_components import (
    judge_api_servers,
    judge_mixture,
    judge_nodes,
)
from webhook_fuzz.fuzzer.readiness.findings_of_pods import judge_survival
from webhook_fuzz.fuzzer.readiness.skews import find_skews
from webhook_fuzz.fuzzer.readiness.standings import (
    NodeStanding,
    group_nodes,
    measure_room,
    weakest,
)
from webhook_fuzz.fuzzer.readiness.strategies import choose_strategy
from webhook_fuzz.fuzzer.readiness.survivals import ProbeResult


async def examine_cluster(api: ClusterApi, options: ExaminationOptions) -> Examination:
    """Everything the cluster shows about the feature.

    Raises ClusterError when not even the API server's version can be read.
    """
    options.progress("asking the API servers")
    servers = await see_servers(api, options)
    attribution = options.attribution or MatchingWebhooks(api)
    nodes, (census, gaps), (probe, probe_gaps) = await asyncio.gather(
        see_nodes(api, options),
        take_census(api, options),
        try_probe(api, options, weakest(servers.standings)),
    )
    standings, metric_gaps = stand_nodes(options.gate, nodes, census.by_node if census else None)
    examiner = _examiner(api, options, servers, standings, attribution=attribution, census=census)
    pod_findings = await examiner.judge(census) if census else []
    gathered = _Gathered(
        servers=servers,
        standings=None if nodes.nodes is None else standings,
        probe=probe,
        census=census,
        pod_findings=pod_findings,
        gaps=(*nodes.not_seen, *metric_gaps, *gaps, *probe_gaps, *examiner.not_seen),
    )
    return _assemble(options, gathered)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """All that was asked for; None is what was not seen."""

    servers: ServersSeen
    standings: Sequence[NodeStanding] | None
    probe: ProbeResult | None
    census: Census | None
    pod_findings: Sequence[ClusterFinding]
    gaps: tuple[Unseen, ...]


def _examiner(
    api: ClusterApi,
    options: ExaminationOptions,
    servers: ServersSeen,
    standings: Sequence[NodeStanding],
    *,
    attribution: Attribution,
    census: Census | None,
) -> PodExaminer:
    return PodExaminer(
        owners=OwnerReader(api=api),
        attribution=attribution,
        options=options,
        api_server=weakest(servers.standings).answer,
        kubelets={each.node.name: each.answer for each in standings},
        natives=frozenset(census.natives) if census else frozenset(),
    )


def _assemble(options: ExaminationOptions, gathered: _Gathered) -> Examination:
    gate, servers = options.gate, gathered.servers
    groups = group_nodes(gathered.standings or ())
    strategy = choose_strategy(gate, weakest(servers.standings).answer, gathered.standings)
    lost = judge_survival(gate, gathered.probe, options.namespace) if gathered.probe else ()
    findings = [
        *judge_api_servers(gate, servers.standings),
        *judge_nodes(gate, groups),
        *judge_mixture(gate, groups, strategy),
        *lost,
        *gathered.pod_findings,
    ]
    seen_nodes = gathered.standings is not None
    return Examination(
        gate=gate,
        servers=servers.standings,
        replicas=servers.replicas,
        groups=tuple(groups) if seen_nodes else None,
        room=measure_room(gathered.standings or ()) if seen_nodes else None,
        skews=tuple(find_skews(servers.standings, groups)),
        probe=gathered.probe,
        probe_namespace=options.namespace,
        strategy=strategy,
        pods_looked_at=gathered.census.seen if gathered.census else None,
        findings=order_findings(findings),
        not_seen=fold_unseen([*servers.not_seen, *gathered.gaps]),
    )
