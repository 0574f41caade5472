"""Does a label selector select these labels, as apimachinery evaluates it?

Labels may be known in part only (of a namespace in a manifest, its name and no more); then a
selector that turns on the unknown ones is neither true nor false.

Source: k8s.io/apimachinery pkg/apis/meta/v1/helpers.go LabelSelectorAsSelector and
pkg/labels/selector.go NewRequirement, Requirement.Matches.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_SUBDOMAIN = 253


class SelectorError(ValueError):
    """A selector the API server cannot parse: a request that gets as far as a rule fails on it."""


class _Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Requirement:
    key: str
    operator: _Operator
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Source: Requirement.Matches. NotIn holds where there is no such label."""
        present = self.key in labels
        match self.operator:
            case _Operator.IN:
                return present and labels[self.key] in self.values
            case _Operator.NOT_IN:
                return not present or labels[self.key] not in self.values
            case _Operator.EXISTS:
                return present
            case _Operator.DOES_NOT_EXIST:
                return not present


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A label selector, parsed: to be used for many sets of labels."""

    requirements: tuple[_Requirement, ...]

    def selects(self, labels: Mapping[str, str], *, complete: bool = True) -> bool | None:
        """Whether it selects `labels`; one without requirements selects everything.

        With `complete=False` there may be more labels than those given, and the answer is None
        where it depends on them.
        """
        undecided = False
        for requirement in self.requirements:
            if complete or requirement.key in labels:
                if not requirement.holds(labels):
                    return False
            else:
                undecided = True
        return None if undecided else True


def match_selector(
    selector: JsonObject, labels: Mapping[str, str], *, complete: bool = True
) -> bool | None:
    """Whether `selector` selects `labels`, as Selector.selects says it.

    Raises SelectorError for a selector the API server cannot parse.
    """
    return parse_selector(selector).selects(labels, complete=complete)


def parse_selector(selector: JsonObject) -> Selector:
    """The selector. Raises SelectorError for one the API server cannot parse."""
    labels, expressions = selector.get("matchLabels"), selector.get("matchExpressions")
    if not isinstance(labels, dict | None) or not isinstance(expressions, list | None):
        raise SelectorError("matchLabels must be an object and matchExpressions a list")
    parsed = [_parse_label(key, value) for key, value in (labels or {}).items()]
    parsed += [_parse_expression(expression) for expression in expressions or []]
    return Selector(requirements=tuple(parsed))


def is_empty(selector: JsonObject) -> bool:
    """Whether it has no requirement at all."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def object_labels(object_: JsonObject | None) -> dict[str, str]:
    """The labels of an object; empty where it has none."""
    metadata = object_.get("metadata") if object_ else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {key: value for key, value in labels.items() if isinstance(value, str)}


def _parse_label(key: str, value: JsonValue) -> _Requirement:
    return _Requirement(key=_key(key), operator=_Operator.IN, values=frozenset({_value(value)}))


def _parse_expression(expression: JsonValue) -> _Requirement:
    if not isinstance(expression, dict):
        raise SelectorError("an element of matchExpressions is not an object")
    said = expression.get("operator")
    if not isinstance(said, str) or said not in set(_Operator):
        raise SelectorError(f"{said!r} is not a valid label selector operator")
    operator, given = _Operator(said), expression.get("values")
    listed = given if isinstance(given, list) else []
    values = frozenset(_value(each) for each in listed)
    if (operator in {_Operator.IN, _Operator.NOT_IN}) != bool(values):
        must = "must have" if not values else "must not have"
        raise SelectorError(f"the operator {said} {must} values")
    return _Requirement(key=_key(expression.get("key")), operator=operator, values=values)


def _key(key: JsonValue) -> str:
    """Source: k8s.io/apimachinery pkg/api/validate/content IsLabelKey."""
    if isinstance(key, str):
        prefix, slash, name = key.rpartition("/")
        fits = len(prefix) <= _LONGEST_SUBDOMAIN and _SUBDOMAIN.fullmatch(prefix)
        if _NAME.fullmatch(name) and (fits or not slash):
            return key
    raise SelectorError(f"{key!r} is not a label key")


def _value(value: JsonValue) -> str:
    """Source: k8s.io/apimachinery pkg/api/validate/content IsLabelValue."""
    if isinstance(value, str) and (not value or _NAME.fullmatch(value)):
        return value
    raise SelectorError(f"{value!r} is not a label value")
