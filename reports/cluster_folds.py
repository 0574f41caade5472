"""How does what was found out about a cluster become the member `cluster` of `run.json`?

What only the chain shows changes verdicts too: a webhook that nobody could call alone, but that was
seen losing a field in a dry run, is incompatible; one that could not be called is not compatible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from webhook_fuzz.corpora.cluster_api.failures import Unseen, each_once
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.redaction import Redactor
from webhook_fuzz.fuzzer.apiserver.matching import Decision
from webhook_fuzz.fuzzer.findings import ClusterFinding
from webhook_fuzz.fuzzer.staging.outcomes import CampaignOutcome, Judged
from webhook_fuzz.fuzzer.tallies import Tally
from webhook_fuzz.reports.cluster_finding_folds import fold_cluster_findings
from webhook_fuzz.reports.cluster_results import (
    ChainLoss,
    ClusterResult,
    DryRunResult,
    HopResult,
    ReadinessResult,
    Way,
)
from webhook_fuzz.reports.results import LostField, RunResult, Verdict, WebhookResult
from webhook_fuzz.reports.texts import counted

_NOT_SENT = "No pod was sent to it alone."
_NONE_FITS = "Its objectSelector selects no pod that is sent, or it was left out."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What is said of a cluster beside what its campaign found. `version` is the server's own."""

    context: str
    server: str
    version: str
    findings: Sequence[ClusterFinding] = ()
    readiness: Sequence[ReadinessResult] = ()
    not_seen: Sequence[Unseen] = ()


def tallies_of(outcome: CampaignOutcome) -> list[Tally]:
    """One tally a webhook that is called for pods, in the order of the chain.

    An empty one stands for a webhook that was not called alone.
    """
    return [each.tally or Tally(webhook=_identify(each)) for each in outcome.judged]


def add_cluster(
    run: RunResult, outcome: CampaignOutcome, facts: ClusterFacts, redactor: Redactor
) -> RunResult:
    """The result of `tallies_of(outcome)` with everything that is known of the cluster."""
    by_identity = {each.webhook.identity: each for each in outcome.judged}
    gaps = outcome.chain.gaps if outcome.chain else ()
    not_seen = each_once([*facts.not_seen, *outcome.not_seen, *gaps])
    cluster: ClusterResult = {
        "context": facts.context,
        "server": facts.server,
        "version": facts.version,
        "chain": [_fold_hop(each) for each in outcome.judged],
        "dry_run": _fold_dry_run(outcome),
        "readiness": list(facts.readiness),
        "findings": fold_cluster_findings(
            [*facts.findings, *(outcome.chain.findings if outcome.chain else ())]
        ),
        "not_seen": [{"what": each.what, "why": each.why} for each in not_seen],
    }
    return {
        **run,
        "complete": run["complete"] and not not_seen,
        "webhooks": [_judge(webhook, by_identity, outcome) for webhook in run["webhooks"]],
        "cluster": redact_cluster(cluster, redactor),
    }


def redact_cluster(cluster: ClusterResult, redactor: Redactor) -> ClusterResult:
    """Messages of the API server quote pods: what was secret in those is replaced here too."""
    return cast("ClusterResult", redactor.redact(cast("JsonValue", cluster)))


def _fold_hop(judged: Judged) -> HopResult:
    webhook = judged.webhook
    return {
        "position": webhook.position,
        "configuration": webhook.configuration,
        "name": webhook.name,
        "matched": judged.matching.decision.value,
        "matching": judged.matching.reason,
        "failure_policy": webhook.failure_policy,
        "timeout_seconds": webhook.timeout_seconds,
        "reinvocation_policy": webhook.reinvocation_policy,
        "way": cast("Way", judged.way.way),
        "reason": judged.way.why,
        "refused": [{"way": cast("Way", way), "reason": why} for way, why in judged.way.refused],
    }


def _fold_dry_run(outcome: CampaignOutcome) -> DryRunResult | None:
    chain, namespace = outcome.chain, outcome.namespace
    if chain is None or namespace is None:
        return None
    return {
        "namespace": namespace,
        "sent": chain.sent,
        "accepted": chain.accepted,
        "refused": [
            {"by": by, "message": message, "count": count}
            for (by, message), count in chain.refused.most_common()
        ],
        "lost": [
            ChainLoss(
                path=found.loss.path,
                field=found.loss.field,
                since=str(found.loss.since) if found.loss.since else None,
                hop=found.hop,
                known_by=found.sentence,
            )
            for found in chain.attributions
        ],
        "not_admitted_fields": dict(chain.not_admitted),
    }


def _judge(
    webhook: WebhookResult, by_identity: dict[str, Judged], outcome: CampaignOutcome
) -> WebhookResult:
    """The webhook's entry with what the chain and the ways to it say."""
    identity = f"{webhook['configuration']}/{webhook['name']}"
    judged = by_identity.get(identity)
    if judged is None:
        return webhook
    chain, catalogue = outcome.chain, outcome.catalogue
    lost = catalogue.topmost(catalogue.known(chain.lost_by(identity) if chain else frozenset()))
    unlisted = [path for path in lost if path not in webhook["lost_fields"]]
    if lost and webhook["verdict"] != "incompatible":
        return _incompatible(webhook, unlisted, catalogue)
    if judged.tally is None and not lost:
        verdict, sentence = _why_not_called(judged)
        return {**webhook, "verdict": verdict, "sentence": sentence}
    return webhook


def _incompatible(
    webhook: WebhookResult, lost: Sequence[str], catalogue: Catalogue
) -> WebhookResult:
    shown = ", ".join(path.removeprefix("spec.") for path in lost[:3])
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""  # noqa: PLR2004 - as shown
    fields: dict[str, LostField] = {
        path: {"path": path, "since": str(field.since), "gate": field.gate, "stage": None}
        for path in lost
        if (field := catalogue.get(path)) is not None
    }
    return {
        **webhook,
        "verdict": "incompatible",
        "sentence": f"In the chain it loses {counted(len(lost), 'field')}: {shown}{more}.",
        "exercised": True,
        "lost_fields": [*webhook["lost_fields"], *lost],
        "fields": {**webhook["fields"], **fields},
    }


def _why_not_called(judged: Judged) -> tuple[Verdict, str]:
    """The verdict on a webhook that was not called alone, and why it was not."""
    way, matching = judged.way, judged.matching
    if matching.decision is Decision.SKIPPED:
        return "not-exercised", f"{_NOT_SENT} {matching.reason}"
    if way.alone:
        return (
            "not-exercised",
            f"{_NOT_SENT} {_NONE_FITS}",
        )
    if way.way == "none" or not way.refused:
        return "not-exercised", f"{_NOT_SENT} {way.why}"
    reasons = " ".join(dict.fromkeys(reason for _, reason in way.refused))
    return "unreachable", f"It could not be called alone. {reasons}"


def _identify(judged: Judged) -> WebhookIdentity:
    webhook = judged.webhook
    return WebhookIdentity(
        configuration=webhook.configuration, name=webhook.name, url=judged.address
    )
