"""How is everything put back as it was, whoever intercepted it and whatever happened since?

Found by the annotations, wherever this runs. Only what is still ours is replaced: what somebody
else wrote to the clientConfig in between is the new truth, and only the annotation goes. What a
living process uses is left alone. To do it twice is to do it once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from webhook_fuzz.corpora.cluster_api.leases import Lease
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, list_objects
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.proxy.interception.backups import (
    Backup,
    find_backups,
    load_backup,
    remove_backup,
    remove_partial,
)
from webhook_fuzz.proxy.interception.marks import (
    AnyMark,
    DamagedMark,
    Mark,
    is_ours,
    merge_back,
    read_marks,
)
from webhook_fuzz.proxy.interception.patches import (
    CONFIGURATIONS,
    Change,
    Patch,
    build_patch,
    change_configuration,
    client_config_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is to be restored.

    By default all that nobody alive uses any more, and what is alive is reported as `LIVING`; with
    `expired`, it is not even reported; with `force`, it is restored as well. `session` limits it to
    one interception and `service` to what leads to a Service, alive or not.
    """

    force: bool = False
    expired: bool = False
    session: str | None = None
    service: ServiceReference | None = None


class Result(StrEnum):
    """What became of one webhook.

    RESTORED: its clientConfig is the original. KEPT: somebody else changed it, only the annotation
    went. GONE: the webhook is not there any more. DELETED: its configuration is not. LIVING: left
    alone, somebody uses it. DAMAGED: left alone, nobody knows what it was.
    """

    RESTORED = "restored"
    KEPT = "kept"
    GONE = "gone"
    DELETED = "deleted"
    LIVING = "living"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One webhook, and what became of it. `why` is for people; `lease` is that of who uses it."""

    configuration: str
    webhook: str
    result: Result
    why: str = ""
    lease: Lease | None = None

    @property
    def identity(self) -> str:
        """`CONFIG/NAME`."""
        return f"{self.configuration}/{self.webhook}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where backups are: those of the API server `server` in `folder`, and the one in `file`."""

    folder: Path | None = None
    server: str = ""
    file: Path | None = None


@dataclass(slots=True, kw_only=True)
class _Restoration:
    """One run over all configurations."""

    selection: Selection
    now: datetime
    backups: Sequence[Backup]
    given: Backup | None = None
    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict[tuple[str, str], Outcome])

    def plan(self, configuration: JsonObject) -> Patch:
        """What puts it back, from how it is now. Remembers what it comes to."""
        name = text_at(object_at(configuration, "metadata"), "name")
        for key in [key for key in self.outcomes if key[0] == name]:
            del self.outcomes[key]  # somebody was quicker, so look anew
        changes = [
            change
            for old, mark in [*read_marks(configuration), *self._unmarked(configuration)]
            if (change := self._change(configuration, old, mark)) is not None
        ]
        return build_patch(configuration, changes)

    def concerns(self, configuration: JsonObject) -> bool:
        """Whether there is anything of ours in it at all."""
        return any(read_marks(configuration)) or any(self._unmarked(configuration))

    def _change(self, configuration: JsonObject, old: str | None, found: AnyMark) -> Change | None:
        mark = self._whole(found)
        if isinstance(mark, DamagedMark):
            self._note_damaged(mark)
            return None
        if not self._is_chosen(mark):
            return None
        current = client_config_of(configuration, mark.webhook)
        change = Change(key=mark.key, webhook=mark.webhook, old_mark=old, mark=None)
        if current is None:
            self._note(mark, Result.GONE, "the webhook is not in it any more")
            return change
        merged = merge_back(current, mark)
        if merged is None:
            self._note(mark, Result.KEPT, "its clientConfig was changed by somebody else")
            return change
        why = "" if is_ours(current, mark) else "what somebody else changed of it was kept"
        self._note(mark, Result.RESTORED, why)
        return Change(
            key=mark.key,
            webhook=mark.webhook,
            old_mark=old,
            mark=None,
            old=current,
            new=merged,
        )

    def _is_chosen(self, mark: Mark) -> bool:
        if self.selection.session is not None:
            return mark.session == self.selection.session
        if self.selection.service is not None:
            return _leads_to(mark, self.selection.service)
        if self.selection.force or mark.lease.has_ended(now=self.now):
            return True
        if not self.selection.expired:
            self._note(mark, Result.LIVING, "", lease=mark.lease)
        return False

    def _whole(self, found: AnyMark) -> AnyMark:
        """What a damaged annotation was, where a backup has it."""
        if isinstance(found, Mark):
            return found
        known = self._known()
        return next((each for each in known if each.key == found.key), found)

    def _note_damaged(self, mark: DamagedMark) -> None:
        if self.selection.session is not None or self.selection.service is not None:
            return
        self.outcomes[mark.configuration, mark.key] = Outcome(
            configuration=mark.configuration,
            webhook=f"the annotation {mark.key}",
            result=Result.DAMAGED,
            why=mark.why,
        )

    def _unmarked(self, configuration: JsonObject) -> Iterator[tuple[None, Mark]]:
        """Webhooks that lead to the proxy although somebody removed the annotation."""
        name = text_at(object_at(configuration, "metadata"), "name")
        marked = {mark.key for _, mark in read_marks(configuration)}
        seen: set[str] = set()
        for mark in self._known():
            current = client_config_of(configuration, mark.webhook)
            if mark.configuration != name or mark.key in marked | seen or current is None:
                continue
            if is_ours(current, mark):
                seen.add(mark.key)
                yield None, mark

    def _known(self) -> Iterator[Mark]:
        for backup in (*([self.given] if self.given else []), *self.backups):
            yield from backup.marks

    def _note(self, mark: Mark, result: Result, why: str, *, lease: Lease | None = None) -> None:
        self.outcomes[mark.configuration, mark.key] = Outcome(
            configuration=mark.configuration,
            webhook=mark.webhook,
            result=result,
            why=why,
            lease=lease,
        )


