"""Would a webhook behind the proxy be called for the proxy's own pods?

Then it can lock itself out: without a proxy the webhook fails, without the webhook no pod is made,
without a pod there is no proxy, and no keeper to put things right. Asked by the API server's own
rules, for the very pods that are installed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes, pod_attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision, match_webhook
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.proxy.deployment.exclusions import propose_labels
from webhook_fuzz.proxy.deployment.installations import find, pod_template
from webhook_fuzz.proxy.deployment.places import name_of

_NAME_LABEL: Final = "kubernetes.io/metadata.name"
# What it takes to get a pod: the pod itself, and what makes it.
_MAKERS: Final = (("apps", "replicasets", "ReplicaSet"), ("batch", "jobs", "Job"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """`labels` of the namespace that keep webhooks away; those that cannot be kept away.

    `locking` are those with the policy Fail, `slowing` those with Ignore: without the proxy they
    cost every pod of ours their timeout, and nothing else.
    """

    labels: Mapping[str, str]
    locking: tuple[Webhook, ...] = ()
    slowing: tuple[Webhook, ...] = ()


def find_exclusion(webhooks: Iterable[Webhook], objects: Sequence[JsonObject]) -> Exclusion:
    """Labels for the namespace among the objects that are going to be installed."""
    space = find(objects, "Namespace", _namespace_of(objects))
    present = {**object_labels(space), _NAME_LABEL: name_of(space)}
    chosen: dict[str, str] = {}
    asked = list(webhooks)
    for webhook in asked:
        for labels in propose_labels(webhook.namespace_selector, present | chosen):
            if not _is_called(webhook, _requests(objects, present | chosen | labels)):
                chosen |= labels
                break
    # Once more with all of them: one webhook's way out may be what another asks for.
    called = [each for each in asked if _is_called(each, _requests(objects, present | chosen))]
    return Exclusion(
        labels=chosen,
        locking=tuple(each for each in called if each.failure_policy == "Fail"),
        slowing=tuple(each for each in called if each.failure_policy == "Ignore"),
    )


def _namespace_of(objects: Sequence[JsonObject]) -> str:
    return next(name_of(each) for each in objects if each.get("kind") == "Namespace")


def _requests(objects: Sequence[JsonObject], labels: Mapping[str, str]) -> Iterator[Attributes]:
    for each in objects:
        template = pod_template(each)
        if template is None:
            continue
        pod: JsonObject = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"labels": {**object_at(template, "metadata", "labels")}},
            "spec": object_at(template, "spec"),
        }
        attributes = pod_attributes(
            pod, namespace=labels[_NAME_LABEL], namespace_labels=labels, dry_run=False
        )
        yield attributes
        for group, resource, kind in _MAKERS:
            yield replace(attributes, group=group, resource=resource, kind=kind)


def _is_called(webhook: Webhook, requests: Iterable[Attributes]) -> bool:
    """Whether it may be: what only the server can decide counts as yes."""
    return any(match_webhook(webhook, each).decision is not Decision.SKIPPED for each in requests)
