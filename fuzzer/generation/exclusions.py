"""Does a pod have something that a probe cannot stand beside?

An exclusion is a catalogue path, or `path=value`: `spec.hostNetwork=true`, `spec.hostUsers`,
`metadata.annotations{container.apparmor.security.beta.kubernetes.io/*}`. It matches when any value
at that path is there (and equals the value).
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

_STEP = re.compile(r"\.?([^.\[{]+)(\[\])?(?:\{([^}]*)\})?")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A parsed exclusion: each step is (member, is a list, entry pattern)."""

    steps: tuple[tuple[str, bool, str | None], ...]
    value: str | None

    def matches(self, pod: JsonObject) -> bool:
        """Whether the pod has what is excluded."""
        return any(
            self.value is None or _text(found) == self.value for found in _values(pod, self.steps)
        )


@cache
def parse_exclusion(text: str) -> Exclusion:
    """Parse `path` or `path=value`."""
    path, equals, value = text.partition("=")
    steps = tuple((found[1], bool(found[2]), found[3]) for found in _STEP.finditer(path))
    return Exclusion(steps, value if equals else None)


def any_matches(exclusions: Iterable[str], pod: JsonObject) -> bool:
    """Whether any exclusion matches the pod, or a fragment of one."""
    return any(parse_exclusion(text).matches(pod) for text in exclusions)


def _values(
    value: JsonValue, steps: tuple[tuple[str, bool, str | None], ...]
) -> Iterator[JsonValue]:
    if not steps:
        yield value
        return
    (name, is_list, entry), rest = steps[0], steps[1:]
    if not isinstance(value, dict) or name not in value:
        return
    member = value[name]
    if entry is not None:
        yield from _entries(member, entry)
    elif not is_list:
        yield from _values(member, rest)
    elif isinstance(member, list):
        for element in member:
            yield from _values(element, rest)


def _entries(value: JsonValue, pattern: str) -> Iterator[JsonValue]:
    if isinstance(value, dict):
        prefix = pattern.removesuffix("*")
        yield from (
            entry
            for key, entry in value.items()
            if key == pattern or (pattern != prefix and key.startswith(prefix))
        )


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
