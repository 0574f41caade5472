"""When are two pods of a cluster the same to a webhook?

When they have the same fields set, whatever the values: a thousand deployments differ in name,
image and environment only. What webhooks act on is kept apart: the keys of labels and annotations,
and their values where they are a word of choice ("true", "disabled").
"""

import re
from collections.abc import Hashable, Iterable
from typing import Final, TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at, text_at

Shape: TypeAlias = Hashable

# Values are chosen from a few words, or are names, sizes and documents of the one workload.
_CHOICE: Final = re.compile(r"(true|false|enabled?|disabled?|yes|no|on|off)", re.IGNORECASE)
# Set by controllers with a value of its own for every workload.
_OF_CONTROLLERS: Final = frozenset({"pod-template-hash", "controller-revision-hash"})
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")


def exact_shape(pod: JsonObject) -> Shape:
    """Equal for pods that no webhook can tell apart by more than names and values."""
    return (coarse_shape(pod), text_at(object_at(pod, "spec"), "serviceAccountName"))


def coarse_shape(pod: JsonObject) -> Shape:
    """The same without the service account, of which most workloads have one of their own."""
    metadata, spec = object_at(pod, "metadata"), object_at(pod, "spec")
    return (
        _marks(object_at(metadata, "labels")),
        _marks(object_at(metadata, "annotations")),
        tuple((name, len(objects_at(spec, name))) for name in _LISTS),
        _shape(spec),
    )


def _marks(values: JsonObject) -> Shape:
    return frozenset(
        (key, value if isinstance(value, str) and _CHOICE.fullmatch(value) else None)
        for key, value in values.items()
        if key not in _OF_CONTROLLERS
    )


def _shape(value: JsonValue) -> Shape:
    """The members that are set, of lists which shapes their elements have."""
    match value:
        case dict():
            return frozenset((name, _shape(member)) for name, member in value.items())
        case list():
            return _shapes(value)
        case _:
            return type(value).__name__


def _shapes(values: Iterable[JsonValue]) -> Shape:
    return frozenset(_shape(value) for value in values)
