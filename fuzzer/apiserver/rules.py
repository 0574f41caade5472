"""Is a webhook's rule for this operation on this resource?

Source: k8s.io/apiserver pkg/admission/plugin/webhook/predicates/rules/rules.go Matcher.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes, Resource

_NAMESPACES: Final = Resource("", "v1", "namespaces")
_ADMISSION_KINDS: Final = {
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
}
_VIRTUAL: Final = {
    ("authentication.k8s.io", "tokenreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
}
# Several names for one storage, which is what makes resources equivalent. The other workloads are
# served in one version only since 1.25 (policy/v1, batch/v1; apps/v1 since 1.16).
_COHABITING: Final = (
    (
        Resource("autoscaling", "v1", "horizontalpodautoscalers"),
        Resource("autoscaling", "v2", "horizontalpodautoscalers"),
    ),
    (Resource("", "v1", "events"), Resource("events.k8s.io", "v1", "events")),
)
_ONE_VERSION: Final = {
    "",
    "apps",
    "autoscaling",
    "batch",
    "events.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
}


def first_rule(
    rules: Sequence[JsonObject], attributes: Attributes, resource: Resource | None = None
) -> int | None:
    """The index of the first rule for the request, or for it read as `resource`; None without."""
    asked = resource or attributes.group_resource
    return next((i for i, rule in enumerate(rules) if _matches(rule, attributes, asked)), None)


def first_equivalent_rule(
    rules: Sequence[JsonObject], attributes: Attributes
) -> tuple[int, Resource] | None:
    """The first rule that is for an equivalent resource, and that resource: earlier rules win.

    Source: k8s.io/apiserver pkg/admission/plugin/webhook/generic/webhook.go ShouldCallHook;
    k8s.io/kubernetes pkg/kubeapiserver/default_storage_factory_builder.go (cohabiting resources).
    """
    asked = attributes.group_resource
    others = [each for group in _COHABITING if asked in group for each in group if each != asked]
    for index, rule in enumerate(rules):
        for resource in others:
            if _matches(rule, attributes, resource):
                return index, resource
    return None


def may_have_equivalent_rule(rules: Sequence[JsonObject], attributes: Attributes) -> bool:
    """Whether a rule is for another version of the resource that the API server may serve.

    Which versions it serves is known here for the built-in workloads only; a custom resource's
    are in its definition.
    """
    if attributes.group in _ONE_VERSION:
        return False
    asked = attributes.group_resource
    return any(
        _matches(rule, attributes, asked._replace(version=version))
        for rule in rules
        for version in _strings(rule.get("apiVersions"))
    )


def is_never_sent(attributes: Attributes) -> bool:
    """Whether no webhook registered with the API server is ever asked about the resource.

    Source: rules.go IsExemptAdmissionConfigurationResource; webhook.go Dispatch.
    """
    return (
        attributes.group == "admissionregistration.k8s.io"
        and attributes.resource in _ADMISSION_KINDS
    )


def is_virtual(attributes: Attributes) -> bool:
    """Whether it is a review that is answered and not stored.

    API servers call webhooks for these up to 1.36 (ExcludeAdmissionWebhookVirtualResources).
    Source: webhook.go isExcludedFromAllHooks.
    """
    return (attributes.group, attributes.resource) in _VIRTUAL


def _matches(rule: JsonObject, attributes: Attributes, resource: Resource) -> bool:
    """Source: Matcher.Matches."""
    return (
        _fits_scope(rule.get("scope"), attributes, resource)
        and _one_of(rule.get("operations"), attributes.operation)
        and _one_of(rule.get("apiGroups"), resource.group)
        and _one_of(rule.get("apiVersions"), resource.version)
        and _fits_resource(rule.get("resources"), resource.resource, attributes.subresource)
    )


def _fits_scope(scope: JsonValue, attributes: Attributes, resource: Resource) -> bool:
    """A Namespace is cluster-scoped although its request carries a namespace. Source: scope()."""
    is_cluster_scoped = resource == _NAMESPACES or not attributes.namespace
    match scope:
        case None | "*":
            return True
        case "Namespaced":
            return not is_cluster_scoped
        case "Cluster":
            return is_cluster_scoped
        case _:
            return False


def _fits_resource(resources: JsonValue, resource: str, subresource: str) -> bool:
    """`pods` is no subresource, `pods/*` is pods and all of theirs. Source: resource()."""
    for text in _strings(resources):
        wanted, _, wanted_sub = text.partition("/")
        if wanted in {"*", resource} and wanted_sub in {"*", subresource}:
            return True
    return False


def _one_of(given: JsonValue, asked: str) -> bool:
    """Source: exactOrWildcard."""
    return any(text in {"*", asked} for text in _strings(given))


def _strings(given: JsonValue) -> Iterable[str]:
    return [text for text in given if isinstance(text, str)] if isinstance(given, list) else []
