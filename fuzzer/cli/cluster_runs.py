"""How does `run --context` go: look around, check readiness, lint, sweep, report?

Each part is left out with --skip, and none of them stops the others: what could not be seen is
said in the result.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, Unseen, attempt
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, get_object
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.fields.gates import load_gates
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.fuzzer.cli.campaign_progress import CampaignProgress
from webhook_fuzz.fuzzer.cli.cluster_access import Access, Bundles, access_cluster
from webhook_fuzz.fuzzer.cli.cluster_run_options import Asked, OnCluster
from webhook_fuzz.fuzzer.cli.version import tool_version
from webhook_fuzz.fuzzer.cluster.api_servers import connect_directly
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.discoveries import Discovery
from webhook_fuzz.fuzzer.cluster.discovery import discover
from webhook_fuzz.fuzzer.cluster.namespaces import NamespaceOptions, WorkNamespace, work_namespace
from webhook_fuzz.fuzzer.cluster.workload_triggers import find_workload_triggers, trigger_keys
from webhook_fuzz.fuzzer.cluster.workloads import WorkloadPods, read_workload_pods
from webhook_fuzz.fuzzer.configurations.linting import lint_webhooks, nowhere
from webhook_fuzz.fuzzer.events import CaseJudged
from webhook_fuzz.fuzzer.examining.examinations import examine_cluster
from webhook_fuzz.fuzzer.examining.options import ExaminationOptions
from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.fuzzer.plans import build_plan
from webhook_fuzz.fuzzer.readiness.gate_traits import SIDECARS
from webhook_fuzz.fuzzer.staging.api_server_facts import read_gates, read_policies, read_version
from webhook_fuzz.fuzzer.staging.campaigns import Campaign, CampaignEvent, CampaignOptions
from webhook_fuzz.fuzzer.staging.chain_tallies import ChainCaseJudged
from webhook_fuzz.fuzzer.staging.walked_suspects import WalkedWebhooks
from webhook_fuzz.fuzzer.staging.wanted_labels import join_labels
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions
from webhook_fuzz.reports.cluster_folds import ClusterFacts, add_cluster, tallies_of
from webhook_fuzz.reports.cluster_results import ReadinessResult
from webhook_fuzz.reports.folding import RunFacts, fold_run
from webhook_fuzz.reports.readiness_folds import fold_readiness
from webhook_fuzz.reports.results import RunResult

_MOST_SEEDS = 8
"""Pods of the cluster's own workloads that are tried beside the shipped ones."""


async def run_on_cluster(asked: Asked, on_cluster: OnCluster) -> RunResult:
    """Do all of it and fold what came of it.

    Raises InputError for credentials, a namespace or webhooks there are not, ClusterError when
    not even the version and the webhook configurations can be read.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    with CampaignProgress() as progress:
        bundles = Bundles(write=on_cluster.offline_bundle)
        async with access_cluster(_cluster_options(on_cluster), bundles) as access:
            progress.say(f"looking around in {access.context}")
            ran = await _run(access, asked, on_cluster, progress=progress)
            facts = replace(ran.facts, context=access.context, server=access.server)
            access.seeds = [seed.pod for seed in ran.campaign.plan.seeds]
    plan = ran.campaign.plan
    run = fold_run(
        tallies_of(ran.campaign.outcome),
        RunFacts(
            version=tool_version(),
            target=plan.target,
            started=started,
            seconds=time.monotonic() - clock,
            seed=plan.random_seed,
            complete=True,
        ),
        plan,
    )
    return add_cluster(run, ran.campaign.outcome, facts, plan.redactor)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    campaign: Campaign
    facts: ClusterFacts


async def _run(
    access: Access, asked: Asked, options: OnCluster, *, progress: CampaignProgress
) -> _Ran:
    api, keep = access.api, options.offline_bundle is not None
    version, minor = await read_version(api)
    discovery = await discover(
        api, now=datetime.now(UTC), dial="lint" in options.parts, namespace=options.namespace
    )
    _check_names(options.webhooks, discovery)
    findings, readiness, not_seen = list[ClusterFinding](), list[ReadinessResult](), list[Unseen]()
    own = WorkloadPods(seeds=()) if asked.pods else await read_workload_pods(api, most=_MOST_SEEDS)
    not_seen += own.not_seen
    plan = build_plan(
        asked.target or min(minor, load_catalogue().newest),
        triggers=_add_triggers(asked, own, discovery),
        pods=asked.pods,
        more_pods=own.seeds,
        random_seed=asked.seed,
    )
    if "doctor" in options.parts:
        progress.say("checking whether the cluster is ready")
        examined = await examine_cluster(api, _examination(api, options))
        readiness.append(fold_readiness(examined))
        findings += examined.findings
        not_seen += examined.not_seen
    if "lint" in options.parts:
        progress.say("checking the webhook configurations")
        webhooks = [found.webhook for found in discovery.webhooks]
        findings += lint_webhooks(webhooks, discovery.around, locate=nowhere)
    gates, policies = await asyncio.gather(read_gates(api), read_policies(api))
    async with _place(api, options, discovery) as place:
        campaign = Campaign(
            api=api,
            plan=plan,
            discovery=discovery,
            options=CampaignOptions(
                api_server=minor,
                namespace=place.name if place else None,
                namespace_labels=place.labels if place else None,
                only=options.webhooks,
                live=place.work if place and options.live else None,
                alone="webhooks" in options.parts,
                gates={} if isinstance(gates, Unseen) else gates,
                others=() if isinstance(policies, Unseen) else policies,
                reach=ReachOptions(allow_side_effects=options.allow_side_effects),
            ),
        )
        async for event in campaign.events():
            progress.show_campaign(event)
            if keep:
                _keep(access, event)
    facts = ClusterFacts(
        context="",
        server="",
        version=version,
        findings=findings,
        readiness=readiness,
        not_seen=not_seen,
    )
    return _Ran(campaign=campaign, facts=facts)


def _keep(access: Access, event: CampaignEvent) -> None:
    """What was sent and what came back, for an offline bundle."""
    match event:
        case CaseJudged():
            access.exchanges.append(event.observation.exchange)
        case ChainCaseJudged():
            refusal = event.denial.said if event.denial else None
            access.dry_runs.append({"sent": event.sent, "stored": event.stored, "refusal": refusal})
        case _:
            pass


def _add_triggers(asked: Asked, own: WorkloadPods, discovery: Discovery) -> tuple[Trigger, ...]:
    """The triggers asked for; where none were chosen, also what the cluster's workloads carry."""
    if asked.chosen_triggers:
        return tuple(asked.triggers)
    keys = trigger_keys(asked.triggers, [found.webhook for found in discovery.webhooks])
    seeds = (*own.seeds, *own.left_out)
    carried = find_workload_triggers(seeds, keys, discovery.namespaces or {})
    return (*asked.triggers, *carried)


