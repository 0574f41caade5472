"""Which fields must the sweep of a real webhook find lost, and which moved?

Worked out from the catalogue, the webhook's k8s.io/api version and what its mechanism is known to
do, without the product's rules for patches, comparing and judging.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testbed.predictions import predict_pod
from testbed.webhooks import Effect, RealWebhook
from webhook_fuzz.corpora.fields.catalogue import Catalogue
from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.fuzzer.generation.cases import Case

_KEYS = ("name", "mountPath", "resourceName")

Place = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Catalogue paths, topmost ones only."""

    lost: frozenset[str]
    moved: frozenset[str]


def expect(webhook: RealWebhook, cases: Sequence[Case], catalogue: Catalogue) -> Expected:
    """What must be found of a webhook that is sent these cases (with its trigger applied)."""
    probed = {path for case in cases for path in case.fields}
    newer = {
        field.path
        for field in catalogue.fields
        if field.root and field.path in probed and field.since > webhook.api
    }
    match webhook.effect:
        case Effect.KEEPS:
            return Expected(lost=frozenset(), moved=frozenset())
        case Effect.DROPS_IN_POD:
            return Expected(lost=topmost(newer), moved=frozenset())
        case Effect.DROPS_IN_CONTAINERS:
            within = {path for path in newer if path.startswith(_CONTAINERS)}
            return Expected(lost=topmost(within), moved=frozenset())
        case Effect.LEAVES_BEHIND:
            return _left_behind(webhook, cases, newer, catalogue)


_CONTAINERS = ("spec.containers[].", "spec.initContainers[].")


def topmost(paths: set[str]) -> frozenset[str]:
    """The paths that are not part of another one of them."""
    return frozenset(
        path
        for path in paths
        if not any(path.startswith((f"{other}.", f"{other}[")) for other in paths)
    )


def _left_behind(
    webhook: RealWebhook, cases: Sequence[Case], newer: set[str], catalogue: Catalogue
) -> Expected:
    unknown = {field.path for field in catalogue.fields if field.since > webhook.api}
    gone: set[str] = set()
    moved: set[str] = set()
    for case in cases:
        result = predict_pod(webhook, case.pod, unknown)
        for path in newer:
            if not path.startswith(_CONTAINERS):
                continue
            before, after = dict(_places(case.pod, path)), dict(_places(result, path))
            for place, value in before.items():
                if after.get(place) == value:
                    continue
                gone.add(path)
                if any(
                    arrived == value and before.get(other) != value
                    for other, arrived in after.items()
                    if other != place and other[1:] == place[1:]
                ):
                    moved.add(path)
    return Expected(lost=topmost(gone) - moved, moved=topmost(moved))


def _places(value: JsonValue, path: str, at: Place = ()) -> Iterator[tuple[Place, JsonValue]]:
    """Every value at a catalogue path, with the keys of the list elements it is in."""
    name, _, rest = path.partition(".")
    member = value.get(name.removesuffix("[]")) if isinstance(value, dict) else None
    if member is None:
        return
    if not name.endswith("[]"):
        yield from _places(member, rest, at) if rest else [(at, member)]
        return
    for index, element in enumerate(member if isinstance(member, list) else ()):
        yield from _places(element, rest, (*at, _key(element, index)))


def _key(element: JsonValue, index: int) -> str:
    if isinstance(element, dict):
        for key in _KEYS:
            if isinstance(name := element.get(key), str):
                return name
    return str(index)
