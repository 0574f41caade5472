"""Which webhooks may have changed a pod, when nobody has looked at them one by one?

Those that are called for it, by the API server's own rules. Naming them is not blaming them: who
it really was takes calls in the order of the chain, which whoever has them can hand in instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from webhook_fuzz.corpora.cluster_api.failures import Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object, list_objects
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.matching import Decision, match_webhook, pod_attributes

_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """Webhooks (`CONFIG/NAME`) that may have changed a pod, and one sentence on how that is known.

    `complete` says that nobody else can have been a webhook.
    """

    webhooks: tuple[str, ...]
    how: str
    complete: bool
    not_seen: tuple[Unseen, ...] = ()


class Attribution(Protocol):
    """Says who may have taken fields from a pod."""

    async def suspects(self, pod: JsonObject, lost: tuple[str, ...], *, namespace: str) -> Suspects:
        """Who may have taken the keyed paths `lost` from a pod created in `namespace`."""
        ...


class MatchingWebhooks:
    """Suspects every webhook that is called for the pod. Configurations are read once."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._webhooks: list[Webhook] | Unseen | None = None
        self._labels: dict[str, Mapping[str, str] | None] = {}

    async def suspects(self, pod: JsonObject, lost: tuple[str, ...], *, namespace: str) -> Suspects:
        """Those that match, whatever was lost."""
        webhooks = await self._read_webhooks()
        if isinstance(webhooks, Unseen):
            how = "The webhooks of the cluster were not seen."
            return Suspects(webhooks=(), how=how, complete=False, not_seen=(webhooks,))
        labels = await self._read_labels(namespace)
        attributes = pod_attributes(pod, namespace=namespace, namespace_labels=labels)
        decisions = {each.identity: match_webhook(each, attributes).decision for each in webhooks}
        called = tuple(
            identity
            for identity, decision in decisions.items()
            if decision in {Decision.MATCHES, Decision.UNDECIDED}
        )
        unsure = [each for each in called if decisions[each] is Decision.UNDECIDED]
        words = ", ".join(called) or "none"
        hedge = f" (of {', '.join(unsure)} only the server can tell)" if unsure else ""
        return Suspects(
            webhooks=called, how=f"Webhooks that match: {words}{hedge}.", complete=not unsure
        )

    async def _read_webhooks(self) -> list[Webhook] | Unseen:
        if self._webhooks is None:
            found = await attempt(
                list_objects(self._api, _CONFIGURATIONS), "mutating webhook configurations"
            )
            self._webhooks = found if isinstance(found, Unseen) else list_webhooks(found)
        return self._webhooks

    async def _read_labels(self, namespace: str) -> Mapping[str, str] | None:
        if namespace not in self._labels:
            path = f"/api/v1/namespaces/{namespace}"
            found = await attempt(get_object(self._api, path), f"namespace {namespace}")
            self._labels[namespace] = (
                None
                if isinstance(found, Unseen)
                else {
                    key: str(value) for key, value in object_at(found, "metadata", "labels").items()
                }
            )
        return self._labels[namespace]
