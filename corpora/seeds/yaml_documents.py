"""Which JSON does a YAML text stand for when kubectl reads it?

kubectl turns YAML into JSON with sigs.k8s.io/yaml, whose idea of plain words is neither YAML 1.1
nor 1.2: `on` and `y` are booleans, dates stay strings, `1:30` is a string, `1e3` a number, and a
key of any scalar becomes a string. A pod read in any other way would not be the pod the cluster
sees. (Source: resolve() and merge() of go.yaml.in/yaml/v2, convertToJSONableObject() of
sigs.k8s.io/yaml 1.6.)

No YAML tag constructs anything here: the parser's events are turned straight into JSON values.
Aliases are expanded into copies under a bound, so that neither an alias bomb nor a value that is
changed in one place and seen in another can come out of it.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.seeds.yaml_scalars import MERGE_KEY, resolve_key, resolve_scalar

MAX_VALUES = 500_000
"""Values a text may hold after aliases are expanded: 8 MiB of manifests hold about 340,000."""
MAX_DEPTH = 100
"""Levels of nesting: a pod has 15 at most."""

# The parser in C is twenty times as fast; PyYAML installed from source may come without it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file: its value and the line it starts at, from 1."""

    value: JsonValue
    line: int


def read_yaml(text: str, *, source: str, first_line: int = 1) -> tuple[Document, ...]:
    """The documents of a YAML text; `source` names it in errors.

    `first_line` is the number of its first line, where the text is a part of a file.
    Raises InputError with the line for bad YAML and for values that JSON cannot hold.
    """
    try:
        events = yaml.parse(text, Loader=_LOADER)
        composer = _Composer(source=source, events=events, first_line=first_line)
        return tuple(composer.documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + first_line
        raise _bad_yaml(source, line, error.problem or "not YAML") from error
    except yaml.YAMLError as error:
        raise _bad_yaml(source, None, " ".join(str(error).split())) from error


def _bad_yaml(source: str, line: int | None, problem: str) -> InputError:
    place = source if line is None else f"{source}:{line}"
    return InputError(
        f"{place}: {problem}",
        hint="The file must be what `kubectl apply -f` takes; render templates first.",
    )


@dataclass(slots=True)
class _Anchored:
    """What an alias stands for, and how many values that is."""

    value: JsonValue
    size: int


@dataclass(slots=True, kw_only=True)
class _Composer:
    """Turns the events of one text into JSON values."""

    source: str
    events: Iterator[yaml.Event]
    first_line: int
    values: int = 0
    depth: int = 0
    anchors: dict[str, _Anchored | None] = field(default_factory=dict[str, "_Anchored | None"])

    def documents(self) -> Iterator[Document]:
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors.clear()
                first = next(self.events)
                yield Document(value=self._value(first), line=self._line(first))

    def _value(self, event: yaml.Event) -> JsonValue:
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        self._count(event, 1)
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor is None:
            return self._own_value(event)
        # Not complete until its end: an alias to it from inside would never end.
        self.anchors[anchor] = None
        before = self.values
        value = self._own_value(event)
        self.anchors[anchor] = _Anchored(value, self.values - before + 1)
        return value

    def _own_value(self, event: yaml.Event) -> JsonValue:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if self.depth == MAX_DEPTH:
            raise self._problem(event, f"nested deeper than {MAX_DEPTH} levels")
        self.depth += 1
        is_list = isinstance(event, yaml.SequenceStartEvent)
        value = self._list() if is_list else self._mapping()
        self.depth -= 1
        return value

    def _scalar(self, event: yaml.ScalarEvent) -> JsonValue:
        try:
            return resolve_scalar(event.value, tag=event.tag, plain=not event.style)
        except ValueError as error:
            raise self._problem(event, str(error)) from error

    def _list(self) -> JsonValue:
        elements: list[JsonValue] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            elements.append(self._value(event))
        return elements

    def _mapping(self) -> JsonValue:
        members: dict[str, JsonValue] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if _is_merge(event):
                # As Go's yaml.v2 does it, a merge also replaces what stands before it.
                members.update(self._merged(next(self.events)))
            else:
                key = self._key(event)
                members[key] = self._value(next(self.events))
        return members

    def _key(self, event: yaml.Event) -> str:
        if isinstance(event, yaml.AliasEvent):
            key = self._aliased(event)
            if isinstance(key, str):
                return key
        elif isinstance(event, yaml.ScalarEvent):
            try:
                key = resolve_key(event.value, tag=event.tag, plain=not event.style)
            except ValueError as error:
                raise self._problem(event, str(error)) from error
            if event.anchor is not None:
                self.anchors[event.anchor] = _Anchored(key, 1)
            return key
        raise self._problem(event, "only a plain value can be a key of a JSON object")

    def _merged(self, event: yaml.Event) -> dict[str, JsonValue]:
        value = self._value(event)
        sources = value if isinstance(value, list) else [value]
        merged: dict[str, JsonValue] = {}
        for source in reversed(sources):
            if not isinstance(source, dict):
                raise self._problem(event, f"{MERGE_KEY} needs a mapping or a list of mappings")
            merged.update(source)
        return merged

    def _aliased(self, event: yaml.AliasEvent) -> JsonValue:
        if event.anchor not in self.anchors:
            raise self._problem(
                event, f"no anchor &{event.anchor} before the alias *{event.anchor}"
            )
        anchored = self.anchors[event.anchor]
        if anchored is None:
            raise self._problem(event, f"the anchor &{event.anchor} contains itself")
        self._count(event, anchored.size)
        return copy.deepcopy(anchored.value)

    def _count(self, event: yaml.Event, values: int) -> None:
        self.values += values
        if self.values > MAX_VALUES:
            raise self._problem(event, f"more than {MAX_VALUES:,} values, aliases expanded")

    def _problem(self, event: yaml.Event, problem: str) -> InputError:
        return _bad_yaml(self.source, self._line(event), problem)

    def _line(self, event: yaml.Event) -> int:
        mark = event.start_mark
        return self.first_line + (mark.line if mark else 0)


def _is_merge(event: yaml.Event) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != MERGE_KEY:
        return False
    return event.tag == "tag:yaml.org,2002:merge" or (event.tag is None and not event.style)
