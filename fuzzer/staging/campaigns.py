"""In which order is a staging cluster tried?

First every webhook alone, by the best way there is to it, with the fields the cluster has and those
it will get; then the chain as a whole, in dry runs, with the triggers that made any webhook act.
Both see things the other does not: direct calls what breaks after the next upgrade, dry runs what
happens with the API server's own credentials, order and plugins. Everything that happens is yielded
as an event; what comes of it is folded along.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Unseen
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision, Matching
from webhook_fuzz.fuzzer.cluster.discoveries import DiscoveredWebhook, Discovery
from webhook_fuzz.fuzzer.cluster.namespaces import WorkNamespace
from webhook_fuzz.fuzzer.cluster.pod_reach import match_any_pod
from webhook_fuzz.fuzzer.engine import WebhookSweep
from webhook_fuzz.fuzzer.events import Event, TriggerEffect
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.plans import Plan, replan
from webhook_fuzz.fuzzer.staging.chain_cases import pack_chain_cases
from webhook_fuzz.fuzzer.staging.chain_sweeps import ChainSweep, Surroundings
from webhook_fuzz.fuzzer.staging.chain_tallies import ChainCaseJudged, ChainTally
from webhook_fuzz.fuzzer.staging.outcomes import CampaignOutcome, Judged, WayTaken
from webhook_fuzz.fuzzer.staging.wanted_labels import select_seeds
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions, choose_reaches
from webhook_fuzz.fuzzer.transports.reaching import Reach, Reaches, Way

LIVE_PODS = 3
"""Pods that are created for real, where that was asked for: a sidecar in every position."""
_ANY_POD: JsonObject = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignOptions:
    """What is tried on a cluster.

    `namespace` is where pods are created in dry runs, None for no dry runs at all; `only` are the
    webhooks (`CONFIG/NAME`, or a configuration) to call alone, all of them when empty. Without
    `alone`, webhooks are called alone only to find out which of them took a field. `live` is where
    some pods are created for real as well, behind a scheduling gate.
    """

    api_server: Minor
    namespace: str | None
    namespace_labels: Mapping[str, str] | None = None
    only: Collection[str] = ()
    alone: bool = True
    live: WorkNamespace | None = None
    gates: Mapping[str, bool] = field(default_factory=dict[str, bool])
    others: tuple[str, ...] = ()
    reach: ReachOptions = field(default_factory=ReachOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReached:
    """A webhook's turn comes: how it is reached, and whether it is called for the pods at all."""

    judged: Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStarted:
    """The chain's turn comes; `cases` is how many pods are created."""

    cases: int
    namespace: str


CampaignEvent: TypeAlias = Event | WebhookReached | ChainStarted | ChainCaseJudged


