"""Does a webhook reach for more than it should: the system's namespaces, everything, mirror pods?

WF602, WF603, WF610 and WF611. A webhook that is down while it guards what it needs itself, or what
the cluster needs to heal, turns a small outage into one that nobody can end by waiting.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from webhook_fuzz.corpora.cluster_api.failures import Unseen
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.manifest_lines import Step
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.selectors import is_empty
from webhook_fuzz.fuzzer.cluster.surroundings import Surroundings, View
from webhook_fuzz.fuzzer.configurations.coverage import (
    covers_built_in,
    list_wildcard_rules,
    strings,
)
from webhook_fuzz.fuzzer.configurations.registry import Flaw, Subject, rule
from webhook_fuzz.fuzzer.configurations.requests import (
    NAME_LABEL,
    POD,
    USEFUL,
    VITAL,
    Kind,
    Namespace,
    Reach,
    find_reach,
    find_reach_of_mirror_pods,
)
from webhook_fuzz.fuzzer.findings import Severity

SYSTEM_NAMESPACE: Final = "kube-system"
_NEGATIONS: Final = {"NotIn", "DoesNotExist"}
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    """What in a namespace a Fail webhook is asked about."""

    namespace: str
    kinds: Sequence[Kind]
    reach: Reach
    severity: Severity


@rule("WF602")
def find_deadlocks(subject: Subject) -> Iterator[Flaw]:
    """Fail, on what the cluster or the webhook itself needs to come back."""
    webhook = subject.webhook
    if webhook.failure_policy != "Fail":
        return
    hits = [hit for hit in (_hit_system(subject), _hit_itself(subject)) if hit]
    if not hits:
        return
    sure = [hit for hit in hits if hit.reach is Reach.SURELY]
    told = sure or hits
    member, evidence = _blame(webhook)
    yield Flaw(
        severity=min((hit.severity for hit in told), key=lambda severity: severity.rank),
        member=member,
        explanation=_tell(told, webhook),
        evidence=evidence,
    )


def _hit_system(subject: Subject) -> _Hit | None:
    namespace = _namespace(subject.around, SYSTEM_NAMESPACE)
    for kinds, severity in ((VITAL, Severity.ERROR), (USEFUL, Severity.WARNING)):
        reached = {kind: find_reach(subject.webhook, namespace, kind) for kind in kinds}
        hit = _worst(namespace.name, reached, severity)
        if hit:
            return hit
    return None


def _hit_itself(subject: Subject) -> _Hit | None:
    """Only pods count: what a Deployment needs to bring back a webhook is one more of them."""
    service = subject.webhook.service
    if service is None or service.namespace == SYSTEM_NAMESPACE:
        return None
    backend = subject.around.backends.get((service.namespace, service.name))
    known = None if backend is None or isinstance(backend, Unseen) else backend.pod_labels
    if known is None and not is_empty(subject.webhook.object_selector):
        return None
    namespace = _namespace(subject.around, service.namespace)
    reach = find_reach(subject.webhook, namespace, POD, labels=known)
    hit = _worst(namespace.name, {POD: reach}, Severity.ERROR)
    # Whoever excludes by a label will have put it on the namespace he ships.
    return hit if hit and hit.reach is Reach.SURELY else None


def _worst(namespace: str, reached: dict[Kind, Reach], severity: Severity) -> _Hit | None:
    for reach in (Reach.SURELY, Reach.UNLESS_LABELLED):
        kinds = [kind for kind, found in reached.items() if found is reach]
        if kinds:
            milder = severity if reach is Reach.SURELY else Severity.WARNING
            return _Hit(namespace=namespace, kinds=kinds, reach=reach, severity=milder)
    return None


def _namespace(around: Surroundings, name: str) -> Namespace:
    return Namespace(name=name, labels=around.namespaces.get(name))


def _tell(hits: Sequence[_Hit], webhook: Webhook) -> str:
    return f"failurePolicy is Fail: {'; '.join(_part(hit, webhook) for hit in hits)}."


def _part(hit: _Hit, webhook: Webhook) -> str:
    names = [kind.resource for kind in hit.kinds[:_MOST_NAMED]]
    more = len(hit.kinds) - len(names)
    what = ", ".join(names) + (f" and {more} more kinds" if more else "")
    if hit.reach is Reach.UNLESS_LABELLED:
        labels = ", ".join(_excluding_labels(webhook)) or "a label"
        return (
            f"{hit.namespace} is left out only if it carries {labels}, which Kubernetes does not "
            f"set; otherwise no {what} can be written there while the webhook is down"
        )
    if hit.namespace == SYSTEM_NAMESPACE:
        return f"while the webhook is down, no {what} can be written in {hit.namespace}"
    return (
        f"its own pods in {hit.namespace} are not left out, so that once it is down nothing can "
        "bring it back"
    )


def _blame(webhook: Webhook) -> tuple[tuple[Step, ...], str]:
    """The member to change, and how it is known that it does not leave the namespace out."""
    if is_empty(webhook.namespace_selector):
        member = "failurePolicy" if "failurePolicy" in webhook.entry else "namespaceSelector"
        return (member,), "There is no namespaceSelector."
    return ("namespaceSelector",), "The selectors, rules and conditions let the request through."


def _excluding_labels(webhook: Webhook) -> list[str]:
    """The labels, other than the name, that keep namespaces out when they are there."""
    expressions = webhook.namespace_selector.get("matchExpressions")
    return [
        str(each.get("key"))
        for each in (expressions if isinstance(expressions, list) else [])
        if isinstance(each, dict)
        and each.get("operator") in _NEGATIONS
        and each.get("key") != NAME_LABEL
    ]


@rule("WF603")
def find_wide_nets(subject: Subject) -> Iterator[Flaw]:
    """Everything, or on Fail everything of a kind: each write pays for it and hangs on it."""
    webhook = subject.webhook
    if _opts_in(webhook.namespace_selector) or _opts_in(webhook.object_selector):
        return
    wildcard = next(list_wildcard_rules(webhook), None)
    if wildcard is not None:
        yield Flaw(
            member=("rules", wildcard, "resources"),
            explanation=f"rules[{wildcard}] is for all resources of "
            f"{_groups(webhook.rules[wildcard])}: it is called for every write of every "
            "controller, whatever it is there for.",
        )
    elif webhook.failure_policy == "Fail" and _has_no_filter(webhook):
        built_in = next((i for i, each in enumerate(webhook.rules) if covers_built_in(each)), None)
        if built_in is not None:
            yield Flaw(
                member=("rules", built_in),
                explanation="failurePolicy is Fail and there is no namespaceSelector, "
                f"objectSelector or matchCondition: {_each_request(webhook.rules[built_in])} in "
                "the cluster depends on this webhook.",
            )


def _each_request(rule_: JsonObject) -> str:
    operations = strings(rule_, "operations")
    what = "request" if "*" in operations else " or ".join(operations)
    return f"each {what} of {', '.join(strings(rule_, 'resources'))}"


def _groups(rule_: JsonObject) -> str:
    names = [name or "the core group" for name in strings(rule_, "apiGroups")]
    return "all groups" if "*" in names else ", ".join(names)


def _has_no_filter(webhook: Webhook) -> bool:
    return (
        is_empty(webhook.namespace_selector)
        and is_empty(webhook.object_selector)
        and not webhook.match_conditions
    )


def _opts_in(selector: JsonObject) -> bool:
    """Whether a label must be there: then it is called where somebody asked for it."""
    expressions = selector.get("matchExpressions")
    return bool(selector.get("matchLabels")) or any(
        isinstance(each, dict) and each.get("operator") in {"In", "Exists"}
        for each in (expressions if isinstance(expressions, list) else [])
    )


@rule("WF610")
def find_misplaced_rules(subject: Subject) -> Iterator[Flaw]:
    """Status belongs to controllers; DELETE and CONNECT carry nothing that can be changed."""
    for index, each in enumerate(subject.webhook.rules):
        status = [name for name in strings(each, "resources") if _covers_status(name)]
        if status and {"*", "UPDATE"} & set(strings(each, "operations")):
            yield Flaw(
                member=("rules", index, "resources"),
                explanation=f"rules[{index}] is for {', '.join(status)}: what controllers report "
                "in the status passes through it, where nothing is to be changed.",
            )
        operations = set(strings(each, "operations"))
        late = ["DELETE", "CONNECT"] if "*" in operations else []
        late += [name for name in ("DELETE", "CONNECT") if name in operations]
        if late:
            yield Flaw(
                member=("rules", index, "operations"),
                explanation=f"rules[{index}] is for {' and '.join(dict.fromkeys(late))}: there is "
                "no object to change, and a patch makes the request fail.",
            )


def _covers_status(resource: str) -> bool:
    return resource.partition("/")[2] in {"status", "*"}


@rule("WF611")
def find_mirror_pods(subject: Subject) -> Iterator[Flaw]:
    """Changing a mirror pod changes what is shown of a static pod, not what runs."""
    namespace = _namespace(subject.around, SYSTEM_NAMESPACE)
    reach = find_reach_of_mirror_pods(subject.webhook, namespace)
    surely = reach is Reach.SURELY
    if surely or (reach is Reach.UNLESS_LABELLED and subject.around.view is View.MANIFESTS):
        unless = "" if surely else ", unless a label keeps it out of kube-system"
        yield Flaw(
            explanation="It is called for the mirror pods of static pods (kube-apiserver, etcd)"
            f"{unless}: what it adds is shown in the API and runs nowhere."
        )