def _examination(api: ClusterApi, options: OnCluster) -> ExaminationOptions:
    """Native sidecars, by default: what most clusters wait for, and most webhooks lose."""
    return ExaminationOptions(
        gate=load_gates()[SIDECARS],
        namespace=options.namespace or "default",
        direct=connect_directly(_cluster_options(options)),
        attribution=WalkedWebhooks(api),
    )


def _cluster_options(on_cluster: OnCluster) -> ClusterOptions:
    return ClusterOptions(context=on_cluster.context, kubeconfig=on_cluster.kubeconfig)


def _check_names(wanted: Sequence[str], discovery: Discovery) -> None:
    """Raises InputError for a webhook there is not."""
    webhooks = [found.webhook for found in discovery.webhooks]
    known = {webhook.identity for webhook in webhooks}
    known |= {webhook.configuration for webhook in webhooks}
    missing = [name for name in wanted if name not in known]
    if missing:
        raise InputError(
            f"there is no webhook {', '.join(missing)}",
            hint="`webhook-fuzz webhooks` lists them as CONFIG/NAME.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where pods are created in dry runs; `labels` are None where they may not be read.

    `work` is the namespace itself, where it was read: no pod is stored in any other.
    """

    name: str
    labels: Mapping[str, str] | None
    work: WorkNamespace | None = None


@asynccontextmanager
async def _place(
    api: ClusterApi, options: OnCluster, discovery: Discovery
) -> AsyncGenerator[_Place | None]:
    """The namespace given, or a temporary one; None where there are to be no dry runs.

    A run that may not make a namespace of its own takes `default`, and one that may not read its
    labels does without.
    """
    if "chain" not in options.parts:
        yield None
        return
    async with AsyncExitStack() as stack:
        wanted = NamespaceOptions(name=options.namespace, labels=_namespace_labels(discovery))
        try:
            found = await stack.enter_async_context(work_namespace(api, wanted))
            place = _Place(name=found.name, labels=found.labels, work=found)
        except ClusterError as error:
            if error.trouble is not Trouble.FORBIDDEN:
                raise
            name = options.namespace or "default"
            place = _Place(name=name, labels=await _labels(api, name))
        yield place


def _namespace_labels(discovery: Discovery) -> dict[str, str]:
    """What brings in the webhooks that are on in some namespace of the cluster, and no others."""
    return join_labels(
        found.webhook.namespace_selector
        for found in discovery.webhooks
        if found.reach.pods and found.reach.namespaces
    )


async def _labels(api: ClusterApi, name: str) -> Mapping[str, str] | None:
    found = await attempt(get_object(api, f"/api/v1/namespaces/{name}"), f"the namespace {name}")
    return None if isinstance(found, Unseen) else object_labels(found)
