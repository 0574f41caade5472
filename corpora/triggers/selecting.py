"""Which triggers does "vault" or "istio-native-sidecar" mean?

A word chooses the trigger of that name, or all triggers of the webhooks that have the word in
their product's name.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.triggers.definitions import NO_TRIGGER, Trigger


def select_triggers(wanted: Iterable[str], triggers: Sequence[Trigger]) -> tuple[Trigger, ...]:
    """The triggers meant by each text of `wanted`, in that order, each once.

    A text is a trigger's name, "none" (NO_TRIGGER), or words of a webhook's name in any case
    ("vault", "azure workload identity"). Raises InputError with the closest names for a text that
    means nothing.
    """
    chosen: dict[str, Trigger] = {}
    for text in wanted:
        chosen |= {trigger.name: trigger for trigger in _meant(text, triggers)}
    return tuple(chosen.values())


def _meant(text: str, triggers: Sequence[Trigger]) -> list[Trigger]:
    by_name = {trigger.name: trigger for trigger in [NO_TRIGGER, *triggers]}
    if text in by_name:
        return [by_name[text]]
    words = _words(text)
    if words and (found := [each for each in triggers if _has_words(each, words)]):
        return found
    raise _unknown(text, triggers)


def _has_words(trigger: Trigger, words: str) -> bool:
    return f" {words} " in f" {_words(trigger.webhook)} "


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.casefold()))


def _unknown(text: str, triggers: Sequence[Trigger]) -> InputError:
    names = {trigger.name for trigger in triggers}
    words = {word for trigger in triggers for word in _words(trigger.webhook).split()}
    close = get_close_matches(text.casefold(), sorted(names | words), n=3, cutoff=0.5)
    meant = f"Did you mean {', '.join(close)}? " if close else ""
    return InputError(
        f"no trigger and no webhook is called {text!r}",
        hint=f"{meant}Name a trigger, words of a webhook's product name, or 'none'.",
    )
