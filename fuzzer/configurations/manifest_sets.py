"""Which webhooks are in a set of manifests, where are they written, and what lies beside them?

A chart often brings the Service and the Deployment of its webhook, and sometimes the namespace.
What is not in the set is not known: it may be in the cluster already.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.manifest_lines import Step
from webhook_fuzz.corpora.manifests import Manifest, ManifestCount, iterate_manifests
from webhook_fuzz.corpora.members import object_at, objects_at
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.selectors import SelectorError, match_selector, object_labels
from webhook_fuzz.fuzzer.cluster.surroundings import Backend, Labels, Surroundings, View
from webhook_fuzz.fuzzer.configurations.requests import NAME_LABEL
from webhook_fuzz.fuzzer.findings import Place

MUTATING: Final = "MutatingWebhookConfiguration"
VALIDATING: Final = "ValidatingWebhookConfiguration"
_WORKLOADS: Final = ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet")
_SCALERS: Final = ("HorizontalPodAutoscaler", "ScaledObject")
_KINDS: Final = (MUTATING, VALIDATING, "Service", "Namespace", *_WORKLOADS, *_SCALERS)
_CURRENT_VERSION: Final = "admissionregistration.k8s.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSet:
    """The webhooks of some manifests in the order an API server would call them.

    `origins` are the manifests they stand in, by position. `validating` counts configurations that
    are not looked at, `outdated` those of an API version no supported API server takes, `documents`
    all objects.
    """

    webhooks: tuple[Webhook, ...]
    origins: tuple[Manifest, ...] = field(repr=False)
    around: Surroundings = field(repr=False)
    configurations: int = 0
    validating: int = 0
    outdated: int = 0
    documents: int = 0

    def locate(self, webhook: Webhook, path: Sequence[Step]) -> Place:
        """Where a member is written; where it is not, what it would be in.

        For a member of the webhook itself that is the webhook's name.
        """
        manifest = self.origins[webhook.position]
        entry = ("webhooks", webhook.index)
        own = tuple(path[: len(entry)]) == entry
        for end in range(len(path), len(entry) if own else 0, -1):
            if (line := manifest.line_of(*path[:end])) is not None:
                return Place(file=manifest.file, line=line)
        line = manifest.line_of(*entry, "name") or manifest.line_of(*entry)
        return Place(file=manifest.file, line=line if own and line else manifest.line)

    def find_chart_file(self, place: Place) -> str | None:
        """The template Helm rendered a place from, where Helm says so."""
        above = [m for m in self.origins if m.file == place.file and m.line <= place.line]
        return max(above, key=lambda manifest: manifest.line).chart_file if above else None


def load_manifest_set(sources: Iterable[str], *, now: datetime) -> ManifestSet:
    """Read files, folders and standard input (`-`).

    Raises InputError, naming file and line, for what cannot be read.
    """
    count = ManifestCount()
    by_kind: dict[str, list[Manifest]] = {kind: [] for kind in _KINDS}
    for manifest in iterate_manifests(sources, _KINDS, count=count):
        by_kind[str(manifest.value["kind"])].append(manifest)
    mutating = sorted(by_kind[MUTATING], key=lambda each: _name(each.value).encode())
    webhooks: list[Webhook] = []
    origins: list[Manifest] = []
    for manifest in mutating:
        for webhook in list_webhooks([manifest.value]):
            webhooks.append(replace(webhook, position=len(webhooks)))
            origins.append(manifest)
    return ManifestSet(
        webhooks=tuple(webhooks),
        origins=tuple(origins),
        around=_survey(webhooks, by_kind, now),
        configurations=len(mutating),
        validating=len(by_kind[VALIDATING]),
        outdated=sum(each.value.get("apiVersion") != _CURRENT_VERSION for each in mutating),
        documents=count.documents,
    )


def _survey(
    webhooks: Iterable[Webhook], by_kind: dict[str, list[Manifest]], now: datetime
) -> Surroundings:
    objects = {kind: [each.value for each in found] for kind, found in by_kind.items()}
    namespaces: dict[str, Labels] = {
        _name(each): {**object_labels(each), NAME_LABEL: _name(each)}
        for each in objects["Namespace"]
    }
    backends: dict[tuple[str, str], Backend] = {}
    for webhook in webhooks:
        service = webhook.service
        if service is None:
            continue
        # Charts leave the namespace out: `kubectl apply -n` and Helm fill it in.
        found = next(
            (
                each
                for each in objects["Service"]
                if _name(each) == service.name and _namespace(each) in {"", service.namespace}
            ),
            None,
        )
        if found is not None:
            backends[service.namespace, service.name] = _backend(found, objects)
    return Surroundings(view=View.MANIFESTS, now=now, namespaces=namespaces, backends=backends)


def _backend(service: JsonObject, objects: dict[str, list[JsonObject]]) -> Backend:
    spec = object_at(service, "spec")
    ports = [port.get("port") for port in objects_at(spec, "ports")]
    selector = object_at(spec, "selector")
    workloads = [
        each
        for kind in _WORKLOADS
        for each in objects[kind]
        if selector and _selects(selector, _template_labels(each)) and _beside(each, service)
    ]
    scaled = {_scaled(each) for kind in _SCALERS for each in objects[kind]}
    labels = _template_labels(workloads[0]) if workloads else object_labels_of(selector)
    return Backend(
        exists=True,
        ports=tuple(port for port in ports if isinstance(port, int)),
        replicas=_replicas(workloads, scaled),
        pod_labels=labels or None,
    )


def object_labels_of(selector: JsonObject) -> Labels:
    """A Service's selector as labels: whatever it selects carries them."""
    return {key: value for key, value in selector.items() if isinstance(value, str)}


def _replicas(workloads: Sequence[JsonObject], scaled: set[tuple[str, str]]) -> int | None:
    """None where a node or an autoscaler decides."""
    total = 0
    for workload in workloads:
        kind = str(workload.get("kind"))
        if kind == "DaemonSet" or (kind, _name(workload)) in scaled:
            return None
        replicas = object_at(workload, "spec").get("replicas")
        total += replicas if isinstance(replicas, int) else 1
    return total if workloads else None


def _scaled(scaler: JsonObject) -> tuple[str, str]:
    target = object_at(scaler, "spec", "scaleTargetRef")
    return str(target.get("kind") or "Deployment"), str(target.get("name"))


def _selects(selector: JsonObject, labels: Labels) -> bool:
    try:
        return bool(match_selector({"matchLabels": selector}, labels))
    except SelectorError:
        return False


def _beside(workload: JsonObject, service: JsonObject) -> bool:
    return "" in {_namespace(workload), _namespace(service)} or (
        _namespace(workload) == _namespace(service)
    )


def _template_labels(workload: JsonObject) -> Labels:
    return object_labels(object_at(workload, "spec", "template"))


def _name(manifest: JsonObject) -> str:
    return str(object_at(manifest, "metadata").get("name", ""))


def _namespace(manifest: JsonObject) -> str:
    return str(object_at(manifest, "metadata").get("namespace") or "")
