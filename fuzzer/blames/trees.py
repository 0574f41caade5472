"""Which stage last set each field of a pod, and which one removed the fields that are missing?

The pod of the first stage becomes a tree in which every node knows its setter; each later stage is
merged into it. List elements are told apart by their merge key, never by their index: what moved
down because something was put in front of it keeps its setter. What is removed stays in the tree,
in its place, with who removed it; what is set anew remembers what it was.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from webhook_fuzz.corpora.fields.schemas import FieldSchema, Kind
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import Step, render_path
from webhook_fuzz.fuzzer.apiserver.quantities import QuantityError, parse_quantity
from webhook_fuzz.fuzzer.blames.actors import Actor, ActorKind, Stage, Touch
from webhook_fuzz.fuzzer.differences.comparing import UNKNOWN, is_absent
from webhook_fuzz.fuzzer.differences.pairing import keys_of_both, pair_by_key, pair_by_likeness

# Bookkeeping of the API server about managers, and what the kubelet writes: no part of the pod
# that anybody asked for.
_NOT_SHOWN = {"": frozenset({"status"}), "metadata": frozenset({"managedFields"})}
_NO_MEMBER = frozenset(".[]{}\\")

Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A value that was there before: who had set it, and who removed it if somebody did."""

    value: JsonValue
    setter: Actor
    remover: Actor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One place of the pod. `remover` is who took it away, None while it is there.

    `value` is the raw value, as it was last; objects and lists have `children`, those that are
    gone among them. `setter` of an object or list is who brought it, whoever filled it.
    """

    step: Step
    value: JsonValue = field(repr=False)
    setter: Actor
    remover: Actor | None = None
    earlier: tuple[Earlier, ...] = ()
    children: tuple["Node", ...] = field(default=(), repr=False)

    @property
    def is_list(self) -> bool:
        """Whether its children are the elements of a list."""
        return isinstance(self.value, list)


_ROOT = Step("member", "")


def blame(stages: Sequence[Stage], schema: FieldSchema) -> Node:
    """The tree of the last stage's pod, status and managedFields left out."""
    first, *others = stages
    node = _build(_shown(first.pod), _Place(schema=schema, stage=first), _ROOT)
    for stage in others:
        node = _merge(node, _shown(stage.pod), _Place(schema=schema, stage=stage))
    return node


def walk(node: Node, steps: Steps = ()) -> Iterator[tuple[str, Node]]:
    """Every node below `node` with its keyed path, parents before children."""
    for child in node.children:
        below = (*steps, child.step)
        yield render_path(below), child
        yield from walk(child, below)


