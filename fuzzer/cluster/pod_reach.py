"""Which pods of a cluster does a webhook see at all?

Its rules say whether it sees the creation of pods, and of the workloads that make them; its
namespaceSelector in which namespaces. What a pod itself must look like (objectSelector,
matchConditions) is another question, asked for one pod at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes, pod_attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision, Matching, match_webhook
from webhook_fuzz.fuzzer.apiserver.rules import first_rule
from webhook_fuzz.fuzzer.apiserver.selectors import SelectorError, is_empty, parse_selector

WORKLOADS: Final = (
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("apps", "replicasets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
    ("", "replicationcontrollers"),
)
_ANY_POD: Final[JsonObject] = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodReach:
    """Whether its rules are for new pods and for which workloads; the namespaces it is on in.

    `namespaces` is None where they are not known. `narrowed_by` names what else a pod has to pass.
    """

    pods: bool
    workloads: tuple[str, ...] = ()
    namespaces: tuple[str, ...] | None = None
    narrowed_by: tuple[str, ...] = ()


def find_pod_reach(
    webhook: Webhook, namespaces: Mapping[str, Mapping[str, str]] | None
) -> PodReach:
    """The reach of a webhook; `namespaces` are labels by name, None where they are not known."""
    pod = pod_attributes(_ANY_POD, namespace="default")
    return PodReach(
        pods=first_rule(webhook.rules, pod) is not None,
        workloads=tuple(
            resource
            for group, resource in WORKLOADS
            if first_rule(webhook.rules, replace(pod, group=group, resource=resource)) is not None
        ),
        namespaces=None if namespaces is None else _select(webhook, namespaces),
        narrowed_by=_narrowed_by(webhook),
    )


def match_any_pod(webhook: Webhook, attributes: Attributes) -> Matching:
    """Whether a webhook is called for pods of a namespace, whatever they look like.

    UNDECIDED where it is on in the namespace, but looks at the pod as well.
    """
    entry = {
        key: value
        for key, value in webhook.entry.items()
        if key not in {"objectSelector", "matchConditions"}
    }
    matching = match_webhook(replace(webhook, entry=entry), attributes)
    narrowed = _narrowed_by(webhook)
    if matching.decision is not Decision.MATCHES or not narrowed:
        return matching
    return Matching(
        decision=Decision.UNDECIDED, reason=f"It depends on the pod: {' and '.join(narrowed)}."
    )


def _select(
    webhook: Webhook, namespaces: Mapping[str, Mapping[str, str]]
) -> tuple[str, ...] | None:
    try:
        selector = parse_selector(webhook.namespace_selector)
    except SelectorError:
        return None
    return tuple(name for name, labels in namespaces.items() if selector.selects(labels))


def _narrowed_by(webhook: Webhook) -> tuple[str, ...]:
    selector = () if is_empty(webhook.object_selector) else ("objectSelector",)
    return (*selector, *(("matchConditions",) if webhook.match_conditions else ()))
