"""Which pods hang for want of the feature, and who did that?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Unseen
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, iterate_objects
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.fuzzer.cluster.pod_owners import OwnerReader
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.examining.suspecting import Attribution
from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.fuzzer.readiness.censuses import Census
from webhook_fuzz.fuzzer.readiness.findings_of_pods import (
    judge_rejected,
    judge_stuck,
    judge_unfinished,
)
from webhook_fuzz.fuzzer.readiness.gate_answers import GateAnswer
from webhook_fuzz.fuzzer.readiness.gate_traits import SIDECARS
from webhook_fuzz.fuzzer.readiness.stuck_pods import (
    Culprit,
    Stuck,
    Surrounding,
    explain_stuck,
    find_waiting,
)
from webhook_fuzz.fuzzer.readiness.unfinished_jobs import find_unfinished


async def take_census(
    api: ClusterApi, options: ExaminationOptions
) -> tuple[Census | None, tuple[Unseen, ...]]:
    """Look at every pod once; None when they could not all be listed."""
    census = Census(now=options.now, sidecars=options.gate.name == SIDECARS)
    options.progress("looking at all pods")
    try:
        async for pod in iterate_objects(api, "/api/v1/pods"):
            census.add(pod)
    except ClusterError as error:
        return None, (Unseen(what="pods", why=error.message, trouble=error.trouble),)
    if census.left_out:
        why = f"{census.left_out} more look alike; the first ones are explained"
        return census, (Unseen(what="some pods that may hang", why=why),)
    return census, ()


@dataclass(slots=True, kw_only=True)
class PodExaminer:
    """Explains suspects. `kubelets` are the answers of the nodes, by name."""

    owners: OwnerReader
    attribution: Attribution
    options: ExaminationOptions
    api_server: GateAnswer
    kubelets: Mapping[str, GateAnswer]
    natives: frozenset[str] = field(default=frozenset())
    not_seen: list[Unseen] = field(default_factory=list[Unseen])

    async def judge(self, census: Census) -> list[ClusterFinding]:
        """WF703, WF704 and WF705 of the census."""
        found = [judge_rejected(pod) for pod in census.rejected]
        for pod in census.waiting:
            stuck = await self.explain(pod)
            if stuck is not None:
                found.append(judge_stuck(stuck, await self._suspects(pod, stuck)))
        for pod in census.unfinished:
            owners = await self._owners(pod)
            unfinished = find_unfinished(pod, owners, self.options.now)
            if unfinished is not None:
                found.append(judge_unfinished(unfinished))
        return found

    async def finding_of(self, pod: JsonObject, stuck: Stuck) -> ClusterFinding:
        """WF704 for one pod."""
        return judge_stuck(stuck, await self._suspects(pod, stuck))

    async def explain(self, pod: JsonObject) -> Stuck | None:
        """Why a pod hangs in Init; None when it does not for want of the feature."""
        waiting = find_waiting(pod, self.options.now)
        if waiting is None:
            return None
        node = text_at(object_at(pod, "spec"), "nodeName")
        around = Surrounding(
            api_server=self.api_server,
            kubelet=self.kubelets.get(node),
            owners=await self._owners(pod),
            natives=self.natives,
        )
        return explain_stuck(pod, waiting, around)

    async def _owners(self, pod: JsonObject) -> tuple[JsonObject, ...]:
        owners = await self.owners.owners_of(pod)
        self.not_seen += owners.not_seen
        return owners.workloads

    async def _suspects(self, pod: JsonObject, stuck: Stuck) -> tuple[str, ...]:
        """The webhooks that match, where one of them may have done it."""
        if stuck.culprit not in {Culprit.WEBHOOK, Culprit.UNDECIDED}:
            return ()
        path = f"spec.initContainers[name={stuck.waiting.container}].restartPolicy"
        found = await self.attribution.suspects(pod, (path,), namespace=stuck.namespace)
        self.not_seen += found.not_seen
        return found.webhooks
