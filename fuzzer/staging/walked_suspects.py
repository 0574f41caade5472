"""Which webhook took fields from a pod, found out by calling them in the order of the chain?

What the doctor asks when its probe pod, or a pod that hangs, has lost a field. Where no walk shows
it, every webhook that matches is a suspect, as without one.
"""

from collections.abc import Sequence

from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.pods import ABSENT, value_at
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.fuzzer.chains.hops import Hop, Walk
from webhook_fuzz.fuzzer.chains.walking import WalkOptions, walk_chain
from webhook_fuzz.fuzzer.cluster.surveying import list_configurations
from webhook_fuzz.fuzzer.examining.suspecting import MatchingWebhooks, Suspects
from webhook_fuzz.fuzzer.staging.api_server_facts import read_version
from webhook_fuzz.fuzzer.transports.choosing import choose_reaches
from webhook_fuzz.fuzzer.transports.reaching import Reach, Reaches


class WalkedWebhooks:
    """Suspects the webhook that takes a field when it is called by itself.

    Configurations and the ways to the webhooks are read once, when they are first needed.
    """

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._matching = MatchingWebhooks(api)
        self._reaches: Sequence[Reach] | None = None

    async def suspects(self, pod: JsonObject, lost: tuple[str, ...], *, namespace: str) -> Suspects:
        """The takers of the keyed paths `lost`, or every webhook that matches."""
        try:
            walk = await self._walk(pod, namespace)
        except (ClusterError, InputError):
            walk = None
        takers = _takers(walk, lost) if walk else {}
        if not lost or set(takers) != set(lost):
            return await self._matching.suspects(pod, lost, namespace=namespace)
        names = tuple(dict.fromkeys(hop.webhook.identity for hop in takers.values()))
        return Suspects(
            webhooks=names,
            how=f"Called in the order of the chain, {', '.join(names)} took it.",
            complete=True,
        )

    async def _walk(self, pod: JsonObject, namespace: str) -> Walk:
        _, minor = await read_version(self._api)
        if self._reaches is None:
            webhooks = list_webhooks(await list_configurations(self._api))
            self._reaches = await choose_reaches(webhooks, self._api)
        found = await get_object(self._api, f"/api/v1/namespaces/{namespace}")
        attributes = pod_attributes(pod, namespace=namespace, namespace_labels=object_labels(found))
        chain: list[Webhook] = [reach.webhook for reach in self._reaches]
        async with Reaches(self._reaches) as caller:
            options = WalkOptions(api_server=minor)
            return await walk_chain(pod, chain, attributes, caller, options=options)


def _takers(walk: Walk, lost: Sequence[str]) -> dict[str, Hop]:
    """The hop after which each path is gone, for those that were there before it."""
    takers: dict[str, Hop] = {}
    for hop in walk.hops:
        for path in lost:
            if _has(hop.before, path) and not _has(hop.after, path):
                takers[path] = hop
    return takers


def _has(pod: JsonObject, path: str) -> bool:
    return value_at(pod, path) not in (ABSENT, None)
