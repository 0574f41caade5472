"""What is told about one pod: who set what, who was called, and how sure all that is?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.pods import Step, parse_path, render_path
from webhook_fuzz.fuzzer.blames.trees import Node
from webhook_fuzz.fuzzer.chains.audit_trails import AuditedCall
from webhook_fuzz.fuzzer.chains.hops import HopOutcome, Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One webhook's turn. `outcome` is a HopOutcome's word, `position` counts from 0."""

    position: int
    round: int
    webhook: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The tree of a pod and what there is to say about it.

    `pod` is NAMESPACE/NAME, `source` a phrase: `a dry run in the context staging`. `notes` are
    sentences; `not_seen` are (what, why). It is `complete` when nobody in it is unknown for want
    of something that was not seen.
    """

    pod: str
    source: str
    tree: Node = field(repr=False)
    calls: tuple[Call, ...] = ()
    notes: tuple[str, ...] = ()
    not_seen: tuple[tuple[str, str], ...] = ()
    complete: bool = True


def calls_of_walk(walk: Walk) -> tuple[Call, ...]:
    """The turns of a walk, those skipped included."""
    return tuple(
        Call(
            position=hop.webhook.position,
            round=hop.round,
            webhook=hop.webhook.identity,
            outcome=hop.outcome.value,
            reason=hop.reason,
        )
        for hop in walk.hops
    )


def calls_of_audit(calls: Sequence[AuditedCall]) -> tuple[Call, ...]:
    """The turns an audit event tells of: only webhooks that were called."""
    return tuple(
        Call(
            position=call.index,
            round=call.round,
            webhook=call.identity,
            outcome=_outcome(call).value,
            reason="It is in the audit log.",
        )
        for call in calls
    )


def _outcome(call: AuditedCall) -> HopOutcome:
    if call.failed_open:
        return HopOutcome.FAILED_OPEN
    return HopOutcome.PATCHED if call.mutated else HopOutcome.UNCHANGED


def focus(account: Account, path: str) -> Account:
    """The account of what is at and below a keyed path only.

    Raises InputError where there is nothing, and never was.
    """
    steps = parse_path(path)
    pruned = _pruned(account.tree, steps)
    if pruned is None:
        raise InputError(
            f"the pod {account.pod} has no {render_path(steps)}, and never had",
            hint="Give a keyed path as it is listed by --format json, such as spec.containers"
            "[name=app].image.",
        )
    return replace(account, tree=pruned)


def _pruned(node: Node, steps: Sequence[Step]) -> Node | None:
    if not steps:
        return node
    for child in node.children:
        if child.step.name == steps[0].name:
            below = _pruned(child, steps[1:])
            return replace(node, children=(below,)) if below is not None else None
    return None


def leaves(node: Node) -> Iterator[Node]:
    """The values that are there at and below a node."""
    if node.remover is not None:
        return
    if not node.children:
        yield node
    for child in node.children:
        yield from leaves(child)
