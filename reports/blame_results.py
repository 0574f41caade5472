"""What does `webhook-fuzz blame --format json` say?

A flat list of the fields that are there, each with who set it, and one of what is missing, each
with who took it. Paths are keyed, so that two results can be compared line by line.
"""

import json
from typing import TypedDict

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.fuzzer.blames.accounts import Account
from webhook_fuzz.fuzzer.blames.actors import Actor
from webhook_fuzz.fuzzer.blames.trees import Node, walk
from webhook_fuzz.reports.cluster_results import UnseenResult
from webhook_fuzz.reports.results import ToolInfo

SCHEMA_VERSION = "webhook-fuzz/blame/v1"


class ActorResult(TypedDict):
    """Somebody.

    `kind` is user, controller, default, plugin, webhook, server, node, editor or unknown. `name`
    is CONFIG/NAME of a webhook, and may be empty; `position` and `round` are a webhook's place in
    the chain and its turn, both from 0. `known_by` is one sentence.
    """

    kind: str
    name: str
    position: int | None
    round: int
    known_by: str


class EarlierResult(TypedDict):
    """What was there before: who set it, and who took it away if it was gone in between."""

    value: JsonValue
    set_by: ActorResult
    taken_by: ActorResult | None


class FieldResult(TypedDict):
    """A value that is there."""

    path: str
    value: JsonValue
    set_by: ActorResult
    earlier: list[EarlierResult]


class GoneResult(TypedDict):
    """A value that was there and is not: who had set it, who took it."""

    path: str
    value: JsonValue
    set_by: ActorResult
    taken_by: ActorResult


class CallResult(TypedDict):
    """One webhook's turn; `outcome` is patched, unchanged, skipped, failed-open, denied, …."""

    position: int
    round: int
    webhook: str
    outcome: str
    reason: str


class BlameResult(TypedDict):
    """`complete` is False where somebody is unknown because something was not seen."""

    schema: str
    tool: ToolInfo
    pod: str
    source: str
    complete: bool
    calls: list[CallResult]
    fields: list[FieldResult]
    gone: list[GoneResult]
    not_seen: list[UnseenResult]
    notes: list[str]


def fold_account(account: Account, *, version: str) -> BlameResult:
    """The account as the document; `version` is that of this program."""
    fields: list[FieldResult] = []
    gone: list[GoneResult] = []
    for path, node in _outermost(account.tree):
        if node.remover is not None:
            gone.append(
                {
                    "path": path,
                    "value": node.value,
                    "set_by": _fold_actor(node.setter),
                    "taken_by": _fold_actor(node.remover),
                }
            )
        else:
            fields.append(_fold_field(path, node))
    return {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "webhook-fuzz", "version": version},
        "pod": account.pod,
        "source": account.source,
        "complete": account.complete,
        "calls": [
            {
                "position": call.position,
                "round": call.round,
                "webhook": call.webhook,
                "outcome": call.outcome,
                "reason": call.reason,
            }
            for call in account.calls
        ],
        "fields": fields,
        "gone": gone,
        "not_seen": [{"what": what, "why": why} for what, why in account.not_seen],
        "notes": [*account.notes],
    }


def _outermost(tree: Node) -> list[tuple[str, Node]]:
    """Values that are there, and the topmost of what is gone."""
    found: list[tuple[str, Node]] = []
    below: tuple[str, ...] = ()
    for path, node in walk(tree):
        if any(path.startswith(each) for each in below):
            continue
        if node.remover is not None:
            below = (f"{path}.", f"{path}[", f"{path}{{")
            found.append((path, node))
        elif not node.children:
            found.append((path, node))
    return found


def _fold_field(path: str, node: Node) -> FieldResult:
    return {
        "path": path,
        "value": node.value,
        "set_by": _fold_actor(node.setter),
        "earlier": [
            {
                "value": past.value,
                "set_by": _fold_actor(past.setter),
                "taken_by": _fold_actor(past.remover) if past.remover else None,
            }
            for past in node.earlier
        ],
    }


def _fold_actor(actor: Actor) -> ActorResult:
    return {
        "kind": actor.kind.value,
        "name": actor.name,
        "position": actor.position,
        "round": actor.round,
        "known_by": actor.known_by,
    }


def render_blame_json(result: BlameResult) -> str:
    """The document as text, valid UTF-8 whatever a pod holds."""
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"
