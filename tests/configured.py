"""Webhook configurations for tests: one that nothing is wrong with, and changes to it."""

import datetime as dt
from collections.abc import Mapping, Sequence

from webhook_fuzz.corpora.cluster_api.failures import Seen
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.manifest_lines import Step
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.cluster.surroundings import (
    Backend,
    Labels,
    ServedCertificate,
    Surroundings,
    View,
)
from webhook_fuzz.fuzzer.configurations.linting import lint_webhooks
from webhook_fuzz.fuzzer.findings import ClusterFinding

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
NAME_LABEL = "kubernetes.io/metadata.name"
NOT_MIRRORED: JsonObject = {
    "name": "no-mirror-pods",
    "expression": "!('kubernetes.io/config.mirror' in object.metadata.?annotations.orValue({}))",
}


def select(key: str, operator: str, *values: str) -> JsonObject:
    """A selector with one expression."""
    expression: JsonObject = {"key": key, "operator": operator}
    if values:
        expression["values"] = [*values]
    return {"matchExpressions": [expression]}


def rule(*resources: str, **others: JsonValue) -> JsonObject:
    """A rule for creating core resources, pods by default."""
    return {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": [*(resources or ("pods",))],
        **others,
    }


def entry(**changes: JsonValue) -> JsonObject:
    """A webhook nothing is wrong with, changed: a member that is None is left out."""
    good: JsonObject = {
        "name": "pods.injector.example.com",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://injector.example.com/mutate"},
        "failurePolicy": "Fail",
        "namespaceSelector": select(NAME_LABEL, "NotIn", "kube-system", "injector"),
        "reinvocationPolicy": "IfNeeded",
        "rules": [rule()],
        "sideEffects": "None",
        "timeoutSeconds": 5,
        **changes,
    }
    return {name: value for name, value in good.items() if value is not None}


def by_service(
    name: str = "injector", namespace: str = "injector", **others: JsonValue
) -> JsonObject:
    """A clientConfig that names a service."""
    return {"service": {"name": name, "namespace": namespace, "path": "/mutate"}, **others}


def configuration(
    *entries: JsonObject, name: str = "injector", metadata: JsonObject | None = None
) -> JsonObject:
    """A MutatingWebhookConfiguration, with more metadata than its name."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name, **(metadata or {})},
        "webhooks": [*entries],
    }


def around(
    view: View = View.MANIFESTS,
    *,
    version: Minor | None = None,
    namespaces: Mapping[str, Labels] | None = None,
    backends: Mapping[tuple[str, str], Seen[Backend]] | None = None,
    certificates: Mapping[int, ServedCertificate] | None = None,
) -> Surroundings:
    """Surroundings in which nothing is known but what is given."""
    return Surroundings(
        view=view,
        now=NOW,
        version=version,
        namespaces=namespaces or {},
        backends=backends or {},
        certificates=certificates or {},
    )


def lint(
    *configurations: JsonObject, surroundings: Surroundings | None = None
) -> list[ClusterFinding]:
    """Every finding on configurations."""
    webhooks: Sequence[Webhook] = list_webhooks(configurations)
    known = surroundings or around()
    return list(lint_webhooks(webhooks, known, locate=_nowhere))


def _nowhere(_: Webhook, __: Sequence[Step]) -> None:
    return None


def lint_entry(
    surroundings: Surroundings | None = None, /, **changes: JsonValue
) -> list[ClusterFinding]:
    """Every finding on the good webhook, changed."""
    return lint(configuration(entry(**changes)), surroundings=surroundings)


def by_code(findings: Sequence[ClusterFinding]) -> Mapping[str, ClusterFinding]:
    """Findings by code, of which there must be one each."""
    codes = [finding.code for finding in findings]
    assert len(codes) == len(set(codes)), codes
    return {finding.code: finding for finding in findings}


def only(findings: Sequence[ClusterFinding], code: str) -> ClusterFinding:
    """The one finding there is, which must have this code."""
    assert [finding.code for finding in findings] == [code]
    return findings[0]
