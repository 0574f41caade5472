"""Which webhooks may have taken a field that nobody was seen taking?

All that the server may have called for the pod, but for those that something clears: the audit log
says that the pod did not change, they were called alone and kept everything, or no change of the
pod on its way can make the server call them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.fields.catalogue import Catalogue, load_catalogue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook
from webhook_fuzz.fuzzer.apiserver.attributes import Attributes
from webhook_fuzz.fuzzer.apiserver.matching import Decision, match_webhook
from webhook_fuzz.fuzzer.chains.audit_trails import AuditTrail
from webhook_fuzz.fuzzer.chains.hops import Hop, HopOutcome, Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of the request in which the fields were lost.

    `webhooks` is the whole chain, `attributes` the request as it was sent, `gates` are the feature
    gates as the API server reports them. `others` names whatever else may change pods and cannot be
    looked into (a MutatingAdmissionPolicy): with it, nothing is settled by elimination.
    """

    webhooks: Sequence[Webhook]
    attributes: Attributes
    api_server: Minor
    walk: Walk | None = None
    trail: AuditTrail | None = None
    gates: Mapping[str, bool] = field(default_factory=dict[str, bool])
    others: tuple[str, ...] = ()
    catalogue: Catalogue = field(default_factory=load_catalogue)


def find_suspects(evidence: Evidence) -> tuple[str, ...]:
    """The webhooks (`CONFIG/NAME`) that nothing clears, in their order."""
    cleared = _cleared_by_audit(evidence) | _cleared_by_matching(evidence)
    cleared |= _cleared_by_walk(evidence)
    return tuple(
        webhook.identity for webhook in evidence.webhooks if webhook.position not in cleared
    )


def _cleared_by_audit(evidence: Evidence) -> set[int]:
    """Those the server did not call, or called without the pod changing."""
    if evidence.trail is None:
        return set()
    mutated = {call.index for call in evidence.trail.calls if call.mutated}
    return {webhook.position for webhook in evidence.webhooks} - mutated


def _cleared_by_matching(evidence: Evidence) -> set[int]:
    """Those no change of the pod on its way can make the server call."""
    return {
        webhook.position
        for webhook in evidence.webhooks
        if match_webhook(_whatever_the_object(webhook), evidence.attributes).decision
        is Decision.SKIPPED
    }


def _whatever_the_object(webhook: Webhook) -> Webhook:
    """The webhook without what is decided on the pod: an earlier one may have changed that."""
    decided_on_object = {"objectSelector", "matchConditions"}
    entry = {key: value for key, value in webhook.entry.items() if key not in decided_on_object}
    return replace(webhook, entry=entry)


def _cleared_by_walk(evidence: Evidence) -> set[int]:
    """Those that were called and kept everything, or would not have been called."""
    hops = evidence.walk.hops if evidence.walk else ()
    uncleared = {hop.webhook.position for hop in hops if not _is_cleared(hop)}
    return {hop.webhook.position for hop in hops} - uncleared


def _is_cleared(hop: Hop) -> bool:
    """A webhook that did nothing behind an unknown hop may do something in the real chain."""
    return hop.outcome is HopOutcome.PATCHED or (
        hop.sure and hop.outcome in {HopOutcome.UNCHANGED, HopOutcome.SKIPPED}
    )
