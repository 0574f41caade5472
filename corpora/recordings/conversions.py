"""How are recordings of older versions read?

A format step is one function that turns a record of one version into the next; a record goes
through as many as lie between its version and today's. What is newer than this program is refused
in words: guessing at members would judge what was never recorded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.recordings.schemas import RECORDING_VERSION

Conversion: TypeAlias = Callable[[JsonObject], JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Turns a record of an exchange into what `version`, the next one, would have written."""

    version: str
    convert: Conversion


STEPS: Mapping[str, Step] = MappingProxyType({})
"""By the version they begin at. v1 is the first, so no step leads to it."""


def find_conversion(
    version: str, *, steps: Mapping[str, Step] = STEPS, newest: str = RECORDING_VERSION
) -> Conversion:
    """What makes records of `version` records of `newest`.

    Raises ValueError that says what to do for a version no steps lead on from.
    """
    conversions: list[Conversion] = []
    seen = version
    while seen != newest:
        step = steps.get(seen)
        if step is None or len(conversions) > len(steps):
            raise ValueError(
                f"its format is {version[:80]!r}, this program reads up to {newest}; "
                "a newer webhook-fuzz may read it"
            )
        conversions.append(step.convert)
        seen = step.version

    def convert(record: JsonObject) -> JsonObject:
        for each in conversions:
            record = each(record)
        return record

    return convert
