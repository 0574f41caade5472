"""Which parts of a blamed pod can be told in one line?

People look for what webhooks did. A container nobody but its user and the API server touched is one
line, and so is a container one webhook brought as a whole; a pod of sixty containers stays readable
that way. A short pod is shown whole.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook_fuzz.fuzzer.blames.accounts import leaves
from webhook_fuzz.fuzzer.blames.actors import Actor, ActorKind
from webhook_fuzz.fuzzer.blames.trees import Node

SHORT_LISTING: Final = 80
"""Lines: a pod that needs no more is shown whole."""

_QUIET: Final = frozenset(ActorKind) - {ActorKind.WEBHOOK, ActorKind.UNKNOWN, ActorKind.EDITOR}
_FEWEST: Final = 3
_SHOWN_OF_QUIET: Final = 2
_SHOWN_OF_OTHERS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Several places told together: how many values there are, by whom."""

    nodes: tuple[Node, ...] = field(repr=False)
    counts: tuple[tuple[Actor, int], ...]

    @property
    def total(self) -> int:
        """How many values there are."""
        return sum(count for _, count in self.counts)


def fold_of(nodes: Sequence[Node]) -> Fold:
    """The places as one."""
    counts = Counter(leaf.setter for node in nodes for leaf in leaves(node))
    return Fold(nodes=tuple(nodes), counts=tuple(counts.most_common()))


def can_fold(node: Node) -> bool:
    """Whether a place is calm all through, and has enough in it to be worth a fold."""
    return (
        bool(node.children) and _calm(node) is not None and sum(1 for _ in leaves(node)) >= _FEWEST
    )


def arrange(children: Sequence[Node]) -> list[Node | Fold]:
    """The children of a place, runs of calm ones of the same kind cut short."""
    arranged: list[Node | Fold] = []
    at = 0
    while at < len(children):
        mood = _calm(children[at])
        end = at + 1
        while mood is not None and end < len(children) and _calm(children[end]) == mood:
            end += 1
        shown = at + (_SHOWN_OF_QUIET if mood == _ALL_QUIET else _SHOWN_OF_OTHERS)
        if mood is not None and end - shown > 1:
            arranged += [*children[at:shown], fold_of(children[shown:end])]
        else:
            arranged += children[at:end]
        at = end
    return arranged


_ALL_QUIET: Final = ""


def _calm(node: Node) -> str | None:
    """What everything at and below a place has in common: nobody of interest, or one actor.

    None where something is gone, was changed, or is by several.
    """
    if not _is_untouched(node):
        return None
    setters = {leaf.setter for leaf in leaves(node)}
    if all(setter.kind in _QUIET for setter in setters):
        return _ALL_QUIET
    names = {(setter.kind.value, setter.name, str(setter.round)) for setter in setters}
    return "/".join(names.pop()) if len(names) == 1 else None


def _is_untouched(node: Node) -> bool:
    return (
        node.remover is None
        and not node.earlier
        and all(_is_untouched(child) for child in node.children)
    )