def _shown(pod: JsonObject) -> JsonObject:
    shown: JsonObject = {name: value for name, value in pod.items() if name not in _NOT_SHOWN[""]}
    metadata = shown.get("metadata")
    if isinstance(metadata, dict):
        hidden = _NOT_SHOWN["metadata"]
        shown["metadata"] = {name: each for name, each in metadata.items() if name not in hidden}
    return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the merge is: the path, what may be there, and whose turn it is."""

    schema: FieldSchema
    stage: Stage
    steps: Steps = ()
    decided: Actor | None = None

    def below(self, step: Step) -> "_Place":
        schema = self.schema.members.get(step.name) if step.kind == "member" else None
        return replace(
            self,
            schema=schema or self.schema.element or UNKNOWN,
            steps=(*self.steps, step),
        )

    def who(self, value: JsonValue, *, gone: bool = False, setter: Actor | None = None) -> "_Place":
        """The same place with the actor decided, where the place tells who it was."""
        if self.decided is not None:
            return self
        touch = Touch(steps=self.steps, value=value, gone=gone, setter=setter)
        return replace(self, decided=self.stage.who(touch))

    @property
    def actor(self) -> Actor:
        return self.decided or self.stage.actor


def _build(value: JsonValue, place: _Place, step: Step) -> Node:
    """A value that was not there before, with everything in it."""
    place = place.who(value)
    children: tuple[Node, ...] = ()
    if isinstance(value, dict):
        children = tuple(
            _build(value[below.name], place.below(below), below)
            for below in _members(value, place.schema)
        )
    elif isinstance(value, list):
        _, keys = keys_of_both([], value, place.schema.merge_keys)
        children = tuple(
            _build(element, place.below(Step("element", key)), Step("element", key))
            for key, element in zip(keys, value, strict=True)
        )
    return Node(step=step, value=value, setter=place.actor, children=children)


def _merge(node: Node, new: JsonValue, place: _Place) -> Node:
    """A place that was there before, as the stage left it."""
    old = node.value
    if old is new:
        return node
    if isinstance(old, dict) and isinstance(new, dict):
        return replace(node, value=new, children=_merge_members(node, new, place))
    if isinstance(old, list) and isinstance(new, list):
        return replace(node, value=new, children=_merge_elements(node, old, new, place))
    if _is_same(old, new, place.schema):
        return replace(node, value=new)
    if place.stage.observed and (past := _past(node, new, place.schema)) is not None:
        kept = node.earlier[: node.earlier.index(past)]
        return replace(node, value=new, setter=past.setter, earlier=kept)
    fresh = _build(new, place.who(new, setter=node.setter), node.step)
    return replace(fresh, earlier=(*node.earlier, Earlier(value=old, setter=node.setter)))


def _past(node: Node, value: JsonValue, schema: FieldSchema) -> Earlier | None:
    """When the value was there before, and was not taken away."""
    return next(
        (
            past
            for past in node.earlier
            if past.remover is None and _is_same(past.value, value, schema)
        ),
        None,
    )


def _merge_members(node: Node, new: JsonObject, place: _Place) -> tuple[Node, ...]:
    present = {child.step.name: child for child in node.children if child.remover is None}
    merged: dict[str, Node] = {}
    for step in _members(new, place.schema):
        old = present.get(step.name)
        value, below = new[step.name], place.below(step)
        merged[step.name] = _build(value, below, step) if old is None else _merge(old, value, below)
    return _with_gone(node, merged, lambda child: child.step.name, place)


def _merge_elements(
    node: Node, old: list[JsonValue], new: list[JsonValue], place: _Place
) -> tuple[Node, ...]:
    present = [child for child in node.children if child.remover is None]
    keys, partners = _pair(old, new, place.schema)
    merged: dict[str, Node] = {}
    survivors: dict[int, str] = {}
    for index, (key, value) in enumerate(zip(keys, new, strict=True)):
        step = Step("element", key)
        below = place.below(step)
        if index in partners:
            partner = present[partners[index]]
            survivors[id(partner)] = key
            merged[key] = replace(_merge(partner, value, below), step=step)
        else:
            merged[key] = _build(value, below, step)
    return _with_gone(node, merged, lambda child: survivors.get(id(child), ""), place)


def _pair(
    old: list[JsonValue], new: list[JsonValue], schema: FieldSchema
) -> tuple[list[str], Mapping[int, int]]:
    """The keys of the new elements, and which old one each is, by index."""
    if schema.merge_keys:
        old_keys, new_keys = keys_of_both(old, new, schema.merge_keys)
        pairs = pair_by_key(old_keys, new_keys)
    else:
        new_keys = [str(index) for index in range(len(new))]
        pairs = pair_by_likeness(old, new, lambda one, other: one == other)
    return new_keys, {after: before for before, after in pairs.items()}


def _with_gone(
    node: Node, merged: Mapping[str, Node], name: Callable[[Node], str], place: _Place
) -> tuple[Node, ...]:
    """The merged children, with those that are gone behind what they stood behind.

    One that was gone and is there again remembers it.
    """
    result = list(merged.values())
    last: Node | None = None
    for child in node.children:
        present = merged.get(name(child)) if child.remover is None else None
        again = None if present is not None else _again(child, result)
        if present is not None:
            last = present
        elif again is not None:
            last = _put_back(child, again, place)
            result[_index(result, again)] = last
        elif child.remover is not None or not (place.stage.observed and _was_tried(child)):
            lost = child if child.remover is not None else _removed(child, place)
            result.insert(0 if last is None else _index(result, last) + 1, lost)
            last = lost
    return tuple(result)


def _put_back(gone: Node, again: Node, place: _Place) -> Node:
    """What was gone and is there: it remembers that, unless it was never gone."""
    if place.stage.observed and again.value == gone.value:
        return replace(gone, remover=None)
    past = Earlier(value=gone.value, setter=gone.setter, remover=gone.remover)
    return replace(again, earlier=(*gone.earlier, past, *again.earlier))


def _was_tried(child: Node) -> bool:
    """Whether a webhook alone brought it."""
    return child.setter.kind is ActorKind.WEBHOOK and not child.earlier


def _again(child: Node, result: Iterable[Node]) -> Node | None:
    if child.remover is None or child.step.name.isdecimal():
        return None
    found = (each for each in result if each.step == child.step and each.remover is None)
    return next(found, None)


def _index(nodes: Sequence[Node], node: Node) -> int:
    return next(index for index, each in enumerate(nodes) if each is node)


def _removed(child: Node, place: _Place) -> Node:
    below = place.below(child.step).who(child.value, gone=True, setter=child.setter)
    return replace(child, remover=below.actor)


def _members(value: JsonObject, schema: FieldSchema) -> list[Step]:
    """The steps to the members that say more than their absence would."""
    if schema.kind is Kind.MAP:
        return [Step("entry", name) for name in value]
    return [
        Step("member" if name and _NO_MEMBER.isdisjoint(name) else "entry", name)
        for name, member in value.items()
        if not is_absent(name, member, schema.members.get(name, UNKNOWN))
    ]


def _is_same(old: JsonValue, new: JsonValue, schema: FieldSchema) -> bool:
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return True
    if schema.kind is not Kind.QUANTITY or not isinstance(old, str) or not isinstance(new, str):
        return False
    try:
        return parse_quantity(old).nanos == parse_quantity(new).nanos
    except QuantityError:
        return False
