"""What did older API servers default differently?

The product's rules are those of the newest Kubernetes for every target. Where an older API server
would have answered otherwise, that is written down here, so that the comparison with it is exact.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor

Adapt: TypeAlias = Callable[[JsonObject, JsonObject], JsonObject]
"""Makes the older spec from the spec before defaulting and the one after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDifference:
    """One default that API servers before `since` did not set."""

    since: Minor
    because: str
    adapt: Adapt


def as_defaulted_by(minor: Minor, before: JsonObject, after: JsonObject) -> JsonObject:
    """A pod as an API server of `minor` defaults it: `before` and `after` are without and with."""
    for difference in VERSION_DIFFERENCES:
        if minor < difference.since:
            plain, spec = before.get("spec"), after.get("spec")
            adapted = difference.adapt(_members(plain), _members(spec))
            after = {**after, "spec": adapted}
    return after


def _as_it_was(*names: str) -> Adapt:
    def adapt(before: JsonObject, after: JsonObject) -> JsonObject:
        return {
            **{name: value for name, value in after.items() if name not in names},
            **{name: before[name] for name in names if name in before},
        }

    return adapt


def _negative_grace_period(before: JsonObject, after: JsonObject) -> JsonObject:
    seconds = before.get("terminationGracePeriodSeconds")
    return after if seconds is None else {**after, "terminationGracePeriodSeconds": seconds}


def _image_volumes(before: JsonObject, after: JsonObject) -> JsonObject:
    plain, defaulted = before.get("volumes"), after.get("volumes")
    if not isinstance(plain, list) or not isinstance(defaulted, list):
        return after
    volumes: list[JsonValue] = [
        _with_image_of(_members(old), new) for old, new in zip(plain, defaulted, strict=True)
    ]
    return {**after, "volumes": volumes}


def _with_image_of(old: JsonObject, new: JsonValue) -> JsonValue:
    return {**_members(new), "image": old["image"]} if "image" in old else new


def _members(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


VERSION_DIFFERENCES: Sequence[VersionDifference] = (
    VersionDifference(
        since=Minor(1, 35),
        because="ImageVolume, without which a volume's pullPolicy has no default, was off",
        adapt=_image_volumes,
    ),
    VersionDifference(
        since=Minor(1, 37),
        because="a negative grace period was made 1 on conversion, after all webhooks",
        adapt=_negative_grace_period,
    ),
    VersionDifference(
        since=Minor(1, 37),
        because="serviceAccount followed serviceAccountName on conversion, after all webhooks",
        adapt=_as_it_was("serviceAccount", "serviceAccountName"),
    ),
)
