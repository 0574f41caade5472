"""How is a missing member filled in without touching the rest?

The building blocks of defaulting: each gives back the same object where nothing was missing.
"""

from collections.abc import Callable
from operator import is_
from typing import TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.quantities import QuantityError, parse_quantity, served_quantity
from webhook_fuzz.fuzzer.apiserver.sharing import unshared

Defaulter: TypeAlias = Callable[[JsonObject], JsonObject]
# The same for an element of a list; the second is the one of that name that has its defaults.
ElementDefaulter: TypeAlias = Callable[[JsonObject, JsonObject], JsonObject]
# An amount with one of these can be finer than a thousandth; everything else is left alone.
_FINE = frozenset("nu.eE")


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
    spec: JsonObject, old: JsonObject, name: str, default: ElementDefaulter, changes: JsonObject
) -> None:
    """Put a defaulted list among `changes`; elements it shares with `old` are not looked at."""
    elements = spec.get(name)
    before = old.get(name)
    if elements is before or not isinstance(elements, list):
        return
    before = before if isinstance(before, list) else []
    new: list[JsonValue] | None = None
    for index, element in unshared(elements, before):
        if isinstance(element, dict):
            defaulted = default(element, _named(element.get("name"), before))
            if defaulted is not element:
                new = new or list(elements)
                new[index] = defaulted
    if new is not None:
        changes[name] = new


def _named(name: JsonValue, elements: list[JsonValue]) -> JsonObject:
    for element in elements:
        if isinstance(element, dict) and element.get("name") == name:
            return element
    return {}


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
