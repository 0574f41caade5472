"""Which labels and annotations of the cluster's own workloads make webhooks act?

Those whose keys belong to a webhook that is known (the shipped triggers), those an objectSelector
of a webhook of this cluster looks at, and the labels of namespaces that a namespaceSelector looks
at. A trigger made of them is named after the workload: what it does to a pod, it does in life.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.webhooks import Webhook

_MOST: Final = 40
_LONGEST_NAME: Final = 63
# Keys that nearly every workload has, whatever acts on it.
_COMMON_DOMAINS: Final = frozenset(
    {"kubernetes.io", "app.kubernetes.io", "batch.kubernetes.io", "helm.sh"}
)
_CHOOSING: Final = frozenset({"In", "Exists"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerKeys:
    """Which keys of labels and annotations are looked at.

    `domains` stand for all keys below them: `vault.hashicorp.com` for the secrets it is told, each
    of which has a key of its own. `products` names the webhook for a key or a domain.
    """

    keys: frozenset[str]
    domains: frozenset[str]
    namespace_keys: frozenset[str]
    products: Mapping[str, str]

    def product_of(self, key: str) -> str | None:
        """The webhook that a key is for, empty where it has no name; None where no one looks."""
        domain = key.rpartition("/")[0]
        if key in self.keys or domain in self.domains:
            return self.products.get(key) or self.products.get(domain) or ""
        return None


def trigger_keys(shipped: Iterable[Trigger], webhooks: Iterable[Webhook]) -> TriggerKeys:
    """The keys of the known triggers, and those the cluster's webhooks select by."""
    products: dict[str, str] = {}
    keys, domains, namespace_keys = set[str](), set[str](), set[str]()
    for trigger in shipped:
        for key in (*trigger.labels, *trigger.annotations):
            domain = key.rpartition("/")[0]
            if domain not in _COMMON_DOMAINS:
                (domains if domain else keys).add(domain or key)
                products.setdefault(domain or key, trigger.webhook)
        namespace_keys.update(trigger.namespace_labels)
    for webhook in webhooks:
        keys.update(_selected_keys(webhook.object_selector))
        namespace_keys.update(_selected_keys(webhook.namespace_selector))
    return TriggerKeys(
        keys=frozenset(keys),
        domains=frozenset(domains),
        namespace_keys=frozenset(
            key for key in namespace_keys if key.rpartition("/")[0] not in _COMMON_DOMAINS
        ),
        products=products,
    )


def find_workload_triggers(
    seeds: Sequence[SeedPod],
    keys: TriggerKeys,
    namespaces: Mapping[str, Mapping[str, str]],
    *,
    most: int = _MOST,
) -> tuple[Trigger, ...]:
    """One trigger for every different set of such labels and annotations, at most `most`.

    `namespaces` are the labels of the cluster's namespaces, by name; one whose labels no seed
    brings makes a trigger too. Names are unique; the service account is left to the seed it
    belongs to, as it does not exist where pods are tried.
    """
    found: dict[object, Trigger] = {}
    carriers = [(seed.name, seed.pod, namespaces.get(seed.namespace, {})) for seed in seeds]
    covered = {seed.namespace for seed in seeds}
    carriers += [
        (f"namespace/{name}", {}, labels)
        for name, labels in sorted(namespaces.items())
        if name not in covered
    ]
    for name, pod, labels in carriers:
        trigger = _trigger(name, pod, labels, keys)
        if trigger is not None:
            found.setdefault(_content(trigger), trigger)
    names = set[str]()
    return tuple(_named(trigger, names) for trigger in list(found.values())[:most])


def _trigger(
    carrier: str, pod: JsonObject, namespace: Mapping[str, str], keys: TriggerKeys
) -> Trigger | None:
    metadata = object_at(pod, "metadata")
    labels = dict(_looked_at(object_at(metadata, "labels"), keys))
    annotations = dict(_looked_at(object_at(metadata, "annotations"), keys))
    of_namespace = {key: namespace[key] for key in namespace if key in keys.namespace_keys}
    if not (labels or annotations or of_namespace):
        return None
    carried = sorted({*labels, *annotations, *of_namespace})
    products = {keys.product_of(key) for key in (*labels, *annotations)}
    return Trigger(
        name=carrier,
        webhook=", ".join(sorted(filter(None, products))),
        because=f"{carrier} carries {', '.join(carried)}.",
        source=f"the cluster: {carrier}",
        labels=labels,
        annotations=annotations,
        namespace_labels=of_namespace,
    )


def _looked_at(values: JsonObject, keys: TriggerKeys) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, str) and keys.product_of(key) is not None:
            yield key, value


def _content(trigger: Trigger) -> object:
    return tuple(
        frozenset(values.items())
        for values in (trigger.labels, trigger.annotations, trigger.namespace_labels)
    )


def _named(trigger: Trigger, taken: set[str]) -> Trigger:
    """`shop/deployment/cart` → `shop-deployment-cart`: a DNS label, as names of triggers are."""
    plain = re.sub(r"[^a-z0-9]+", "-", trigger.name.lower()).strip("-")
    name, number = plain[:_LONGEST_NAME].rstrip("-"), 1
    while name in taken:
        number += 1
        name = f"{plain[: _LONGEST_NAME - len(str(number)) - 1].rstrip('-')}-{number}"
    taken.add(name)
    return replace(trigger, name=name)


def _selected_keys(selector: JsonObject) -> Sequence[str]:
    """Those that a label has to have: who says NotIn means everybody else."""
    expressions = [
        text_at(each, "key")
        for each in objects_at(selector, "matchExpressions")
        if each.get("operator") in _CHOOSING
    ]
    return [*object_at(selector, "matchLabels"), *filter(None, expressions)]
