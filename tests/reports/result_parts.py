"""What are runs for the renderers made of?

The fields are those of the catalogue at 1.37, written down in new_fields.json so that golden files
change only when a renderer does.
"""

import json
from pathlib import Path
from typing import Literal

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
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
