"""Which element of a list afterwards is which element before?

By merge key where the list has one. Lists without: elements that are equal belong together, and
what is left between two pairs is paired in order.
"""

from collections.abc import Callable, Sequence

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.corpora.pods import element_keys


def keys_of_both(
    before: Sequence[JsonValue], after: Sequence[JsonValue], merge_keys: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The keys of the elements of both lists; what is in both as it was has one key in both.

    That matters where a key is there twice afterwards: a webhook that injects what is there already
    has not changed what was there, wherever it put its own.
    """
    old_keys, new_keys = element_keys(before, merge_keys), element_keys(after, merge_keys)
    if all("#" not in key for key in new_keys):
        return old_keys, new_keys
    for old_key, old in zip(old_keys, before, strict=True):
        place = new_keys.index(old_key) if old_key in new_keys else None
        if place is None or after[place] == old:
            continue
        twins = (
            index
            for index, new in enumerate(after)
            if new == old and new_keys[index].partition("#")[0] == old_key.partition("#")[0]
        )
        twin = next(twins, None)
        if twin is not None:
            new_keys[place], new_keys[twin] = new_keys[twin], new_keys[place]
    return old_keys, new_keys


def pair_by_key(before: Sequence[str], after: Sequence[str]) -> dict[int, int]:
    """The index afterwards of every element whose key is in both."""
    places = {key: index for index, key in enumerate(after)}
    return {index: places[key] for index, key in enumerate(before) if key in places}


def pair_by_likeness(
    before: Sequence[JsonValue],
    after: Sequence[JsonValue],
    is_same: Callable[[JsonValue, JsonValue], bool],
) -> dict[int, int]:
    """Pair elements without a key: equal ones, in order where that works, then what is left.

    Equal ones that changed places belong together too: what they are is all that tells them apart.
    """
    pairs: dict[int, int] = {}
    free = list(range(len(after)))
    start = 0
    for in_order in (True, False):
        for index, old in enumerate(before):
            if index in pairs:
                continue
            same = (
                at
                for at in free
                if (not in_order or at >= start) and (old is after[at] or is_same(old, after[at]))
            )
            found = next(same, None)
            if found is not None:
                pairs[index] = found
                free.remove(found)
                start = found + 1
    _pair_the_rest(len(before), len(after), pairs)
    return pairs


def _pair_the_rest(before: int, after: int, pairs: dict[int, int]) -> None:
    taken = set(pairs.values())
    free = [index for index in range(after) if index not in taken]
    for index in range(before):
        if index in pairs or not free:
            continue
        lower = max((new for old, new in pairs.items() if old < index), default=-1)
        upper = min((new for old, new in pairs.items() if old > index), default=after)
        candidate = next((new for new in free if lower < new < upper), None)
        if candidate is not None:
            pairs[index] = candidate
            free.remove(candidate)
