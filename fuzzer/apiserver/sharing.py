"""What does a list share with another, and what was made of an object before?

Both go by identity: pods share what nobody touched, and nobody changes a pod once it is made.
"""

from collections.abc import Callable
from operator import is_
from typing import Generic, TypeVar

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

_T = TypeVar("_T")


def unshared(elements: list[JsonValue], before: list[JsonValue]) -> list[tuple[int, JsonValue]]:
    """The elements that are not the very objects of another list, with their positions."""
    start = len(before)
    if start <= len(elements) and all(map(is_, before, elements)):
        # What almost every webhook does: something is added at the end, or nothing at all.
        return list(enumerate(elements[start:], start))
    shared = set(map(id, before))
    return [(index, each) for index, each in enumerate(elements) if id(each) not in shared]


class Remembered(Generic[_T]):
    """What was made of the last so many objects; an object must not be changed afterwards."""

    def __init__(self, most: int, make: Callable[[JsonObject], _T]) -> None:
        self._most = most
        self._make = make
        # The object is kept beside what was made of it so that no other gets its identity.
        self._known: dict[int, tuple[JsonObject, _T]] = {}

    def of(self, source: JsonObject) -> _T:
        """What is made of an object, or was when it was asked for before."""
        known = self._known.get(id(source))
        if known is None:
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            known = self._known[id(source)] = (source, self._make(source))
        return known[1]
