"""What does the whole chain do to each pod, and which hop did it?

Every pod is created in a server-side dry run. Where something did not come out, the chain is walked
with the same pod, webhook by webhook, and the loss is pinned to a hop as far as that shows it. A
pod that is refused as invalid is walked too: a webhook that drops `restartPolicy` of a native
sidecar leaves a pod the API server refuses in words that name no webhook.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.seeds.loading import SeedPod
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes, pod_attributes
from webhook_fuzz.fuzzer.apiserver.denials import Denial, Refuser
from webhook_fuzz.fuzzer.chains.attributions import Attribution, Evidence, Taker, attribute
from webhook_fuzz.fuzzer.chains.hops import Walk
from webhook_fuzz.fuzzer.chains.losses import Loss, find_losses
from webhook_fuzz.fuzzer.chains.walking import WalkOptions, walk_chain
from webhook_fuzz.fuzzer.cluster.live_pods import live_pod
from webhook_fuzz.fuzzer.cluster.namespaces import WorkNamespace
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.generation.packing import subset_case
from webhook_fuzz.fuzzer.plans import Plan
from webhook_fuzz.fuzzer.staging.chain_tallies import ChainCaseJudged
from webhook_fuzz.fuzzer.transports import Caller
from webhook_fuzz.fuzzer.transports.dry_run import Created, DryRun, Refused, dry_run_pod

_AT_ONCE: Final = 8
_MOST_ATTEMPTS: Final = 4
"""Times a pod is sent with fewer probes because the API server finds a field invalid."""
_INDEX = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The cluster as the chain's pods meet it.

    `namespace` is where they are created and `labels` are its; `gates` are what the API server
    reports, `others` whatever else may change pods and cannot be looked into.
    """

    api_server: Minor
    namespace: str
    labels: Mapping[str, str] | None
    webhooks: Sequence[Webhook]
    gates: Mapping[str, bool] = field(default_factory=dict[str, bool])
    others: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ChainSweep:
    """Creates pods in dry runs and says what the chain did to them."""

    api: ClusterApi
    caller: Caller
    plan: Plan
    around: Surroundings
    _settled: dict[str, dict[str, Attribution]] = field(
        default_factory=dict[str, dict[str, Attribution]]
    )
    _walked: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set[str]))

    async def events(self, cases: Sequence[Case]) -> AsyncIterator[ChainCaseJudged]:
        """One event a case, in their order; some are under way at once.

        Raises ClusterError when the API server stops answering.
        """
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(case: Case) -> ChainCaseJudged:
            async with slots:
                return await self.judge(case)

        tasks = [asyncio.create_task(one(case)) for case in cases]
        try:
            for task in tasks:
                yield await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def judge(self, case: Case) -> ChainCaseJudged:
        """Create one pod; again without the probes the API server itself finds invalid."""
        invalid: dict[str, str] = {}
        attempts = 1
        while True:
            judged = replace(await self._judge_once(case), invalid_fields=dict(invalid))
            refused = _invalid_probes(case, judged.denial)
            if judged.attributions or not refused or attempts == _MOST_ATTEMPTS:
                return judged
            invalid |= _reasons(case, refused, judged.denial)
            case, attempts = self._without(case, refused), attempts + 1

    async def _judge_once(self, case: Case) -> ChainCaseJudged:
        dry_run = await dry_run_pod(self.api, case.pod, namespace=self.around.namespace)
        outcome = dry_run.outcome
        stored = None if isinstance(outcome, Refused) else outcome.pod
        if isinstance(outcome, Refused):
            denial = outcome.denial
            found = await self._why_invalid(case, dry_run) if _is_invalid(denial) else ()
        else:
            denial, found = None, await self._why_lost(case, dry_run, outcome.pod)
        return ChainCaseJudged(
            case=case,
            sent=dry_run.sent,
            stored=stored,
            unknown_fields=dry_run.unknown_fields,
            attributions=found,
            denial=denial,
        )

    async def judge_live(self, case: Case, namespace: WorkNamespace) -> ChainCaseJudged:
        """Create one pod for real, behind a scheduling gate, and delete it again.

        Raises ClusterError when the API server does not answer.
        """
        sent = _without_finalizers(case.pod)
        try:
            async with live_pod(self.api, sent, namespace) as stored:
                dry_run = DryRun(sent=sent, unknown_fields=(), outcome=Created(pod=stored))
                found = await self._why_lost(case, dry_run, stored)
        except ClusterError as error:
            if error.trouble not in {Trouble.REFUSED, Trouble.FORBIDDEN}:
                raise
            denial = Denial(refuser=Refuser.OTHER, said=error.message)
            return ChainCaseJudged(case=case, sent=sent, denial=denial)
        return ChainCaseJudged(case=case, sent=sent, stored=stored, attributions=found)

    async def _why_lost(
        self, case: Case, dry_run: DryRun, stored: JsonObject
    ) -> tuple[Attribution, ...]:
        """What is missing from the pod as it would be stored, and who took it.

        Who takes a field from one pod takes it from the others with the same trigger: it takes
        one walk to know.
        """
        losses = find_losses(dry_run.sent, stored, self.plan.catalogue)
        settled = self._settled.get(case.trigger.name, {})
        if all(loss.field in settled for loss in losses):
            return tuple(replace(settled[loss.field], loss=loss) for loss in losses)
        return self._settle(case, losses, self._evidence(dry_run, await self._walk(dry_run)))

    async def _why_invalid(self, case: Case, dry_run: DryRun) -> tuple[Attribution, ...]:
        """What the chain took from a pod that was refused: it may have been valid when sent."""
        settled = self._settled.get(case.trigger.name, {})
        if settled and case.fields <= self._walked[case.trigger.name]:
            return tuple(found for field, found in settled.items() if field in case.fields)
        walk = await self._walk(dry_run)
        if walk is None:
            return ()
        losses = find_losses(walk.start, walk.end, self.plan.catalogue)
        self._walked[case.trigger.name] |= case.fields
        return self._settle(case, losses, self._evidence(dry_run, walk))

    def _settle(
        self, case: Case, losses: Sequence[Loss], evidence: Evidence
    ) -> tuple[Attribution, ...]:
        """Attribute losses, and remember who took what where that is known."""
        attributed = attribute(losses, evidence)
        settled = self._settled.setdefault(case.trigger.name, {})
        for found in attributed:
            if found.hop is not None or found.taker is Taker.GATE:
                settled[found.loss.field] = found
        return attributed

    async def _walk(self, dry_run: DryRun) -> Walk | None:
        """The chain, webhook by webhook; None for a pod our own rules do not decode."""
        options = WalkOptions(api_server=self.around.api_server, catalogue=self.plan.catalogue)
        try:
            return await walk_chain(
                dry_run.sent,
                self.around.webhooks,
                self._attributes(dry_run),
                self.caller,
                options=options,
            )
        except InputError:
            return None

    def _attributes(self, dry_run: DryRun) -> Attributes:
        return pod_attributes(
            dry_run.sent,
            namespace=self.around.namespace,
            namespace_labels=self.around.labels,
        )

    def _evidence(self, dry_run: DryRun, walk: Walk | None) -> Evidence:
        return Evidence(
            webhooks=self.around.webhooks,
            attributes=self._attributes(dry_run),
            api_server=self.around.api_server,
            walk=walk,
            gates=self.around.gates,
            others=self.around.others,
            catalogue=self.plan.catalogue,
        )

    def _without(self, case: Case, probes: Collection[str]) -> Case:
        names = {placement.probe.name for placement in case.placements} - set(probes)
        rebuilt = subset_case(case, self._seed(case), names, self.plan.schema)
        return replace(rebuilt, name=case.name, namespace=case.namespace)

    def _seed(self, case: Case) -> SeedPod:
        return next(seed for seed in self.plan.seeds if seed.name == case.seed)


