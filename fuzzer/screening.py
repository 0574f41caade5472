"""Does a trigger do anything to a webhook?

A webhook that acts on every pod acts on the triggered ones too. Sweeping it again for each of a
hundred triggers would say nothing new and cost it a hundred sweeps, so the first answers with a
trigger are compared with those without: only what differs in kind is swept.
"""

import re
from collections.abc import Sequence

from webhook_fuzz.corpora.exchanges import Answered, was_reached
from webhook_fuzz.corpora.triggers.definitions import Trigger
from webhook_fuzz.fuzzer.events import CaseJudged, TriggerEffect, TriggerFinished
from webhook_fuzz.fuzzer.isolation import is_blocked

_INDEX = re.compile(r"/(\d+|-)(?=/|$)")


def trigger_finished(
    trigger: Trigger,
    planned: int,
    judged: Sequence[CaseJudged],
    effect: TriggerEffect | None = None,
) -> TriggerFinished:
    """The event that closes a trigger; its effect is read off the answers unless it is known."""
    answered = sum(isinstance(e.observation.exchange.outcome, Answered) for e in judged)
    if effect is None:
        patched = any(event.observation.operations for event in judged)
        effect = TriggerEffect.ACTS if patched else TriggerEffect.NO_PATCH
        effect = effect if answered else TriggerEffect.FAILED
    return TriggerFinished(
        trigger=trigger.name, effect=effect, planned=planned, sent=len(judged), answered=answered
    )


def effect_of(judged: Sequence[CaseJudged], untriggered: Sequence[CaseJudged]) -> TriggerEffect:
    """What a trigger does, as the first cases with and without it show."""
    if not any(was_reached(event.observation.exchange.outcome) for event in judged):
        return TriggerEffect.FAILED
    before = untriggered[: len(judged)]
    if len(before) == len(judged) and all(map(_does_the_same, judged, before)):
        patched = any(event.observation.operations for event in judged)
        return TriggerEffect.SAME if patched else TriggerEffect.NO_PATCH
    return TriggerEffect.ACTS


def _does_the_same(event: CaseJudged, before: CaseJudged) -> bool:
    return event.alike is before.observation or _shape(event) == _shape(before)


def _shape(event: CaseJudged) -> object:
    """What an answer does: its operations, where in the pod, what is found, whether it is denied.

    Indexes and numbers of operations are left out: a trigger that adds a variable to every
    container shifts them without changing what the webhook does.
    """
    operations = {
        (str(operation.get("op")), _INDEX.sub("/*", str(operation.get("path"))))
        for operation in event.observation.operations
    }
    return operations, {finding.key for finding in event.findings}, is_blocked(event.observation)
