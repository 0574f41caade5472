"""Which runs do the renderers have to cope with?

`bad_run` has a webhook of every verdict and findings of every kind a reader meets; `good_run` has
nothing wrong; `crowded_run` is as wide as a report gets; `hostile_run` is a webhook that attacks
whoever reads about it. The fields are those of the catalogue at 1.37, written down in
new_fields.json so that golden files change only when a renderer does.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
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
from webhook_fuzz.reports.results import (
    SCHEMA_VERSION,
    Coverage,
    Evidence,
    FindingResult,
    LostField,
    Reproducer,
    RunResult,
    Severity,
    TriggerCoverage,
    Verdict,
    WebhookResult,
)

FIELDS: dict[str, LostField] = {
    path: LostField(path=path, since=since, gate=gate, stage=stage)
    for path, since, gate, stage in json.loads(
        (Path(__file__).parent / "new_fields.json").read_text()
    )
}
MakeRun: TypeAlias = Callable[[], RunResult]
SIDECAR = "spec.initContainers[].restartPolicy"
IMAGE = "spec.volumes[].image"
RULES = "spec.containers[].restartPolicyRules"
NAMES: dict[str, str] = {
    "WF001": "unreachable",
    "WF101": "sidecar-restart-policy-lost",
    "WF102": "new-field-lost",
    "WF103": "union-member-lost",
    "WF104": "field-migrated",
    "WF108": "unknown-field-lost",
    "WF202": "list-replaced",
    "WF205": "typed-round-trip",
    "WF207": "needless-patch",
}
ROUND_TRIP = "Decodes the pod into Go types of about k8s.io/api 0.27, changes it, encodes it again"
REMEDY = (
    "Compute the patch against the raw JSON of the request, or patch only what the webhook means "
    "to change: add at /spec/containers/-, one path for each element. Rebuilding against a newer "
    "k8s.io/api is a stop-gap: the next field will break it again."
)


def newer_than(minor: int) -> list[str]:
    """Paths that came after 1.`minor`."""
    return [path for path, field in FIELDS.items() if int(field["since"][2:]) > minor]


def pod_with(path: str, value: JsonValue) -> JsonObject:
    """A minimal pod that carries `value` at a catalogue path."""
    pod: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "labels": {"app": "probe"}},
        "spec": {"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]},
    }
    here: JsonValue = pod
    segments = path.split(".")
    for segment in segments[:-1]:
        here = _enter(here, segment)
    assert isinstance(here, dict)
    here[segments[-1].removesuffix("[]")] = value
    return pod


def _enter(here: JsonValue, segment: str) -> JsonValue:
    assert isinstance(here, dict)
    key = segment.removesuffix("[]")
    if not segment.endswith("[]"):
        return here.setdefault(key, {})
    items = here.setdefault(key, [{"name": key.rstrip("s")}])
    assert isinstance(items, list)
    return items[0]


def keyed(path: str) -> str:
    """The keyed path of a catalogue path in `pod_with`."""
    known = path.replace("spec.containers[]", "spec.containers[name=app]")
    return known.replace("Containers[]", "Containers[name=initContainer]").replace(
        "volumes[]", "volumes[name=volume]"
    )


def evidence(explanation: str, before: JsonValue = None, after: JsonValue = None) -> Evidence:
    return Evidence(
        explanation=explanation,
        before=before,
        before_present=before is not None,
        after=after,
        after_present=after is not None,
        paths=[],
    )


def finding(
    code: str, webhook: str, *, severity: Severity, title: str, evidence: Evidence
) -> FindingResult:
    """A finding about no field; the others are made from it."""
    return FindingResult(
        id=f"{code}-{webhook}",
        code=code,
        name=NAMES[code],
        severity=severity,
        webhook=webhook,
        title=title,
        path=None,
        field=None,
        since=None,
        gate=None,
        mechanism="typed-round-trip",
        evidence=evidence,
        reproducer=None,
        remedy=REMEDY,
    )


def lost(code: str, webhook: str, path: str, value: JsonValue = "Always") -> FindingResult:
    """A field that is gone after the webhook."""
    where = keyed(path)
    made = finding(
        code,
        webhook,
        severity="critical",
        title=f"{path.removeprefix('spec.')} is lost",
        evidence=evidence(f"{where} was sent and is gone after the webhook's patch.", value),
    )
    made["evidence"]["paths"] = [where]
    made.update({"id": f"{code}-{webhook}-{path}", "path": where, "field": path})
    made.update({"since": FIELDS[path]["since"], "gate": FIELDS[path]["gate"]})
    made["reproducer"] = Reproducer(
        pod=pod_with(path, value),
        patch=[
            {"op": "add", "path": "/metadata/creationTimestamp", "value": None},
            {"op": "remove", "path": pointer(path)},
            {"op": "add", "path": "/spec/containers/-", "value": {"name": "injected"}},
        ],
        trigger="label sidecar.example.com/inject=true",
        confirmed="alone",
    )
    return made


def pointer(path: str) -> str:
    """The JSON Pointer of a catalogue path in `pod_with`."""
    return "/" + path.replace("[]", "/0").replace(".", "/")


def webhook(name: str, verdict: Verdict, sentence: str) -> WebhookResult:
    return WebhookResult(
        name=name,
        configuration=name.partition(".")[0],
        url=f"https://{name.partition('.')[0]}.webhooks.svc:443/mutate?timeout=10s",
        verdict=verdict,
        sentence=sentence,
        exercised=verdict not in {"not-exercised", "unreachable"},
        calls=214,
        lost_fields=[],
        moved_fields=[],
        kept_fields=[],
        future_fields="kept",
        fields={},
        mechanism="patches only what it changes",
        oldest_lost=None,
        newest_kept="1.37",
        breaks_in=None,
        rtt_ms=3.2,
    )


def coverage(name: str, *triggers: TriggerCoverage) -> Coverage:
    return Coverage(
        webhook=name,
        probes_planned=len(FIELDS),
        probes_sent=sum(trigger["sent"] for trigger in triggers),
        probes_answered=sum(trigger["answered"] for trigger in triggers),
        confirmations=60,
        triggers=list(triggers),
        not_probed={"spec.ephemeralContainers[].restartPolicy": "forbidden when creating a pod"},
    )


def trigger(
    name: str, effect: Literal["acts", "same-as-without", "no-patch", "failed"], *, sent: int = 14
) -> TriggerCoverage:
    answered = 0 if effect == "failed" else sent
    return TriggerCoverage(
        trigger=name, effect=effect, cases_planned=sent, sent=sent, answered=answered
    )


def run_of(*webhooks: WebhookResult) -> RunResult:
    return RunResult(
        schema=SCHEMA_VERSION,
        tool={"name": "webhook-fuzz", "version": "0.1.0"},
        target={"kubernetes": "1.37", "newest_known": "1.37"},
        started="2026-11-23T03:12:44Z",
        seconds=12.34,
        seed=42,
        complete=True,
        webhooks=list(webhooks),
        findings=[],
        coverage=[],
    )


def _lossy() -> tuple[WebhookResult, list[FindingResult]]:
    gone = newer_than(27)
    name = "pod-identity.webhooks.example.com"
    result = webhook(
        name,
        "incompatible",
        f"It decodes pods into Go types of about Kubernetes 1.27 and loses {len(gone)} newer "
        "fields; native sidecars hang in Init.",
    )
    result.update(
        {
            "lost_fields": gone,
            "kept_fields": [path for path in FIELDS if path not in gone],
            "fields": FIELDS,
            "mechanism": ROUND_TRIP,
            "oldest_lost": "1.28",
            "newest_kept": "1.27",
            "future_fields": "lost",
        }
    )
    findings = [lost("WF102", name, path, _value(path)) for path in gone if path != SIDECAR]
    for made in findings:
        if made["field"] == IMAGE:
            made.update(
                {
                    "code": "WF103",
                    "name": NAMES["WF103"],
                    "title": "The image volume lost its source",
                }
            )
            made["evidence"]["after"] = {"emptyDir": {}}
            made["evidence"]["after_present"] = True
    sidecar = lost("WF101", name, SIDECAR)
    sidecar["title"] = "A native sidecar becomes a plain init container"
    sidecar["evidence"]["rfc6902"] = "The same: RFC 6902 and the API server agree on this patch."
    replaced = finding(
        "WF202",
        name,
        severity="error",
        title="The whole list of init containers is replaced",
        evidence=evidence("One operation replaces /spec/initContainers with a rebuilt list."),
    )
    replaced.update({"path": "spec.initContainers", "since": None})
    replaced["reproducer"] = Reproducer(
        pod=pod_with(SIDECAR, "Always"),
        patch=[{"op": "add", "path": "/spec/initContainers", "value": [{"name": "initContainer"}]}],
        trigger="none",
        confirmed="not-needed",
    )
    typed = finding(
        "WF205",
        name,
        severity="warning",
        title="The patch has the marks of a typed round trip",
        evidence=evidence("It adds metadata.creationTimestamp: null and status: {}."),
    )
    return result, [typed, replaced, *findings, sidecar]


def _value(path: str) -> JsonValue:
    leaf = path.rpartition(".")[2]
    values: dict[str, JsonValue] = {
        "image": {"reference": "registry.example.com/models/llm:2026-11", "pullPolicy": "Always"},
        "sleep": {"seconds": 5},
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}},
        "appArmorProfile": {"type": "Localhost", "localhostProfile": "profiles/deny-write.json"},
        "matchLabelKeys": ["pod-template-hash"],
        "mode": 511,
        "user": 65532,
        "defaultUser": 65532,
        "restartPolicyRules": [
            {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
        ],
    }
    return values.get(leaf, "probe-value")


def _mover() -> tuple[WebhookResult, list[FindingResult]]:
    name = "sidecar-injector.mesh.example.com"
    moved = [RULES, "spec.containers[].lifecycle.stopSignal"]
    result = webhook(
        name,
        "incompatible",
        "It prepends a container, and what the containers' newer fields say moves to their "
        "neighbours: the app loses its restart rules to the injected proxy.",
    )
    result.update(
        {
            "moved_fields": moved,
            "kept_fields": [path for path in FIELDS if path not in moved],
            "fields": FIELDS,
            "mechanism": "Compares typed pods index by index, then prepends",
            "oldest_lost": "1.33",
            "future_fields": "lost",
        }
    )
    made = lost("WF104", name, RULES, _value(RULES))
    made["title"] = "Restart rules move to another container"
    made["evidence"]["explanation"] = "The rules of app are afterwards those of the injected proxy."
    made["evidence"]["moved_to"] = "spec.containers[name=proxy].restartPolicyRules"
    made["mechanism"] = "index-based-diff"
    reproducer = made["reproducer"]
    assert reproducer is not None
    reproducer["confirmed"] = "in-combination"
    reproducer["patch"] = [
        {"op": "replace", "path": "/spec/containers/0/name", "value": "proxy"},
        {"op": "add", "path": "/spec/containers/1", "value": {"name": "app"}},
    ]
    made["remedy"] = "Filtering remove operations is no fix here. Insert with one add at index 0."
    return result, [made]


def bad_run() -> RunResult:
    """Six webhooks: every verdict, more than sixty lost fields."""
    lossy, lossy_findings = _lossy()
    mover, mover_findings = _mover()
    at_risk = webhook(
        "mutate.image-cache.example.com",
        "at-risk",
        "It keeps every field of Kubernetes 1.37 but drops what it does not know.",
    )
    at_risk.update(
        {
            "kept_fields": list(FIELDS),
            "fields": FIELDS,
            "breaks_in": "1.38",
            "future_fields": "lost",
        }
    )
    future = finding(
        "WF108",
        at_risk["name"],
        severity="warning",
        title="A field that no release has yet is lost",
        evidence=evidence("spec.webhookFuzzProbe was sent and is gone.", "canary-1"),
    )
    fine = webhook("defaults.policy.example.com", "compatible", "It kept every field sent.")
    fine.update({"kept_fields": list(FIELDS), "fields": FIELDS})
    idle = webhook(
        "vault-agent.injector.example.com",
        "not-exercised",
        "It answered every pod without a patch: nothing is known about what it loses.",
    )
    idle.update({"newest_kept": None, "future_fields": "not-tried", "mechanism": ""})
    dead = webhook(
        "legacy.audit.example.com",
        "unreachable",
        "It could not be called: the certificate does not cover legacy.webhooks.svc.",
    )
    dead.update(
        {
            "calls": 3,
            "newest_kept": None,
            "rtt_ms": None,
            "future_fields": "not-tried",
            "mechanism": "",
        }
    )
    refused = finding(
        "WF001",
        dead["name"],
        severity="error",
        title="The webhook cannot be called",
        evidence=evidence("x509: certificate is valid for old.svc, not legacy.webhooks.svc"),
    )
    refused["mechanism"] = ""
    refused["remedy"] = "Issue a certificate that covers legacy.webhooks.svc, and mind caBundle."
    run = run_of(fine, lossy, at_risk, idle, mover, dead)
    run["findings"] = [refused, future, *mover_findings, *lossy_findings]
    label = "label sidecar.example.com/inject=true"
    run["coverage"] = [
        coverage(fine["name"], trigger("none", "acts")),
        coverage(lossy["name"], trigger("none", "acts"), trigger(label, "same-as-without", sent=1)),
        coverage(at_risk["name"], trigger("none", "acts")),
        coverage(
            idle["name"],
            trigger("none", "no-patch"),
            trigger("annotation vault.hashicorp.com/agent-inject=true", "no-patch"),
            trigger("service account default", "no-patch"),
        ),
        coverage(mover["name"], trigger("none", "no-patch"), trigger(label, "acts")),
        coverage(dead["name"], trigger("none", "failed", sent=3)),
    ]
    return run


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


def good_run() -> RunResult:
    """One webhook, nothing wrong."""
    fine = webhook("defaults.policy.example.com", "compatible", "It kept every field sent.")
    fine.update({"kept_fields": list(FIELDS), "fields": FIELDS})
    run = run_of(fine)
    run["coverage"] = [coverage(fine["name"], trigger("none", "acts"))]
    return run


def crowded_run() -> RunResult:
    """Twelve webhooks, two of them with the same name, one of them named to the limit."""
    run = bad_run()
    for number in range(6):
        extra = webhook("mpod.kb.io", "compatible", "It kept every field sent.")
        extra.update(
            {"configuration": f"operator-{number}", "kept_fields": list(FIELDS), "fields": FIELDS}
        )
        run["webhooks"].append(extra)
    run["webhooks"][-1]["name"] = f"{'w' * 63}.{'x' * 63}.{'y' * 63}.{'z' * 61}"
    return run


HOSTILE = (
    "<script>alert('x')</script>\"'`\x1b[31m\x00\u202e]]>&{{7*7}}{%x%}"
    "[link](javascript:alert(1))<img src=x onerror=alert(1)>\ud800"
)


def hostile_run() -> RunResult:
    """Every string a webhook or a pod can choose is an attack."""
    hostile = webhook(HOSTILE, "incompatible", HOSTILE)
    hostile.update(
        {
            "configuration": HOSTILE,
            "url": f"javascript:{HOSTILE}",
            "mechanism": HOSTILE,
            "lost_fields": [HOSTILE],
            "moved_fields": [HOSTILE],
            "fields": {
                HOSTILE: LostField(path=HOSTILE, since=HOSTILE, gate=HOSTILE, stage=HOSTILE)
            },
            "oldest_lost": HOSTILE,
            "newest_kept": HOSTILE,
            "breaks_in": HOSTILE,
        }
    )
    made = lost("WF101", HOSTILE, SIDECAR, HOSTILE)
    made.update(
        {"title": HOSTILE, "path": HOSTILE, "since": HOSTILE, "gate": HOSTILE, "mechanism": HOSTILE}
    )
    made.update(
        {"remedy": HOSTILE, "field": HOSTILE, "name": HOSTILE, "code": HOSTILE, "id": HOSTILE}
    )
    made["evidence"] = evidence(HOSTILE, {HOSTILE: [HOSTILE]}, HOSTILE)
    made["evidence"].update({"moved_to": HOSTILE, "rfc6902": HOSTILE, "paths": [HOSTILE]})
    made["reproducer"] = Reproducer(
        pod={HOSTILE: HOSTILE, "big": 2**70},
        patch=[{"op": HOSTILE, "path": f"/{HOSTILE}", "value": HOSTILE}, {}],
        patch_text=HOSTILE,
        trigger=HOSTILE,
        confirmed="alone",
    )
    run = run_of(hostile)
    run.update({"complete": False, "started": HOSTILE})
    run["target"] = {"kubernetes": HOSTILE, "newest_known": HOSTILE}
    run["tool"] = {"name": HOSTILE, "version": HOSTILE}
    run["findings"] = [
        made,
        finding(
            "WF202", "no-such-webhook", severity="info", title=HOSTILE, evidence=evidence(HOSTILE)
        ),
    ]
    tried = coverage(HOSTILE, trigger(HOSTILE, "acts"))
    tried["not_probed"] = {HOSTILE: HOSTILE}
    run["coverage"] = [tried, coverage("no-such-webhook")]
    return run
