"""Is what we changed still as we left it, and for how long is it ours?

Looked at every few seconds while the proxy runs. Half-way through its time the lease is prolonged.
Who writes the clientConfig back (a GitOps tool, an operator, cert-manager's cainjector) is named
once and never fought: the webhook counts as lost from then on. Where half of it was written (the
caBundle without the address) calls fail, so the other half is given back at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.cluster_api.leases import new_lease
from webhook_fuzz.corpora.cluster_api.ownership import last_writer, read_ownership
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.proxy.interception.marks import Mark, is_ours, merge_back, read_marks
from webhook_fuzz.proxy.interception.patches import (
    FIELD_MANAGER,
    Change,
    Patch,
    Plan,
    build_patch,
    change_configuration,
    client_config_of,
    read_configuration,
)

_MANY: Final = 3
"""A single failed look is nothing; this many in a row are said."""


@dataclass(slots=True, kw_only=True)
class Keeper:
    """Looks after one interception; `lost` are the `CONFIG/NAME` that somebody took back."""

    api: ClusterApi
    session: str
    configurations: Sequence[str]
    ttl: timedelta
    expires: datetime
    tell: Callable[[str], None]
    lost: set[str] = field(default_factory=set[str])
    _known: dict[str, Mark] = field(default_factory=dict[str, Mark])
    _deleted: set[str] = field(default_factory=set[str])
    _failures: int = 0

    def expect(self, marks: Sequence[Mark]) -> None:
        """What is in the cluster now."""
        self._known = {mark.identity: mark for mark in marks}

    async def look(self, now: datetime) -> None:
        """Look at everything once, prolong the lease if it is time; raises nothing."""
        try:
            for name in self.configurations:
                if name not in self._deleted:
                    await self._compare(name, await read_configuration(self.api, name))
            if self.expires - now <= self.ttl / 2:
                await self._renew(now)
        except ClusterError as error:
            self._failures += 1
            if self._failures == _MANY or self.expires - now <= self.ttl / 4:
                self.tell(f"the interception cannot be looked after: {error.message}")
        else:
            self._failures = 0

    async def _compare(self, name: str, found: JsonObject | None) -> None:
        if found is None:
            self._deleted.add(name)
            self.tell(f"{name} was deleted: there is nothing to restore")
            return
        for identity, mark in self._known.items():
            if mark.configuration != name or identity in self.lost:
                continue
            current = client_config_of(found, mark.webhook)
            if current is None or not is_ours(current, mark):
                self.lost.add(identity)
                self.tell(_report(mark, current, object_at(found, "metadata")))
                if current is not None and merge_back(current, mark) is not None:
                    await change_configuration(self.api, name, retreat_from(mark))

    async def _renew(self, now: datetime) -> None:
        lease = new_lease(now=now, lifetime=self.ttl)

        def plan(configuration: JsonObject) -> Patch:
            changes = [
                Change(
                    key=mark.key,
                    webhook=mark.webhook,
                    old_mark=old,
                    mark=replace(mark, lease=lease),
                )
                for old, mark in read_marks(configuration)
                if isinstance(mark, Mark) and mark.session == self.session
            ]
            return build_patch(configuration, changes)

        for name in self.configurations:
            if name not in self._deleted:
                await change_configuration(self.api, name, plan)
        self.expires = lease.expires


def retreat_from(lost: Mark) -> Plan:
    """Give one webhook back, and keep what somebody else wrote of it."""

    def plan(configuration: JsonObject) -> Patch:
        current = client_config_of(configuration, lost.webhook)
        merged = None if current is None else merge_back(current, lost)
        changes = [
            Change(
                key=lost.key,
                webhook=lost.webhook,
                old_mark=old,
                mark=None,
                old=None if merged is None else current,
                new=merged,
            )
            for old, mark in read_marks(configuration)
            if isinstance(mark, Mark) and (mark.key, mark.session) == (lost.key, lost.session)
        ]
        return build_patch(configuration, changes)

    return plan


def _leads_here(current: JsonObject, mark: Mark) -> bool:
    return all(current.get(each) == mark.ours.get(each) for each in ("url", "service"))


def _report(mark: Mark, current: JsonObject | None, metadata: JsonObject) -> str:
    owner = read_ownership(metadata)
    writer = last_writer(metadata, but=FIELD_MANAGER) or owner.short or "somebody"
    if current is None:
        return f"{mark.identity}: {writer} removed the webhook; it is not recorded any more"
    asked = f" (it has {owner.bundle_injection})" if owner.bundle_injection else ""
    if _leads_here(current, mark):
        return (
            f"{mark.identity}: {writer} wrote another caBundle{asked}, so its address is given "
            "back; it is not recorded any more"
        )
    return (
        f"{mark.identity}: {writer} changed its clientConfig back{asked}; it is not recorded any "
        "more, and left as it is"
    )
