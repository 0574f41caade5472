"""Which resources do a webhook's rules reach for?

Told from the rules alone, whatever the selectors say. What Kubernetes itself serves is kept apart
from custom resources: a cluster lives without the latter for a while.
"""

from collections.abc import Iterator
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import Webhook

BUILT_IN_GROUPS: Final = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
"""The API groups of kube-apiserver itself (k8s.io/kubernetes pkg/controlplane/instance.go)."""

_SEVERAL_VERSIONS: Final = frozenset(
    {"autoscaling", "flowcontrol.apiserver.k8s.io", "resource.k8s.io"}
)


def may_have_versions(group: str) -> bool:
    """Whether objects of a group may come in through several versions.

    Custom resources may; of Kubernetes' own groups few do since 1.25.
    """
    return group in _SEVERAL_VERSIONS or group not in BUILT_IN_GROUPS


def strings(holder: JsonObject, key: str) -> tuple[str, ...]:
    """The strings of a list; empty where it is none."""
    given = holder.get(key)
    return tuple(each for each in given if isinstance(each, str)) if isinstance(given, list) else ()


def covers_new_pods(webhook: Webhook) -> bool:
    """Whether a rule is for the creation of pods."""
    return any(
        "*" in strings(rule, "apiGroups") or "" in strings(rule, "apiGroups")
        for rule in webhook.rules
        if {"*", "CREATE"} & set(strings(rule, "operations"))
        and {"*", "v1"} & set(strings(rule, "apiVersions"))
        and {"*", "pods", "*/*", "pods/*"} & set(strings(rule, "resources"))
        and rule.get("scope") != "Cluster"
    )


def covers_built_in(rule: JsonObject) -> bool:
    """Whether a rule is for a group that Kubernetes itself serves."""
    return any(group == "*" or group in BUILT_IN_GROUPS for group in strings(rule, "apiGroups"))


def list_wildcard_rules(webhook: Webhook) -> Iterator[int]:
    """The indexes of the rules that are for all resources of a group of Kubernetes itself."""
    for index, rule in enumerate(webhook.rules):
        resources = [text.partition("/")[0] for text in strings(rule, "resources")]
        if "*" in resources and covers_built_in(rule):
            yield index
