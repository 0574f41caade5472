"""What happened to the feature in one pod?

Only what concerns it is asked: the API servers, its owners and its node.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.fuzzer.cluster.nodes import parse_node, read_kubelet_metrics
from webhook_fuzz.fuzzer.cluster.pod_owners import OwnerReader
from webhook_fuzz.fuzzer.examining.components import NodesRead, see_servers, stand_nodes
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.examining.pods import PodExaminer
from webhook_fuzz.fuzzer.examining.suspecting import MatchingWebhooks
from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.fuzzer.readiness.examined import Examination, fold_unseen, order_findings
from webhook_fuzz.fuzzer.readiness.findings_of_components import judge_api_servers, judge_nodes
from webhook_fuzz.fuzzer.readiness.findings_of_pods import judge_rejected, judge_unfinished
from webhook_fuzz.fuzzer.readiness.gate_traits import SIDECARS, acts_elsewhere
from webhook_fuzz.fuzzer.readiness.pod_explanations import explain_pod
from webhook_fuzz.fuzzer.readiness.skews import find_skews
from webhook_fuzz.fuzzer.readiness.standings import group_nodes, weakest
from webhook_fuzz.fuzzer.readiness.stuck_pods import is_rejected
from webhook_fuzz.fuzzer.readiness.unfinished_jobs import find_unfinished, may_be_unfinished


async def examine_pod(
    api: ClusterApi, options: ExaminationOptions, *, namespace: str, name: str
) -> Examination:
    """What the cluster shows about the feature in one pod.

    Raises InputError when there is no such pod, ClusterError when it or the API server's version
    cannot be read.
    """
    pod = await _read_pod(api, namespace, name)
    servers = await see_servers(api, options)
    server = weakest(servers.standings)
    nodes = await _see_node(api, options, text_at(object_at(pod, "spec"), "nodeName"))
    standings, gaps = stand_nodes(options.gate, nodes, None)
    examiner = PodExaminer(
        owners=OwnerReader(api=api),
        attribution=options.attribution or MatchingWebhooks(api),
        options=options,
        api_server=server.answer,
        kubelets={each.node.name: each.answer for each in standings},
    )
    owners = await examiner.owners.owners_of(pod)
    stuck = await examiner.explain(pod) if options.gate.name == SIDECARS else None
    groups = group_nodes(standings)
    findings = [
        *judge_api_servers(options.gate, servers.standings),
        *judge_nodes(options.gate, groups),
        *([await examiner.finding_of(pod, stuck)] if stuck else ()),
        *_other_findings(pod, owners.workloads, options),
    ]
    explanation = explain_pod(
        options.gate,
        pod,
        owners=owners.workloads,
        server=server,
        node=standings[0] if standings else None,
        stuck=stuck,
    )
    return Examination(
        gate=options.gate,
        servers=servers.standings,
        replicas=servers.replicas,
        groups=tuple(groups),
        skews=tuple(find_skews(servers.standings, groups)),
        pod=explanation,
        findings=order_findings(findings),
        not_seen=fold_unseen(
            [*servers.not_seen, *nodes.not_seen, *gaps, *owners.not_seen, *examiner.not_seen]
        ),
    )


def _other_findings(
    pod: JsonObject, owners: Sequence[JsonObject], options: ExaminationOptions
) -> Iterator[ClusterFinding]:
    """Rejected by its node, or kept from ending by an injected container."""
    if options.gate.name != SIDECARS:
        return
    if is_rejected(pod):
        yield judge_rejected(pod)
    unfinished = find_unfinished(pod, owners, options.now) if may_be_unfinished(pod) else None
    if unfinished is not None:
        yield judge_unfinished(unfinished)


async def _read_pod(api: ClusterApi, namespace: str, name: str) -> JsonObject:
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}"
    try:
        return await get_object(api, path)
    except ClusterError as error:
        if error.trouble is not Trouble.NOT_FOUND:
            raise
        raise InputError(
            f"there is no pod {namespace}/{name}",
            hint="Write it as NAMESPACE/NAME; `kubectl get pods --all-namespaces` lists them.",
        ) from error


async def _see_node(api: ClusterApi, options: ExaminationOptions, name: str) -> NodesRead:
    if not name:
        return NodesRead(nodes=(), metrics={})
    found = await attempt(get_object(api, f"/api/v1/nodes/{quote(name, safe='')}"), f"node {name}")
    if isinstance(found, Unseen):
        return NodesRead(nodes=None, metrics={}, not_seen=(found,))
    node = parse_node(found)
    if not options.ask_kubelets or acts_elsewhere(options.gate):
        return NodesRead(nodes=(node,), metrics={})
    metrics = await read_kubelet_metrics(api, [node], options.gate.name, concurrency=1)
    return NodesRead(nodes=(node,), metrics=metrics)
