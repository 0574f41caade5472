"""Which run of a cluster do the renderers have to cope with?"""

from result_parts import FIELDS, IMAGE, RULES, SIDECAR, keyed
from samples import bad_run

from webhook_fuzz.reports.cluster_results import (
    ChainLoss,
    ClusterFindingResult,
    ClusterResult,
    DryRunResult,
    HopResult,
    ReadinessResult,
    ReadinessRow,
    Way,
)
from webhook_fuzz.reports.results import RunResult, WebhookResult


def hop(result: WebhookResult, position: int, *, way: Way = "cluster-ip") -> HopResult:
    return HopResult(
        position=position,
        configuration=result["configuration"],
        name=result["name"],
        matched="matches",
        matching="Rule 1 covers the creation of pods, and no selector keeps it away.",
        failure_policy="Fail",
        timeout_seconds=10,
        reinvocation_policy="Never",
        way=way,
        reason="Its service's cluster IP takes connections from here.",
        refused=[{"way": "url", "reason": "its configuration names a service, not a URL"}],
    )


def cluster_run() -> RunResult:
    """A chain of four, one hop known and one not, nodes of three kinds; few fields."""
    run = _run_with_few_fields()
    chain = [hop(result, position) for position, result in enumerate(run["webhooks"])]
    chain[2].update({"matched": "skipped", "matching": "objectSelector: the label inject is not"})
    chain[3].update({"way": "dry-run", "reason": "Nothing else reaches it from here."})
    lossy = run["webhooks"][1]
    run["cluster"] = ClusterResult(
        context="staging",
        server="https://10.0.0.1:6443",
        version="v1.37.2",
        chain=chain,
        dry_run=DryRunResult(
            namespace="webhook-fuzz-7f3a1",
            sent=17,
            accepted=16,
            refused=[
                {
                    "by": "PodSecurity",
                    "message": 'violates PodSecurity "restricted:latest": hostPath volumes',
                    "count": 1,
                }
            ],
            lost=[
                ChainLoss(
                    path=keyed(SIDECAR),
                    field=SIDECAR,
                    since="1.28",
                    hop=f"{lossy['configuration']}/{lossy['name']}",
                    known_by="Called alone in the order of the chain, it is the one after which "
                    "the field is gone.",
                ),
                ChainLoss(
                    path=keyed(IMAGE),
                    field=IMAGE,
                    since="1.31",
                    hop=None,
                    known_by="Two webhooks that could not be called alone were called for it.",
                ),
            ],
            not_admitted_fields={"spec.hostnameOverride": "its gate is off on the API server"},
        ),
        readiness=[
            ReadinessResult(
                feature="SidecarContainers",
                rows=[
                    ReadinessRow(
                        component="kube-apiserver",
                        version="v1.37.2",
                        count=1,
                        names=["https://10.0.0.1:6443"],
                        answer="on",
                        known_by="version: on and locked since 1.33, the gate is gone since 1.36",
                    ),
                    ReadinessRow(
                        component="kubelet",
                        version="v1.28.4",
                        count=12,
                        names=["worker-1", "worker-2", "worker-3"],
                        answer="off",
                        known_by="metric kubernetes_feature_enabled",
                    ),
                    ReadinessRow(
                        component="kubelet",
                        version="v1.36.1",
                        count=1,
                        names=["worker-13"],
                        answer="unknown",
                        known_by="metrics forbidden: a gate set by hand would not be seen",
                    ),
                ],
                advice=["Use the pair of a native and an old-way sidecar until all nodes run it."],
            )
        ],
        findings=[
            ClusterFindingResult(
                code="WF702",
                name="node-too-old",
                severity="error",
                subject="12 nodes",
                explanation="Their kubelets (v1.28.4) run native sidecars as plain init "
                "containers.",
                evidence="kubernetes_feature_enabled is 0 there.",
                remedy="Upgrade them, or keep pods with native sidecars away by affinity.",
                path=None,
                file=None,
                line=None,
            ),
            ClusterFindingResult(
                code="WF601",
                name="timeout-too-long",
                severity="warning",
                subject=f"{lossy['configuration']}/{lossy['name']}",
                explanation="timeoutSeconds is 30: three such webhooks stall every pod.",
                evidence="",
                remedy="Set timeoutSeconds to 5 or less.",
                path="webhooks[0].timeoutSeconds",
                file="rendered.yaml",
                line=12,
            ),
        ],
        not_seen=[{"what": "the services", "why": "listing services is forbidden"}],
    )
    return run


def _run_with_few_fields() -> RunResult:
    few = {path: FIELDS[path] for path in (SIDECAR, IMAGE, RULES)}
    run = bad_run()
    chosen = [run["webhooks"][index] for index in (0, 1, 3, 5)]
    for result in chosen:
        result["fields"] = few
        result["lost_fields"] = [path for path in result["lost_fields"] if path in few]
        result["kept_fields"] = [path for path in result["kept_fields"] if path in few]
    names = {result["name"] for result in chosen}
    findings = [each for each in run["findings"] if each["webhook"] in names]
    coverage = [each for each in run["coverage"] if each["webhook"] in names]
    run.update(
        {
            "webhooks": chosen,
            "findings": [each for each in findings if each["field"] in {None, *few}],
            "coverage": coverage,
        }
    )
    return run
