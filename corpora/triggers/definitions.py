"""What is a trigger?

A pod's own part (labels, annotations, service account, namespace, image, pieces of its spec) and
the labels its namespace must carry. A frozen value: applying one to a pod is `applying.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook_fuzz.corpora.json_values import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What to add to a pod so that one code path of a webhook runs.

    `webhook` is the product, `because` the code path it takes, `source` where the facts come from;
    the first two are empty for a user's trigger, whose `source` is the file it was read from.
    `namespace_labels` belong to the namespace, not to the pod: whoever sends the pod makes sure
    that a namespaceSelector sees them. `image` goes into every container and init container.
    `spec` is merged into the pod's spec by the rules of `applying.py`.
    """

    name: str
    webhook: str = ""
    because: str = ""
    source: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    service_account_name: str | None = None
    namespace: str | None = None
    namespace_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    image: str | None = None
    spec: JsonObject = field(default_factory=JsonObject)


NO_TRIGGER = Trigger(name="none")
"""Adds nothing: the pod as it is, for webhooks that act on every pod."""
