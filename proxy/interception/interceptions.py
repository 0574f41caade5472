"""How are webhooks called through the proxy for a while, and restored whatever happens?

The backup is written first; then each configuration is changed by one patch that leaves both the
new clientConfig and the annotation to undo it. On the way out (the end, an error half-way, a
cancelled task, SIGTERM by whoever catches it) everything is put back, and the proxy keeps serving
until nobody calls it any more. A killed process leaves annotations and a file: restoring.py.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.cluster_api.leases import Lease, new_lease
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi
from webhook_fuzz.corpora.errors import IncompleteRunError, InputError, WebhookFuzzError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.proxy.interception.backups import Backup, save_backup
from webhook_fuzz.proxy.interception.choosing import Chosen
from webhook_fuzz.proxy.interception.keeping import Keeper
from webhook_fuzz.proxy.interception.marks import (
    MOST_BYTES,
    Mark,
    is_ours,
    read_marks,
    render_mark,
)
from webhook_fuzz.proxy.interception.options import InterceptionOptions, default_backup_folder
from webhook_fuzz.proxy.interception.patches import (
    Change,
    Patch,
    build_patch,
    change_configuration,
    client_config_of,
    send_patch,
)
from webhook_fuzz.proxy.interception.rerouting import identify, reroute
from webhook_fuzz.proxy.interception.restoring import (
    Outcome,
    Places,
    Selection,
    describe_outcome,
    restore,
)
from webhook_fuzz.proxy.interception.waiting import (
    Patience,
    Probes,
    Seen,
    wait_until_called,
    wait_until_left,
)
from webhook_fuzz.proxy.interception.warnings import undo_lines, warn
from webhook_fuzz.proxy.routes import Route

_LOOK_SECONDS: Final = 5.0
# While no API server answers: together a minute and a half.
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An interception that may be entered once. Nothing has been changed yet.

    `routes` are the proxy's. `patience` is for whoever knows better how long to wait.
    """

    api: ClusterApi
    options: InterceptionOptions
    chosen: tuple[Chosen, ...]
    configurations: Mapping[str, JsonObject] = field(repr=False)
    routes: tuple[Route, ...]
    probes: Probes
    session: str
    tell: Callable[[str], None]
    patience: Patience = field(default_factory=Patience)
    look_seconds: float = _LOOK_SECONDS
    pauses: tuple[float, ...] = _PAUSES

    @property
    def names(self) -> tuple[str, ...]:
        """What the proxy's certificate must be for."""
        return (self.options.target.server_name,)

    @property
    def identities(self) -> tuple[str, ...]:
        """The webhooks, `CONFIG/NAME`."""
        return tuple(each.webhook.identity for each in self.chosen)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before, one sentence each."""
        return tuple(warn([each.webhook for each in self.chosen]))

    @property
    def undo(self) -> tuple[str, ...]:
        """Shell lines that undo it with kubectl and jq."""
        return undo_lines([*self.configurations])

    @property
    def backup_folder(self) -> Path:
        """Where the backup is written."""
        return self.options.backup_folder or default_backup_folder()

    def patches(self, ca_pem: bytes) -> dict[str, Patch]:
        """The exact patches by configuration, as `kubectl patch --type=json` takes them."""
        lease = self._lease(standing=False)
        return {
            name: self._plan(configuration, ca_pem, lease)
            for name, configuration in self.configurations.items()
        }

    async def validate(self, ca_pem: bytes) -> None:
        """Have the API server try the patches (dryRun=All). Raises ClusterError for a refusal."""
        for name, patch in self.patches(ca_pem).items():
            await send_patch(self.api, name, patch, dry_run=True)

    @asynccontextmanager
    async def active(self, ca_pem: bytes, *, seen: Seen | None = None) -> AsyncGenerator[Keeper]:
        """Intercepted and really called through the proxy inside; as before when it is left.

        The proxy must listen already, and keep serving until this is left. `seen` tells how many
        exchanges there were so far by `CONFIG/NAME`. Raises ClusterError or InputError when the
        cluster cannot be changed, with everything put back; IncompleteRunError when it cannot be
        put back: then `webhook-fuzz restore` does.
        """
        lease = self._lease(standing=False)
        keeper = Keeper(
            api=self.api,
            session=self.session,
            configurations=[*self.configurations],
            ttl=self.options.ttl,
            expires=lease.expires,
            tell=self.tell,
        )
        looking: asyncio.Task[None] | None = None
        try:
            keeper.expect(await self._apply(ca_pem, lease))
            looking = asyncio.create_task(self._look(keeper))
            await self._wait(seen)
            yield keeper
        finally:
            await see_through(self._end(looking, seen))

    async def begin(self, ca_pem: bytes, *, seen: Seen | None = None) -> None:
        """Intercept without a process that looks after it: until the ttl is over, or `restore`.

        What is already intercepted for the same target is prolonged. Raises as `active` does, with
        everything put back.
        """
        try:
            await self._apply(ca_pem, self._lease(standing=True))
            await self._wait(seen)
        except BaseException:
            await see_through(self._put_back())
            raise

    def _lease(self, *, standing: bool) -> Lease:
        lease = new_lease(now=datetime.now(UTC), lifetime=self.options.ttl)
        return replace(lease, owner="") if standing else lease

    def _mark(self, chosen: Chosen, ca_pem: bytes, lease: Lease) -> Mark:
        configuration, name = chosen.webhook.configuration, chosen.webhook.name
        return Mark(
            configuration=configuration,
            webhook=name,
            session=self.session,
            lease=lease,
            original=chosen.original,
            ours=reroute(
                chosen.original,
                self.options.target,
                identifier=identify(configuration, name),
                ca_pem=ca_pem,
            ),
        )

    async def _apply(self, ca_pem: bytes, lease: Lease) -> list[Mark]:
        """Backup, then one patch a configuration."""
        marks = [self._mark(each, ca_pem, lease) for each in self.chosen]
        backup = Backup(
            session=self.session,
            server=self.options.server,
            # Whoever dies between the file and the cluster is not to leave a file for days.
            lease=new_lease(now=datetime.now(UTC), lifetime=self.options.ttl),
            originals=tuple(self.configurations.values()),
            marks=tuple(marks),
        )
        file = save_backup(backup, self.backup_folder)
        self.tell(f"backup: {file}")
        for name in self.configurations:
            plan = partial(self._plan, ca_pem=ca_pem, lease=lease)
            if await change_configuration(self.api, name, plan) is None:
                raise IncompleteRunError(
                    f"{name} was deleted meanwhile", hint="Run the command again without it."
                )
        return marks

    def _plan(self, configuration: JsonObject, ca_pem: bytes, lease: Lease) -> Patch:
        name = str(object_at(configuration, "metadata").get("name"))
        found = {mark.key: (old, mark) for old, mark in read_marks(configuration)}
        changes: list[Change] = []
        for chosen in self.chosen:
            if chosen.webhook.configuration != name:
                continue
            mark = self._mark(chosen, ca_pem, lease)
            old_mark, present = found.get(mark.key, (None, None))
            if isinstance(present, Mark) and present.session == self.session:
                continue  # an answer was lost, not the patch
            current = client_config_of(configuration, chosen.webhook.name)
            taken_over = chosen.taken_over
            if current is None or present != taken_over or not _expected(chosen, current):
                raise IncompleteRunError(
                    f"{mark.identity} was changed by somebody else meanwhile",
                    hint="Nothing is intercepted. Run the command again.",
                )
            changes.append(
                Change(
                    key=mark.key,
                    webhook=mark.webhook,
                    old_mark=old_mark,
                    mark=mark,
                    old=current,
                    new=mark.ours,
                )
            )
        _refuse_too_long(name, changes, configuration)
        return build_patch(configuration, changes)

    async def _wait(self, seen: Seen | None) -> None:
        self.tell("waiting until the API server uses it")
        waited = await wait_until_called(
            self.identities, self.probes, seen=seen, patience=self.patience
        )
        self.tell(f"intercepted: {waited.describe(self.patience.settle)}")

    async def _look(self, keeper: Keeper) -> None:
        pause = min(self.look_seconds, self.options.ttl.total_seconds() / 8)
        while True:
            await asyncio.sleep(pause)
            await keeper.look(datetime.now(UTC))

    async def _end(self, looking: asyncio.Task[None] | None, seen: Seen | None) -> None:
        if looking is not None:
            looking.cancel()
            # Whatever came of it, everything is put back.
            await asyncio.gather(looking, return_exceptions=True)
        outcomes = await self._put_back()
        if not outcomes:
            return
        quiet = await wait_until_left(
            self.identities, self.probes, seen=seen, patience=self.patience
        )
        if not quiet:
            self.tell(
                f"the API server still called the proxy {self.patience.most:g} s after everything "
                "was restored; calls from now on fail"
            )

    async def _put_back(self) -> tuple[Outcome, ...]:
        """Restore, again while no API server answers. Raises IncompleteRunError in the end."""
        error: WebhookFuzzError | None = None
        for pause in (*self.pauses, None):
            try:
                outcomes = await restore(
                    self.api,
                    Selection(session=self.session),
                    now=datetime.now(UTC),
                    places=Places(folder=self.backup_folder, server=self.options.server),
                )
            except (ClusterError, InputError) as failed:
                error = failed
                if pause is None or isinstance(failed, InputError):
                    break
                self.tell(f"not restored yet: {failed.message}; trying again in {pause:g} s")
                await asyncio.sleep(pause)
            else:
                for outcome in outcomes:
                    self.tell(describe_outcome(outcome))
                return outcomes
        raise IncompleteRunError(
            f"NOT RESTORED: {error.message if error else 'no reason is known'}",
            hint="The webhooks still lead to the proxy. Run `webhook-fuzz restore` as soon as the "
            "API server answers, or:\n  " + "\n  ".join(self.undo),
        ) from error


async def see_through(work: Coroutine[Any, Any, object]) -> None:
    """Do it to the end although this task is cancelled, and be cancelled then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:  # noqa: BLE001 - raised below, where it is the task's
            break
    task.result()
    if cancelled is not None:
        raise cancelled


def _expected(chosen: Chosen, current: JsonObject) -> bool:
    """Whether the clientConfig is as it was when the route was made."""
    taken_over = chosen.taken_over
    if taken_over is not None and is_ours(current, taken_over):
        return chosen.original == taken_over.original
    return current == chosen.original


def _refuse_too_long(name: str, changes: list[Change], configuration: JsonObject) -> None:
    annotations = object_at(object_at(configuration, "metadata"), "annotations")
    there = sum(len(key) + len(str(value)) for key, value in annotations.items())
    added = sum(len(each.key) + len(render_mark(each.mark)) for each in changes if each.mark)
    if there + added > MOST_BYTES:
        raise InputError(
            f"{name}: {len(changes)} webhooks at once need more room for the original clientConfig "
            f"than its annotations may have ({MOST_BYTES // 1024} KiB)",
            hint="Intercept fewer of its webhooks at once.",
        )
