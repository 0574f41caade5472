"""What is known of the webhooks of a cluster, or of a set of manifests?

Facts only, whoever read them: `discovery.py` asks a cluster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from webhook_fuzz.corpora.admission import UserInfo
from webhook_fuzz.corpora.cluster_api.failures import Seen, Unseen
from webhook_fuzz.corpora.cluster_api.ownership import Ownership, read_ownership
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import UNKNOWN_USER
from webhook_fuzz.fuzzer.cluster.ca_bundles import CaBundle, read_ca_bundle
from webhook_fuzz.fuzzer.cluster.pod_reach import PodReach, find_pod_reach
from webhook_fuzz.fuzzer.cluster.surroundings import (
    Backend,
    Labels,
    ServedCertificate,
    Surroundings,
)

STATIC_SINCE: Final = Minor(1, 36)
"""From here on webhooks may be in files of the API server, which the API does not show."""
Images: TypeAlias = Mapping[tuple[str, str], Seen[tuple[str, ...]]]
"""Those of the pods behind Services, by namespace and name of the Service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredWebhook:
    """One webhook and what was found out about it.

    `backend` is None for a URL and where no cluster was asked; `images` are those of the pods
    behind the Service, empty where there is none. `served` is None where nothing was dialled or
    reached.
    """

    webhook: Webhook
    reach: PodReach
    bundle: CaBundle
    ownership: Ownership
    backend: Seen[Backend] | None = None
    images: Seen[tuple[str, ...]] = ()
    served: ServedCertificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The webhooks in the order the API server calls them, and the namespaces' labels by name.

    `namespaces` is None where not all are known; `labels` has those of the ones that are. `user` is
    who asks, as the API server sees it; `around` is what else stands around the webhooks.
    """

    webhooks: tuple[DiscoveredWebhook, ...]
    around: Surroundings
    namespaces: Mapping[str, Labels] | None = None
    labels: Mapping[str, Labels] = field(default_factory=dict[str, Labels])
    user: UserInfo = field(default_factory=lambda: UNKNOWN_USER)
    version: Minor | None = None
    not_seen: tuple[Unseen, ...] = ()

    @property
    def may_have_static_webhooks(self) -> bool:
        """Whether there may be webhooks that the API does not show (WF613)."""
        return self.version is None or self.version >= STATIC_SINCE


def describe_webhooks(webhooks: Sequence[Webhook], around: Surroundings) -> Discovery:
    """What can be told of webhooks without a cluster, from manifests."""
    found = tuple(join_webhook(webhook, around, {}, None) for webhook in webhooks)
    return Discovery(webhooks=found, around=around, labels=around.namespaces)


def join_webhook(
    webhook: Webhook,
    around: Surroundings,
    images: Images,
    namespaces: Mapping[str, Labels] | None,
) -> DiscoveredWebhook:
    """A webhook with what stands around it; `namespaces` are None where they are not known."""
    service = webhook.service
    key = (service.namespace, service.name) if service else ("", "")
    return DiscoveredWebhook(
        webhook=webhook,
        reach=find_pod_reach(webhook, namespaces),
        bundle=read_ca_bundle(webhook),
        ownership=read_ownership(webhook.metadata),
        backend=around.backends.get(key),
        images=images.get(key, ()),
        served=around.certificates.get(webhook.position),
    )
