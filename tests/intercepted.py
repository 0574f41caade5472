"""A cluster with webhooks of every kind, an interception of it, and a way to be killed meanwhile.

A killed process does nothing more, whatever its `finally` says: after the fault every request and
every write fails as well. Moments are counted in steps: before and after each request and each
write, and a file half-way.
"""

import base64
import contextlib
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar
from unittest import mock

from patching_clusters import (
    PatchingCluster,
    configuration,
    service_config,
    webhook,
    with_services,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterApi, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.proxy.interception import backups
from webhook_fuzz.proxy.interception.interceptions import Prepared
from webhook_fuzz.proxy.interception.options import InterceptionOptions, Target
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS
from webhook_fuzz.proxy.interception.preparing import prepare_interception
from webhook_fuzz.proxy.interception.restoring import Outcome, Places, Selection, restore
from webhook_fuzz.proxy.interception.waiting import NO_PATIENCE

_Given = ParamSpec("_Given")
_Done = TypeVar("_Done")

SERVER = "https://api.example.com:6443"
CA_PEM = b"-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n"
BUNDLE = base64.b64encode(CA_PEM.replace(b"b3Vycw==", b"dGhlaXJz")).decode()
TARGET = Target(service=ServiceReference(namespace="fuzz", name="proxy"))
OPTIONS = InterceptionOptions(target=TARGET, server=SERVER)
MESH, SECRETS = "10-mesh", "20-secrets"
ALL = (
    f"{MESH}/inject.example.com",
    f"{MESH}/rewrite.example.com",
    f"{MESH}/url.example.com",
    f"{SECRETS}/secrets.example.com",
)


def staging() -> PatchingCluster:
    """Four webhooks: by Service, without a path, by URL; one configuration has no annotations."""
    cluster = PatchingCluster()
    with_services(cluster, "mesh/injector", "secrets/agent")
    injector = service_config("mesh", "injector", path="/inject", bundle=BUNDLE)
    rewriter = service_config("mesh", "injector")
    by_url: JsonObject = {"url": "https://hooks.example.com:8443/a_b/mutate", "caBundle": BUNDLE}
    cluster.put(
        CONFIGURATIONS,
        configuration(
            MESH,
            webhook("inject.example.com", injector),
            webhook("rewrite.example.com", rewriter, failurePolicy="Ignore"),
            webhook("url.example.com", by_url, timeoutSeconds=3),
            annotations={"meta.helm.sh/release-name": "mesh"},
            labels={"app": "mesh"},
        ),
    )
    agent = service_config("secrets", "agent", path="/", bundle=BUNDLE)
    cluster.put(CONFIGURATIONS, configuration(SECRETS, webhook("secrets.example.com", agent)))
    return cluster


async def anybody(_host: str, _port: int) -> bool:
    """Everything can be connected to."""
    return True


async def prepared(
    api: ClusterApi,
    folder: Path,
    *webhooks: str,
    options: InterceptionOptions = OPTIONS,
    said: list[str] | None = None,
) -> Prepared:
    """An interception that does not wait; of all webhooks where none are named."""
    chosen = replace(options, webhooks=webhooks or ALL, backup_folder=folder)
    lines: list[str] = [] if said is None else said
    found = await prepare_interception(api, chosen, tell=lines.append, dials=anybody)
    return replace(found, patience=NO_PATIENCE, pauses=())


async def restored(
    api: ClusterApi, folder: Path, *, hours: float = 2, selection: Selection | None = None
) -> Sequence[Outcome]:
    """What `webhook-fuzz restore` does, `hours` later: by then no lease is left."""
    return await restore(
        api,
        selection or Selection(),
        now=datetime.now(UTC) + timedelta(hours=hours),
        places=Places(folder=folder, server=SERVER),
    )


def files(folder: Path) -> list[str]:
    """Everything that is in the backup folder, hidden files too."""
    return sorted(each.name for each in folder.glob("**/*") if each.is_file())


class Killed(BaseException):
    """SIGKILL. Nothing catches it."""


@dataclass(slots=True)
class Killer:
    """Kills at the step with a number; `steps` is how many there were."""

    at: int
    steps: int = 0
    names: list[str] = field(default_factory=list[str])
    dead: bool = False

    def step(self, name: str) -> None:
        """One moment at which the process may be killed."""
        if self.dead:
            raise Killed
        self.names.append(name)
        self.steps += 1
        if self.steps > self.at:
            self.dead = True
            raise Killed


@dataclass(slots=True)
class KilledApi:
    """Between a process that is killed and its API server."""

    cluster: ClusterApi
    killer: Killer

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        what = f"{request.method} {request.path}"
        self.killer.step(f"before {what}")
        answer = await self.cluster.ask(request)
        self.killer.step(f"after {what}")
        return answer


@contextlib.contextmanager
def killed_files(killer: Killer) -> Generator[None]:
    """Every write of the block may be the last."""

    def half(file: Path, data: bytes) -> None:
        killer.step("before the file is written")
        write(file, data[: len(data) // 2])
        killer.step("half of the file is written")
        write(file, data)
        killer.step("after the file was written")

    def around(action: Callable[_Given, _Done], name: str) -> Callable[_Given, _Done]:
        def stepped(*args: _Given.args, **given: _Given.kwargs) -> _Done:
            killer.step(f"before {name}")
            done = action(*args, **given)
            killer.step(f"after {name}")
            return done

        return stepped

    write: Callable[[Path, bytes], None] = backups.__dict__["_write"]
    with (
        mock.patch.object(backups, "_write", half),
        mock.patch.object(Path, "replace", around(Path.replace, "a file is renamed")),
        mock.patch.object(Path, "unlink", around(Path.unlink, "a file is removed")),
        mock.patch.object(Path, "mkdir", around(Path.mkdir, "the folder is made")),
    ):
        yield


async def kill(
    cluster: ClusterApi,
    folder: Path,
    at: int,
    *webhooks: str,
    options: InterceptionOptions = OPTIONS,
) -> Killer:
    """Intercept and end, killed at the step `at`; `dead` says whether it got that far."""
    killer = Killer(at)
    api = KilledApi(cluster, killer)
    with contextlib.suppress(Killed), killed_files(killer):
        interception = await prepared(api, folder, *webhooks, options=options)
        async with interception.active(CA_PEM):
            pass
    return killer


async def at_every_step(attempt: Callable[[int], Awaitable[Killer]], *, least: int) -> list[str]:
    """Try with every step as the last one until none is left; their names."""
    at = 0
    while True:
        killer = await attempt(at)
        if not killer.dead:
            assert at >= least, f"only {at} steps: {killer.names}"
            return killer.names
        at += 1
