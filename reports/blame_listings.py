"""What is printed of a blame?

The pod as YAML with a gutter that names who set each line, as `git blame` does; what is missing
stands in its place with a minus, what was changed has a tilde and says what it was. Above it who
had a hand in it, below what was taken and what was not seen. Webhooks choose most of these texts,
so every one is made visible before it is printed.
"""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.blames.accounts import Account, Call, leaves
from webhook_fuzz.fuzzer.blames.actors import Actor, ActorKind
from webhook_fuzz.fuzzer.blames.trees import Node, walk
from webhook_fuzz.reports.blame_folds import SHORT_LISTING, Fold, arrange, can_fold, fold_of
from webhook_fuzz.reports.texts import clipped, counted, visible

DEFAULT_WIDTH: Final = 100
_NARROWEST: Final = 60
_WIDEST_LABEL: Final = 26
_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_GONE: Final = "\x1b[31m"
_WARN: Final = "\x1b[1;33m"
_WEBHOOKS: Final = ("\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[32m", "\x1b[33m")
_LABELS: Final = {
    ActorKind.CONTROLLER: "controller",
    ActorKind.PLUGIN: "in-tree plugin",
    ActorKind.SERVER: "API server",
    ActorKind.UNKNOWN: "? unknown hop",
}
_NAMED: Final = frozenset({ActorKind.PLUGIN, ActorKind.NODE, ActorKind.EDITOR, ActorKind.SERVER})
# What YAML would read as something else, or not at all, without quotes.
_PLAIN: Final = re.compile(r"[A-Za-z_./][\w./@%+=-]*(?::[\w./@%+=-]+)*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"})
_UNEVENTFUL: Final = frozenset({"patched", "unchanged", "skipped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingOptions:
    """How it is shown: `everything` folds nothing, `colour` adds our escapes, and no others."""

    width: int = DEFAULT_WIDTH
    colour: bool = False
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One line of the pod: whose it is, its sign (blank, `~` or `-`), and a remark."""

    actor: Actor
    text: str
    sign: str = " "
    remark: str = ""


def render_blame(account: Account, options: ListingOptions | None = None) -> str:
    """The account as text of at most `width` columns."""
    chosen = options or ListingOptions()
    return _Listing(account=account, options=chosen).render()


def label_of(actor: Actor) -> str:
    """Who it is, in a few letters; webhooks are numbered from 1 as the chain calls them."""
    if actor.kind is ActorKind.WEBHOOK:
        number = "" if actor.position is None else f"#{actor.position + 1} "
        again = " (again)" if actor.round else ""
        return f"{number}{actor.name.partition('/')[0]}{again}"
    if actor.kind in _NAMED and actor.name:
        return actor.name
    return _LABELS.get(actor.kind, actor.kind.value)


@dataclass(kw_only=True)
class _Listing:
    account: Account
    options: ListingOptions
    _label_width: int = field(init=False)
    _columns: int = field(init=False)

    def __post_init__(self) -> None:
        self._columns = max(self.options.width, _NARROWEST)
        labels = [label_of(actor) for actor in _actors(self.account.tree)]
        longest = max(map(len, labels), default=0)
        self._label_width = min(longest, _WIDEST_LABEL, self._columns // 3)

    def render(self) -> str:
        lines = [*self._heading(), "", *self._pod(), *self._gone(), *self._closing()]
        return "\n".join(lines) + "\n"

    def _heading(self) -> Iterator[str]:
        yield from self._wrapped(f"Pod {self.account.pod}: {self.account.source}")
        yield ""
        tallies = _tally(self.account.tree)
        width = max((len(label_of(actor)) for actor in tallies), default=0)
        yield f"{'set':>5} {'changed':>8} {'took':>5}"
        for actor, tally in tallies.items():
            counts = [str(count) if count else "-" for count in tally]
            text = f"{counts[0]:>5} {counts[1]:>8} {counts[2]:>5}  {label_of(actor):<{width}}"
            full = actor.name if actor.kind is ActorKind.WEBHOOK else ""
            line = clipped(visible(f"{text}  {full}".rstrip()), self._columns)
            yield self._painted(line, _colour_of(actor))

    def _pod(self) -> Iterator[str]:
        whole = list(_Writer(folding=False).children(self.account.tree, ""))
        short = self.options.everything or len(whole) <= SHORT_LISTING
        lines = whole if short else _Writer(folding=True).children(self.account.tree, "")
        last = ""
        for line in lines:
            label = clipped(visible(label_of(line.actor)), self._label_width)
            shown = "" if label == last else label
            last = label
            yield self._line(shown, line)

    def _line(self, label: str, line: _Line) -> str:
        room = self._columns - self._label_width - 4
        text = clipped(visible(line.text), room)
        remark = clipped(visible(f"  # {line.remark}"), room - len(text)) if line.remark else ""
        colour = _GONE if line.sign == "-" else _colour_of(line.actor)
        gutter = self._painted(f"{label:<{self._label_width}}", colour)
        remark = self._painted(remark, _DIM) if len(remark) > len("  # …") else ""
        if line.sign == "-":
            text = self._painted(text, _GONE)
        return f"{gutter} {self._painted('│', _DIM)}{line.sign} {text}{remark}".rstrip()

    def _gone(self) -> Iterator[str]:
        taken = [(path, node) for path, node in walk(self.account.tree) if node.remover]
        if taken:
            yield ""
            yield self._painted(f"Missing: {counted(len(taken), 'field')}", _GONE)
        for path, node in taken:
            remover = node.remover or node.setter
            name = remover.name or label_of(remover)
            yield from self._wrapped(
                f"- {path}, set by {label_of(node.setter)}, taken by {name}. {remover.known_by}"
            )

    def _closing(self) -> Iterator[str]:
        yield ""
        calls = self.account.calls
        for call in calls:
            if call.outcome not in _UNEVENTFUL or (
                self.options.everything and call.outcome == "skipped"
            ):
                yield from self._wrapped(_describe(call))
        yield from self._wrapped(_count_calls(calls))
        for actor in _actors(self.account.tree):
            # Whoever is named by what it did needs no explanation; these are known otherwise.
            if actor.kind is ActorKind.UNKNOWN or (
                actor.kind is ActorKind.PLUGIN and not actor.name
            ):
                yield from self._wrapped(f"{label_of(actor)}: {actor.known_by}")
        for what, why in self.account.not_seen:
            yield from self._wrapped(f"not seen: {what} ({why})")
        for note in self.account.notes:
            yield from self._wrapped(note)

    def _wrapped(self, text: str) -> list[str]:
        return textwrap.wrap(
            visible(text), self._columns, subsequent_indent="  ", break_on_hyphens=False
        )

    def _painted(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_RESET}" if self.options.colour and colour and text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes the tree as lines of YAML."""

    folding: bool

    def children(self, node: Node, indent: str) -> Iterator[_Line]:
        """The lines of everything below a node."""
        arranged = arrange(node.children) if self.folding else node.children
        for each in arranged:
            if isinstance(each, Fold):
                yield _folded(each, indent)
            elif node.is_list:
                yield from self._element(each, indent)
            else:
                yield from self._member(each, indent)

    def _member(self, node: Node, indent: str) -> Iterator[_Line]:
        name = f"{indent}{_scalar(node.step.name)}:"
        if node.remover is not None or not node.children:
            yield _valued(node, f"{name} {_compact(node.value)}")
        elif self.folding and can_fold(node):
            yield _headed(node, name, fold_of([node]))
        else:
            yield _Line(actor=node.setter, text=name)
            yield from self.children(node, indent if node.is_list else indent + "  ")

    def _element(self, node: Node, indent: str) -> Iterator[_Line]:
        if node.remover is not None or not node.children:
            yield _valued(node, f"{indent}- {_compact(node.value)}")
            return
        if self.folding and can_fold(node):
            first = next(leaves(node))
            title = f"{indent}- {_scalar(first.step.name)}: {_compact(first.value)}"
            yield _headed(node, title, fold_of([node]))
            return
        lines = list(self.children(node, indent + "  "))
        lead = next((at for at, line in enumerate(lines) if line.sign != "-"), 0)
        for at, line in enumerate(lines):
            text = f"{indent}- {line.text[len(indent) + 2 :]}" if at == lead else line.text
            yield _Line(actor=line.actor, text=text, sign=line.sign, remark=line.remark)


def _valued(node: Node, text: str) -> _Line:
    if node.remover is not None:
        remark = f"set by {label_of(node.setter)}"
        return _Line(actor=node.remover, text=text, sign="-", remark=remark)
    if not node.earlier:
        return _Line(actor=node.setter, text=text)
    past = node.earlier[-1]
    was = f"was {_compact(past.value)} by {label_of(past.setter)}"
    if past.remover is not None:
        was += f", gone by {label_of(past.remover)}"
    return _Line(actor=node.setter, text=text, sign="~", remark=was)


def _headed(node: Node, title: str, fold: Fold) -> _Line:
    """One line for a place and all that is in it."""
    return _Line(actor=node.setter, text=f"{title}  … {counted(fold.total, 'field')}{_by(fold)}")


def _folded(fold: Fold, indent: str) -> _Line:
    total = f", {counted(fold.total, 'field')}" if fold.total != len(fold.nodes) else ""
    text = f"{indent}… {len(fold.nodes):,} more{total}{_by(fold)}"
    return _Line(actor=fold.nodes[0].setter, text=text)


def _by(fold: Fold) -> str:
    if len(fold.counts) == 1:
        return ""
    labels = Counter[str]()
    for actor, count in fold.counts:
        labels[label_of(actor)] += count
    return ": " + ", ".join(f"{label} {count}" for label, count in labels.most_common())


def _compact(value: JsonValue) -> str:
    match value:
        case str():
            return _scalar(value)
        case dict() | list() if value:
            return json.dumps(_plain(value), ensure_ascii=False)
        case _:
            return json.dumps(value)


def _plain(value: JsonObject | list[JsonValue]) -> JsonValue:
    """Without the members that say nothing: what is missing is told in one line."""
    if isinstance(value, list):
        return [_plain(each) if isinstance(each, dict | list) else each for each in value]
    return {
        name: _plain(each) if isinstance(each, dict | list) else each
        for name, each in value.items()
        if each not in (None, {}, [])
    }


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _actors(tree: Node) -> list[Actor]:
    return list(_tally(tree))


def _tally(tree: Node) -> dict[Actor, list[int]]:
    """How many values each actor set, changed and took, in the order of their kinds."""
    found: dict[tuple[str, str], tuple[Actor, list[int]]] = {}

    def add(actor: Actor, which: int) -> None:
        key = (actor.kind.value, label_of(actor))
        found.setdefault(key, (actor, [0, 0, 0]))[1][which] += 1

    for _, node in walk(tree):
        if node.remover is not None:
            add(node.remover, 2)
    for leaf in leaves(tree):
        add(leaf.setter, 1 if leaf.earlier else 0)
    kinds = list(ActorKind)
    ordered = sorted(
        found.values(),
        key=lambda pair: (kinds.index(pair[0].kind), pair[0].position or 0, pair[0].round),
    )
    return dict(ordered)


def _colour_of(actor: Actor) -> str:
    match actor.kind:
        case ActorKind.WEBHOOK:
            return _WEBHOOKS[(actor.position or 0) % len(_WEBHOOKS)]
        case ActorKind.UNKNOWN:
            return _WARN
        case ActorKind.USER:
            return ""
        case _:
            return _DIM


def _describe(call: Call) -> str:
    return f"#{call.position + 1} {call.webhook}: {call.outcome}. {call.reason}"


def _count_calls(calls: Sequence[Call]) -> str:
    if not calls:
        return "No webhook was called."
    counts = Counter(call.outcome for call in calls)
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
    return f"{counted(len({call.webhook for call in calls}), 'webhook')}: {said}."