def _without_finalizers(pod: JsonObject) -> JsonObject:
    """The pod without what would keep it from being deleted: no live pod has any."""
    metadata = pod.get("metadata")
    if not isinstance(metadata, dict):
        return pod
    left = {name: value for name, value in metadata.items() if name != "finalizers"}
    return {**pod, "metadata": left}


def _is_invalid(denial: Denial) -> bool:
    return denial.refuser is Refuser.VALIDATION


def _invalid_probes(case: Case, denial: Denial | None) -> frozenset[str]:
    """The probes of a case with a field that the API server refuses as invalid."""
    if denial is None or not _is_invalid(denial):
        return frozenset()
    invalid = [_INDEX.sub("[]", each.field) for each in denial.fields]
    return frozenset(
        placement.probe.name
        for placement in case.placements
        if any(_is_related(path, field) for path in placement.paths for field in invalid)
    )


def _reasons(case: Case, probes: Collection[str], denial: Denial | None) -> dict[str, str]:
    said = f"The API server refuses it: {denial.said if denial else ''}"
    return {
        path: said
        for placement in case.placements
        if placement.probe.name in probes
        for path in placement.paths
    }


def _is_related(path: str, field: str) -> bool:
    """Whether one of two catalogue paths is the other, or holds it."""
    short, long = sorted((path, field), key=len)
    return long == short or (long.startswith(short) and long[len(short)] in ".[")
