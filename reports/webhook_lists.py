"""What does `webhook-fuzz webhooks --format json` say?

The webhooks of a cluster or of manifests in the order the API server calls them, with everything
found out about them. Members that are not known are null, and what could not be seen is listed.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from webhook_fuzz.corpora.cluster_api.failures import Seen, Unseen
from webhook_fuzz.corpora.cluster_api.ownership import Ownership
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import ServiceReference, Webhook
from webhook_fuzz.fuzzer.apiserver.matching import Matching
from webhook_fuzz.fuzzer.cluster.discoveries import DiscoveredWebhook, Discovery
from webhook_fuzz.fuzzer.cluster.surroundings import Backend, ServedCertificate
from webhook_fuzz.reports.cluster_results import UnseenResult
from webhook_fuzz.reports.results import ToolInfo

SCHEMA_VERSION = "webhook-fuzz/webhooks/v1"


class ServiceResult(TypedDict):
    """The Service a webhook is called through; `exists` and `ready` are null where not known."""

    namespace: str
    name: str
    path: str
    port: int
    exists: bool | None
    ready: int | None


class CaBundleResult(TypedDict):
    """The caBundle: no certificates and no problem means the system's authorities."""

    certificates: int
    first_expires: str | None
    expires: str | None
    problem: str | None


class ServedResult(TypedDict):
    """The certificate a webhook served us; `problem` says why the API server would refuse it."""

    address: str
    problem: str | None
    expires: str | None


class ManagerResult(TypedDict):
    """Somebody who wrote fields of the configuration (managedFields)."""

    name: str
    operation: str


class OwnerResult(TypedDict):
    """Whose a configuration is; `short` is the first thing to say."""

    short: str
    helm_release: str | None
    managed_by: str | None
    olm_owner: str | None
    bundle_injection: str | None
    references: list[str]
    managers: list[ManagerResult]


class PodReachResult(TypedDict):
    """Whether its rules are for new pods and workloads; `namespaces` are null where not known."""

    create: bool
    workloads: list[str]
    namespaces: list[str] | None
    narrowed_by: list[str]


class CalledResult(TypedDict):
    """Whether it would be called: matches, skipped, rejected or undecided, and why."""

    decision: str
    reason: str


class ListedWebhook(TypedDict):
    """One webhook; `rules`, selectors and conditions are as they are registered.

    `images` are null where the pods could not be seen; `called` is null unless it was asked for.
    """

    position: int
    configuration: str
    name: str
    rules: list[JsonObject]
    namespace_selector: JsonObject
    object_selector: JsonObject
    match_conditions: list[JsonObject]
    match_policy: str
    failure_policy: str
    reinvocation_policy: str
    timeout_seconds: int
    side_effects: str | None
    review_versions: list[str]
    service: ServiceResult | None
    url: str | None
    images: list[str] | None
    ca_bundle: CaBundleResult
    served: ServedResult | None
    owner: OwnerResult
    pods: PodReachResult
    called: CalledResult | None


class WebhookList(TypedDict):
    """`source` is `context NAME` or the files' names; `asked` is what `called` is about.

    `namespaces` counts those of the cluster. `complete` is False where something was not seen.
    """

    schema: str
    tool: ToolInfo
    source: str
    api_server: str | None
    namespaces: int | None
    asked: str | None
    complete: bool
    webhooks: list[ListedWebhook]
    not_seen: list[UnseenResult]
    notes: list[str]


def fold_webhooks(
    discovery: Discovery, *, version: str, source: str, called: Mapping[int, Matching]
) -> WebhookList:
    """The document; `called` goes by position and is empty where nothing was asked."""
    return {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "webhook-fuzz", "version": version},
        "source": source,
        "api_server": str(discovery.version) if discovery.version else None,
        "namespaces": None if discovery.namespaces is None else len(discovery.namespaces),
        "asked": None,
        "complete": not discovery.not_seen,
        "webhooks": [
            _fold_webhook(found, called.get(found.webhook.position)) for found in discovery.webhooks
        ],
        "not_seen": [{"what": each.what, "why": each.why} for each in discovery.not_seen],
        "notes": [],
    }


def render_webhooks_json(webhooks: WebhookList) -> str:
    """The document as text, valid UTF-8 whatever a configuration holds."""
    text = json.dumps(webhooks, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def _fold_webhook(found: DiscoveredWebhook, called: Matching | None) -> ListedWebhook:
    webhook, bundle, served = found.webhook, found.bundle, found.served
    return {
        **_fold_entry(webhook),
        "service": _fold_service(webhook.service, found.backend),
        "images": None if isinstance(found.images, Unseen) else list(found.images),
        "ca_bundle": {
            "certificates": bundle.certificates,
            "first_expires": _time(bundle.first_expires),
            "expires": _time(bundle.expires),
            "problem": bundle.problem,
        },
        "served": None if served is None else _fold_served(served),
        "owner": _fold_owner(found.ownership),
        "pods": {
            "create": found.reach.pods,
            "workloads": list(found.reach.workloads),
            "namespaces": None if found.reach.namespaces is None else list(found.reach.namespaces),
            "narrowed_by": list(found.reach.narrowed_by),
        },
        "called": None
        if called is None
        else {"decision": called.decision.value, "reason": called.reason},
    }


class _Entry(TypedDict):
    """What the configuration itself says."""

    position: int
    configuration: str
    name: str
    rules: list[JsonObject]
    namespace_selector: JsonObject
    object_selector: JsonObject
    match_conditions: list[JsonObject]
    match_policy: str
    failure_policy: str
    reinvocation_policy: str
    timeout_seconds: int
    side_effects: str | None
    review_versions: list[str]
    url: str | None


def _fold_entry(webhook: Webhook) -> _Entry:
    return {
        "position": webhook.position,
        "configuration": webhook.configuration,
        "name": webhook.name,
        "rules": list(webhook.rules),
        "namespace_selector": webhook.namespace_selector,
        "object_selector": webhook.object_selector,
        "match_conditions": list(webhook.match_conditions),
        "match_policy": webhook.match_policy,
        "failure_policy": webhook.failure_policy,
        "reinvocation_policy": webhook.reinvocation_policy,
        "timeout_seconds": webhook.timeout_seconds,
        "side_effects": webhook.side_effects,
        "review_versions": list(webhook.review_versions),
        "url": webhook.url,
    }


def _fold_service(
    service: ServiceReference | None, backend: Seen[Backend] | None
) -> ServiceResult | None:
    if service is None:
        return None
    seen = backend if isinstance(backend, Backend) else None
    return {
        "namespace": service.namespace,
        "name": service.name,
        "path": service.path,
        "port": service.port,
        "exists": seen.exists if seen else None,
        "ready": seen.ready if seen else None,
    }


def _fold_served(served: ServedCertificate) -> ServedResult:
    return {
        "address": served.address,
        "problem": served.problem,
        "expires": _time(served.expires),
    }


def _fold_owner(owner: Ownership) -> OwnerResult:
    return {
        "short": owner.short,
        "helm_release": owner.helm_release,
        "managed_by": owner.managed_by,
        "olm_owner": owner.olm_owner,
        "bundle_injection": owner.bundle_injection,
        "references": list(owner.references),
        "managers": [{"name": each.name, "operation": each.operation} for each in owner.managers],
    }


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