@dataclass(kw_only=True)
class Campaign:
    """Tries one cluster; read `outcome` when the events are over."""

    api: ClusterApi
    plan: Plan
    discovery: Discovery
    options: CampaignOptions
    outcome: CampaignOutcome = field(init=False)

    def __post_init__(self) -> None:
        self.outcome = CampaignOutcome(
            catalogue=self.plan.catalogue, not_seen=list(self.discovery.not_seen)
        )

    async def events(self) -> AsyncIterator[CampaignEvent]:
        """Everything that happens, in order."""
        called = [found for found in self.discovery.webhooks if found.reach.pods]
        webhooks = [found.webhook for found in called]
        reaches = await choose_reaches(webhooks, self.api, self.options.reach)
        for found, reach in zip(called, reaches, strict=True):
            if self._is_wanted(found):
                async for event in self._webhook_events(found, reach):
                    yield event
        async for event in self._chain_events(reaches):
            yield event

    def _is_wanted(self, found: DiscoveredWebhook) -> bool:
        """Whether a webhook is to be tried alone; the others are still part of the chain."""
        only, webhook = self.options.only, found.webhook
        return not only or webhook.identity in only or webhook.configuration in only

    def _match(self, found: DiscoveredWebhook) -> Matching:
        if found.reach.namespaces == ():
            return Matching(
                decision=Decision.SKIPPED, reason="Its namespaceSelector selects no namespace."
            )
        attributes = pod_attributes(
            _ANY_POD,
            namespace=self.options.namespace or "default",
            namespace_labels=self.options.namespace_labels,
        )
        return match_any_pod(found.webhook, attributes)

    async def _webhook_events(
        self, found: DiscoveredWebhook, reach: Reach
    ) -> AsyncIterator[CampaignEvent]:
        judged = Judged(webhook=found.webhook, matching=self._match(found), way=_way_taken(reach))
        self.outcome.judged.append(judged)
        yield WebhookReached(judged=judged)
        seeds = select_seeds(found.webhook.object_selector, self.plan.seeds)
        may_be_called = found.reach.namespaces != () and seeds and self.options.alone
        if reach.open is None or not may_be_called:
            return
        async with reach.open() as transport:
            sweep = WebhookSweep(
                plan=self.plan if seeds == tuple(self.plan.seeds) else replan(self.plan, seeds),
                webhook=WebhookIdentity(
                    configuration=found.webhook.configuration,
                    name=found.webhook.name,
                    url=judged.address,
                ),
                transport=transport,
                review_version=reach.version,
            )
            judged.tally = sweep.tally
            try:
                async for event in sweep.events():
                    yield event
            except ClusterError as error:
                self._note(f"all that {found.webhook.identity} does", error)

    async def _chain_events(self, reaches: Sequence[Reach]) -> AsyncIterator[CampaignEvent]:
        namespace = self.options.namespace
        if namespace is None:
            return
        cases = pack_chain_cases(
            self.plan, self.options.api_server, acting=self._acting(), screened=self._screened()
        )
        yield ChainStarted(cases=len(cases), namespace=namespace)
        chain = ChainTally()
        self.outcome.chain, self.outcome.namespace = chain, namespace
        around = Surroundings(
            api_server=self.options.api_server,
            namespace=namespace,
            labels=self.options.namespace_labels,
            webhooks=[found.webhook for found in self.discovery.webhooks],
            gates=self.options.gates,
            others=self.options.others,
        )
        async with Reaches(reaches) as caller:
            sweep = ChainSweep(api=self.api, caller=caller, plan=self.plan, around=around)
            try:
                async for event in sweep.events(cases):
                    chain.add(event)
                    yield event
                async for event in self._live_events(sweep, cases[:LIVE_PODS]):
                    chain.add(event)
                    yield event
            except ClusterError as error:
                self._note("what the whole chain does to every pod", error)

    async def _live_events(
        self, sweep: ChainSweep, cases: Sequence[Case]
    ) -> AsyncIterator[ChainCaseJudged]:
        if self.options.live is not None:
            for case in cases:
                yield await sweep.judge_live(case, self.options.live)

    def _acting(self) -> list[Trigger]:
        """The triggers that made a webhook act."""
        names = {
            finished.trigger
            for each in self.outcome.judged
            if each.tally is not None
            for finished in each.tally.triggers
            if finished.effect is TriggerEffect.ACTS
        }
        return [trigger for trigger in self._triggers() if trigger.name in names]

    def _screened(self) -> list[Trigger]:
        """All triggers, where a webhook that takes part in the chain could not be called alone."""
        unseen = [
            each
            for each in self.outcome.judged
            if each.way.way == Way.DRY_RUN and each.matching.decision is not Decision.SKIPPED
        ]
        return self._triggers() if unseen else []

    def _triggers(self) -> list[Trigger]:
        """A namespace of another name is no part of these pods."""
        return [replace(trigger, namespace=None) for trigger in self.plan.triggers]

    def _note(self, what: str, error: ClusterError) -> None:
        self.outcome.not_seen.append(Unseen(what=what, why=error.message, trouble=error.trouble))


def _way_taken(reach: Reach) -> WayTaken:
    return WayTaken(
        way=reach.way.value,
        why=reach.why,
        alone=reach.open is not None,
        refused=tuple((each.way.value, each.reason) for each in reach.refused),
    )
