"""Which runs do the renderers have to cope with?

`bad_run` has a webhook of every verdict and findings of every kind a reader meets; `good_run` has
nothing wrong; `crowded_run` is as wide as a report gets. Those of clusters and of hostile webhooks
are in `cluster_samples` and `hostile_samples`.
"""

from collections.abc import Callable
from typing import TypeAlias

from result_parts import (
    FIELDS,
    IMAGE,
    NAMES,
    ROUND_TRIP,
    RULES,
    SIDECAR,
    coverage,
    evidence,
    finding,
    lost,
    newer_than,
    pod_with,
    run_of,
    trigger,
    webhook,
)

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.reports.results import FindingResult, Reproducer, RunResult, WebhookResult

MakeRun: TypeAlias = Callable[[], RunResult]


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
