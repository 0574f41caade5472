"""What does `run.json` say of recorded traffic?

A run that judges a recording sends nothing: what it knows is what occurred. How often, of what, and
what could not be judged belongs to the verdict and stands beside it.
"""

from typing import Literal, TypedDict

FieldOutcome = Literal["kept", "lost", "moved", "not-patched"]


class FindingOccurrences(TypedDict):
    """How often a finding occurred, and in which recorded exchange it is shown.

    `exchange` is the id of the smallest one. `count` counts exchanges; of these, `retries` are
    calls the API server repeated, `reinvocations` those of its second round. Times are RFC 3339 in
    UTC, None where the recording has none that is one.
    """

    exchange: str
    count: int
    retries: int
    reinvocations: int
    first_seen: str | None
    last_seen: str | None


class TrafficField(TypedDict):
    """A new field that occurred: on how many pods, and how many of these were patched.

    `outcome` is `lost` or `moved` where that happened even once.
    """

    path: str
    since: str
    occurred: int
    patched: int
    outcome: FieldOutcome


class TrafficWebhook(TypedDict):
    """What of the traffic was one webhook's.

    `exchanges` are those that were judged: `pods` of them by every check that applies, the others,
    `in_part`, by resource and operation. `patched` counts exchanges, `patched_pods` the pods of
    these and `patched_new` the pods that have a new field. `fields_not_seen` is how many new fields
    occurred on none. `unclaimed` counts findings that are not reported because they rest on a
    redacted value, `findings_beyond` sightings of findings that had no room.
    """

    webhook: str
    exchanges: int
    retries: int
    reinvocations: int
    dry_runs: int
    answered: int
    denied: int
    patched: int
    pods: int
    patched_pods: int
    patched_new: int
    in_part: dict[str, int]
    first_seen: str | None
    last_seen: str | None
    fields: list[TrafficField]
    fields_not_seen: int
    unclaimed: int
    findings_beyond: int


class TrafficResult(TypedDict):
    """The recording: how many exchanges were read, judged, and not judged by the reason.

    `damaged` counts places that could not be read.
    """

    recordings: list[str]
    exchanges: int
    judged: int
    not_judged: dict[str, int]
    damaged: int
    first_seen: str | None
    last_seen: str | None
    webhooks: list[TrafficWebhook]
