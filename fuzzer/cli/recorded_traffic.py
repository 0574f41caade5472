"""Whose traffic of recordings is wanted, and what of them could not be read?"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import click

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.recordings.reading import Damage


def webhook_name(webhook: WebhookIdentity) -> str:
    """`CONFIG/NAME`, as people and options write it."""
    return f"{webhook.configuration}/{webhook.name}" if webhook.configuration else webhook.name


@dataclass(slots=True, kw_only=True)
class Selection:
    """Webhooks by `CONFIG/NAME`, name or configuration, all where none is named.

    `others` are those that were met and not wanted, the first `most_others` of them.
    """

    wanted: Sequence[str]
    most_others: int = sys.maxsize
    others: set[str] = field(default_factory=set[str])

    def takes(self, webhook: WebhookIdentity) -> bool:
        """Whether traffic of this webhook is wanted; if not, it is one of the others."""
        if not self.wanted:
            return True
        name = webhook_name(webhook)
        if not {name, webhook.name, webhook.configuration}.isdisjoint(self.wanted):
            return True
        if len(self.others) < self.most_others:
            self.others.add(name)
        return False

    def nothing(self, what: str, more: str) -> InputError:
        """The error of a recording that holds no `what` of the webhooks wanted."""
        of = f" of {', '.join(self.wanted)}" if self.wanted else ""
        there = f" It holds traffic of {', '.join(sorted(self.others))}." if self.others else ""
        return InputError(
            f"the recording holds no {what}{of}{more}",
            hint=f"`webhook-fuzz recording info` shows what is in it.{there}",
        )


@dataclass(slots=True)
class Damages:
    """How many places of recordings could not be read, and the first of them."""

    count: int = 0
    first: Damage | None = None

    def add(self, damage: Damage) -> None:
        """Count one more."""
        self.count += 1
        self.first = self.first or damage

    def tell(self, said: Callable[[Damage], str] = str) -> None:
        """One line on standard error for all of them, none where there is no damage."""
        if self.first is not None:
            more = f" (and {self.count - 1:,} more places)" if self.count > 1 else ""
            click.echo(f"warning: {said(self.first)}{more}; read on behind it", err=True)
