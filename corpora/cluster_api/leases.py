"""Whose is an object of ours in the cluster, and may it be deleted?

What is made in a cluster carries who made it and until when. The process that made it deletes it;
what a crash left behind is deleted by the next one, but never what a living process still uses: an
owner on another machine counts as alive until its time is over.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from webhook_fuzz.corpora.json_values import JsonObject

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
TOOL: Final = "webhook-fuzz"
LIVE_LABEL: Final = "webhook-fuzz/live"
_OWNER: Final = "webhook-fuzz/owner"
_EXPIRES: Final = "webhook-fuzz/expires"
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who uses an object until when. `owner` is empty where a process has no unique name."""

    owner: str
    expires: datetime

    def annotations(self) -> dict[str, str]:
        """As they stand in the object's metadata."""
        return {_OWNER: self.owner, _EXPIRES: self.expires.isoformat(timespec="seconds")}

    def has_ended(self, *, now: datetime) -> bool:
        """Whether its time is over, or its owner is known to be gone."""
        return self.expires <= now or _is_dead(self.owner)


def new_lease(*, now: datetime, lifetime: timedelta) -> Lease:
    """One of this process."""
    return Lease(owner=_name_of(os.getpid()), expires=now + lifetime)


def is_over(metadata: JsonObject, *, now: datetime) -> bool:
    """Whether an object with a lease is left behind. What has none is not ours: False."""
    annotations = metadata.get("annotations")
    lease = _read(annotations if isinstance(annotations, dict) else {})
    return lease is not None and lease.has_ended(now=now)


def parse_lease(owner: object, expires: object) -> Lease | None:
    """A lease as it was written (RFC 3339, UTC without a zone); None where that is no time."""
    try:
        found = datetime.fromisoformat(str(expires))
    except ValueError:
        return None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return Lease(owner=str(owner), expires=aware)


def _read(annotations: Mapping[str, object]) -> Lease | None:
    return parse_lease(annotations.get(_OWNER, ""), annotations.get(_EXPIRES, ""))


def _is_dead(owner: str) -> bool:
    """Only where it can be told: the same boot of the same machine, the same set of processes."""
    here = _place()
    place, _, process = owner.rpartition("/")
    number = process.partition(".")[0]
    if not here or place != here or not number.isdecimal():
        return False
    return _name_of(int(number)) != owner


def _name_of(pid: int) -> str:
    """A name no other process ever has: numbers are used again, a start time with them is not.

    Field 22 of /proc/PID/stat, counted behind the name of the program, which may hold anything.
    """
    place = _place()
    try:
        started = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError, UnicodeDecodeError):
        return ""
    return f"{place}/{pid}.{started}" if place else ""


def _place() -> str:
    """The boot of this machine and the PID namespace of this process; empty without /proc."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (_PROC / "self/ns/pid").readlink().name
    except OSError:
        return ""
    return f"{boot}/{namespace.strip('pid:[]')}"