async def restore(
    api: ClusterApi, selection: Selection, *, now: datetime, places: Places | None = None
) -> tuple[Outcome, ...]:
    """Put back what is selected; what became of every webhook that is, or was, intercepted.

    Takes get and list of MutatingWebhookConfigurations and patch of those that are restored.
    Raises ClusterError when something could not be done, InputError for a `places.file` that is no
    backup. Run it again then: what is done is done.
    """
    where = places or Places()
    found = await list_objects(api, CONFIGURATIONS)
    files = [*find_backups(where.folder)] if where.folder is not None else []
    here = [(file, each) for file, each in files if _is_of(each, where.server, found)]
    given = load_backup(where.file) if where.file is not None else None
    run = _Restoration(
        selection=selection, now=now, backups=[each for _, each in here], given=given
    )
    for configuration in found:
        if run.concerns(configuration):
            name = text_at(object_at(configuration, "metadata"), "name")
            if await change_configuration(api, name, run.plan, known=configuration) is None:
                _note_deleted(run, name)
    named = [(where.file, given)] if where.file is not None and given is not None else []
    if where.folder is not None:
        remove_partial(where.folder, now=now.timestamp())
    _forget(run, [*here, *named], found)
    return tuple(run.outcomes.values())


def describe_outcome(outcome: Outcome) -> str:
    """One line for people."""
    words = {
        Result.RESTORED: "restored",
        Result.KEPT: "left as it is, only our annotation was removed",
        Result.GONE: "nothing to restore, only our annotation was removed",
        Result.DELETED: "nothing to restore",
        Result.LIVING: "left alone: it is in use",
        Result.DAMAGED: "left alone: what it was is not known",
    }
    why = f" ({outcome.why})" if outcome.why else ""
    until = ""
    if outcome.lease is not None:
        owner = f"by {outcome.lease.owner} " if outcome.lease.owner else ""
        until = f" {owner}until {outcome.lease.expires.isoformat(timespec='seconds')}"
    return f"{outcome.identity}: {words[outcome.result]}{until}{why}"


def _forget(
    run: _Restoration, files: Sequence[tuple[Path, Backup]], found: Sequence[JsonObject]
) -> None:
    """Remove the backups of which nothing is left in the cluster, and say what was deleted."""
    there = {text_at(object_at(each, "metadata"), "name") for each in found}
    for file, backup in files:
        if not _is_over(run, backup) or any(_is_left(run, mark) for mark in backup.marks):
            continue
        for mark in backup.marks:
            if mark.configuration not in there:
                run.outcomes.setdefault(
                    (mark.configuration, mark.key),
                    _deleted(mark.configuration, mark.webhook),
                )
        remove_backup(file)


def _is_over(run: _Restoration, backup: Backup) -> bool:
    selection = run.selection
    if selection.session is not None:
        return selection.session == backup.session
    if selection.service is not None:
        return _all_lead(backup, selection.service)
    return selection.force or backup.lease.has_ended(now=run.now)


def _is_left(run: _Restoration, mark: Mark) -> bool:
    outcome = run.outcomes.get((mark.configuration, mark.key))
    return outcome is not None and outcome.result in {Result.LIVING, Result.DAMAGED}


def _note_deleted(run: _Restoration, name: str) -> None:
    for key, outcome in run.outcomes.items():
        if key[0] == name:
            run.outcomes[key] = _deleted(name, outcome.webhook)


def _deleted(configuration: str, webhook: str) -> Outcome:
    return Outcome(
        configuration=configuration,
        webhook=webhook,
        result=Result.DELETED,
        why="its configuration was deleted: there is nothing to restore",
    )


def _is_of(backup: Backup, server: str, found: Sequence[JsonObject]) -> bool:
    """Whether a file is of this cluster: by its URL, or by an object no other cluster has."""
    uids = {text_at(object_at(each, "metadata"), "uid") for each in found} - {""}
    return (bool(server) and backup.server == server) or bool(uids & backup.uids)


def _leads_to(mark: Mark, service: ServiceReference) -> bool:
    given = object_at(mark.ours, "service")
    return (given.get("namespace"), given.get("name")) == (service.namespace, service.name)


def _all_lead(backup: Backup, service: ServiceReference) -> bool:
    return all(_leads_to(mark, service) for mark in backup.marks)
