"""How is a missing member filled in without touching the rest?

The building blocks of defaulting: each gives back the same object where nothing was missing.
"""

from collections.abc import Callable
from operator import is_
from typing import Final, TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.quantities import QuantityError, parse_quantity, served_quantity

Defaulter: TypeAlias = Callable[[JsonObject], JsonObject]
# An amount with one of these can be finer than a thousandth; everything else is left alone.
_FINE = frozenset("nu.eE")
_NOTHING: Final[frozenset[int]] = frozenset()


def filled_in(members: JsonObject, defaults: JsonObject) -> JsonObject:
    """Members with Go's zero values (absent, null, "", 0) replaced by defaults."""
    for name in defaults:
        if not members.get(name):
            missing = {name: value for name, value in defaults.items() if not members.get(name)}
            return {**members, **missing}
    return members


def changed(members: JsonObject, name: str, default: Defaulter) -> JsonObject:
    """Members with one object among them defaulted."""
    member = members.get(name)
    if not isinstance(member, dict):
        return members
    new = default(member)
    return members if new is member else {**members, name: new}


def changed_list(members: JsonObject, name: str, default: Defaulter) -> JsonObject:
    """Members with the elements of one list among them defaulted."""
    elements = members.get(name)
    if not isinstance(elements, list):
        return members
    new: list[JsonValue] = [
        default(element) if isinstance(element, dict) else element for element in elements
    ]
    return members if all(map(is_, new, elements)) else {**members, name: new}


def default_elements(
    spec: JsonObject, old: JsonObject, name: str, default: Defaulter, changes: JsonObject
) -> None:
    """Put a defaulted list among `changes`; elements it shares with `old` are not looked at."""
    elements = spec.get(name)
    before = old.get(name)
    if elements is before or not isinstance(elements, list):
        return
    shared = {id(element) for element in before} if isinstance(before, list) else _NOTHING
    new: list[JsonValue] = [
        default(element) if isinstance(element, dict) and id(element) not in shared else element
        for element in elements
    ]
    if not all(map(is_, new, elements)):
        changes[name] = new


def rounded_lists(resources: JsonObject) -> JsonObject:
    """Resource requirements with `limits` and `requests` rounded."""
    for name in ("limits", "requests"):
        resources = changed(resources, name, rounded_entries)
    return resources


def rounded_entries(resource_list: JsonObject) -> JsonObject:
    """Amounts rounded up to whole thousandths. Source: defaults.go SetDefaults_ResourceList."""
    changes: JsonObject = {}
    for name, amount in resource_list.items():
        if isinstance(amount, str) and not _FINE.isdisjoint(amount):
            try:
                rounded = _rounded(amount)
            except QuantityError:
                continue
            if rounded != amount:
                changes[name] = rounded
    return {**resource_list, **changes} if changes else resource_list


def _rounded(amount: str) -> str:
    quantity = parse_quantity(amount)
    rounded = quantity.rounded_up_to_milli()
    return served_quantity(amount) if rounded == quantity else str(rounded)
