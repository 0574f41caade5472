"""What does `webhook-fuzz doctor --format json` print?

One document of a stable shape (`webhook-fuzz/doctor/v1`, described in docs/doctor.md): members may
be added within a version, none changes its meaning.
"""

from webhook_fuzz.corpora.fields.gates import Gate
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.findings import ClusterFinding, load_codes
from webhook_fuzz.fuzzer.readiness.examined import Examination
from webhook_fuzz.fuzzer.readiness.gate_answers import GateAnswer
from webhook_fuzz.fuzzer.readiness.gate_traits import acts_elsewhere
from webhook_fuzz.fuzzer.readiness.pod_explanations import PodExplanation
from webhook_fuzz.fuzzer.readiness.standings import ApiServerStanding, NodeGroup, Room
from webhook_fuzz.fuzzer.readiness.strategies import Strategy
from webhook_fuzz.fuzzer.readiness.survivals import ProbeResult

SCHEMA = "webhook-fuzz/doctor/v1"


def examination_document(found: Examination) -> JsonObject:
    """An examination as JSON."""
    return {
        "schema": SCHEMA,
        "feature": feature_document(found.gate),
        "complete": not found.not_seen,
        "api_servers": {
            "replicas": found.replicas,
            "asked": [_server(server) for server in found.servers],
        },
        "nodes": None if found.groups is None else [_group(group) for group in found.groups],
        "room": _room(found.room) if found.room else None,
        "version_skew": [
            {"subject": skew.subject, "sentence": skew.sentence} for skew in found.skews
        ],
        "probe": _probe(found.probe, found.probe_namespace) if found.probe else None,
        "pods_looked_at": found.pods_looked_at,
        "pod": _pod(found.pod) if found.pod else None,
        "strategy": _strategy(found.strategy) if found.strategy else None,
        "findings": [_finding(finding) for finding in found.findings],
        "not_seen": [
            {"what": each.what, "why": each.why, "trouble": each.trouble} for each in found.not_seen
        ],
    }


def feature_document(gate: Gate) -> JsonObject:
    """A feature gate as JSON: its stages, the fields it guards, who acts on them."""
    stages: list[JsonValue] = [
        {"since": str(stage.since), "stage": stage.name, "default": stage.default}
        for stage in gate.stages
    ]
    return {
        "name": gate.name,
        "stages": stages,
        "fields": list[JsonValue](sorted(gate.fields)),
        "acted_on_by": acts_elsewhere(gate) or "kubelet",
    }


def _answer(answer: GateAnswer) -> JsonObject:
    return {
        "state": answer.state,
        "locked": answer.locked,
        "source": answer.source,
        "certain": answer.certain,
        "how": answer.how,
    }


def _minor(minor: Minor | None) -> JsonValue:
    return str(minor) if minor else None


def _server(server: ApiServerStanding) -> JsonObject:
    return {
        "address": server.address or None,
        "version": server.version,
        "minor": _minor(server.minor),
        **_answer(server.answer),
    }


def _group(group: NodeGroup) -> JsonObject:
    return {
        "minor": _minor(group.minor),
        **_answer(group.answer),
        "count": len(group.members),
        "schedulable": len(group.schedulable),
        "names": [member.node.name for member in group.members],
        "tainted": {
            member.node.name: list[JsonValue](member.node.taints)
            for member in group.members
            if member.node.taints
        },
    }


def _room(room: Room) -> JsonObject:
    return {
        "capable_nodes": room.capable,
        "open_nodes": room.open,
        "reserved_nodes": room.reserved,
        "taints": list[JsonValue](room.taints),
        "pods": room.pods,
    }


def _probe(probe: ProbeResult, namespace: str) -> JsonObject:
    return {
        "namespace": namespace,
        "result": probe.survival,
        "sentence": probe.sentence,
        "fields": list[JsonValue](probe.fields),
        "lost": list[JsonValue](probe.lost),
        "suspects": list[JsonValue](probe.suspects),
        "how": probe.how,
    }


def _pod(pod: PodExplanation) -> JsonObject:
    return {
        "namespace": pod.namespace,
        "name": pod.name,
        "node": pod.node or None,
        "in_template": None if pod.in_template is None else list[JsonValue](pod.in_template),
        "in_pod": list[JsonValue](pod.in_pod),
        "outcome": pod.outcome,
        "stuck": None
        if pod.stuck is None
        else {
            "container": pod.stuck.waiting.container,
            "culprit": pod.stuck.culprit,
            "how": pod.stuck.how,
        },
        "sentences": list[JsonValue](pod.sentences),
    }


def _strategy(strategy: Strategy) -> JsonObject:
    return {
        "fit": strategy.fit,
        "why": strategy.why,
        "steps": list[JsonValue](strategy.steps),
        "manifest": strategy.manifest or None,
    }


def _finding(finding: ClusterFinding) -> JsonObject:
    code = load_codes()[finding.code]
    return {
        "code": finding.code,
        "name": code.name,
        "severity": finding.severity,
        "subject": finding.subject,
        "explanation": finding.explanation,
        "evidence": finding.evidence,
        "remedy": finding.remedy or code.remedy,
        "path": finding.path,
    }
