"""In which namespace are pods tried, and how is nothing left behind?

One that is given, which must exist and is not changed; or a temporary one with labels of its own
that is deleted afterwards, after a crash at the next start. Whatever of it refuses pods besides
webhooks (PodSecurity, quotas, limit ranges) is read, so that it can be told.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from webhook_fuzz.corpora.cluster_api.deletions import delete_exactly
from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    Unseen,
    attempt,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.leases import MANAGED_BY, TOOL, is_over, new_lease
from webhook_fuzz.corpora.cluster_api.requests import (
    ClusterAnswer,
    ClusterApi,
    ClusterRequest,
    get_object,
    list_objects,
)
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.fuzzer.apiserver.denials import Refuser, read_denial
from webhook_fuzz.fuzzer.apiserver.selectors import object_labels
from webhook_fuzz.fuzzer.cluster.deletions import whatever_happens
from webhook_fuzz.fuzzer.cluster.restrictions import Restrictions, read_restrictions

_NAMESPACES: Final = "/api/v1/namespaces"
_PREFIX: Final = "webhook-fuzz-"
# The alphabet of generated names: k8s.io/apimachinery/pkg/util/rand/rand.go alphanums.
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH: Final = 5
# A name that is taken: one in fourteen million.
_NAME_ATTEMPTS: Final = 3
# Its service account is made by a controller, a moment after the namespace itself.
_USABLE_ATTEMPTS: Final = 20
_USABLE_PAUSE_SECONDS: Final = 0.25
_PROBE: Final[JsonObject] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "webhook-fuzz-"},
    "spec": {"containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}]},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceOptions:
    """`name` is an existing namespace; without one, a temporary one with `labels` is made.

    `lifetime` is when a temporary one counts as left behind even if nobody knows what became of
    its owner: longer than any run.
    """

    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    lifetime: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkNamespace:
    """A namespace to try pods in. `labels` are those it has, as namespaceSelectors see them."""

    name: str
    labels: Mapping[str, str]
    temporary: bool
    restrictions: Restrictions = field(default_factory=Restrictions)

    def lacks(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Which of the labels a trigger wants of its namespace are not there."""
        return {key: value for key, value in wanted.items() if self.labels.get(key) != value}


@asynccontextmanager
async def work_namespace(
    api: ClusterApi, options: NamespaceOptions
) -> AsyncGenerator[WorkNamespace]:
    """The namespace for the time of the block.

    A temporary one is deleted whatever ends the block. Raises InputError when the given one does
    not exist, ClusterError when it cannot be read, made or deleted.
    """
    if options.name is not None:
        yield await _read_given(api, options.name)
        return
    await delete_leftovers(api)
    created = await _create(api, options)
    try:
        await _wait_until_usable(api, created)
        yield WorkNamespace(
            name=text_at(object_at(created, "metadata"), "name"),
            labels=object_labels(created),
            temporary=True,
            restrictions=await read_restrictions(api, created),
        )
    except BaseException:
        # What went wrong is what is told, not that deleting fails too.
        await whatever_happens(attempt(delete_exactly(api, _NAMESPACES, created), "it"))
        raise
    await whatever_happens(delete_exactly(api, _NAMESPACES, created))


async def delete_leftovers(api: ClusterApi) -> tuple[str, ...]:
    """Delete the temporary namespaces of runs that crashed; their names.

    What cannot be listed or deleted stays: it is tried again at the next start.
    """
    query = {"labelSelector": f"{MANAGED_BY}={TOOL}"}
    found = await attempt(list_objects(api, _NAMESPACES, query), "namespaces")
    if isinstance(found, Unseen):
        return ()
    left = [each for each in found if _is_left_behind(each)]
    await asyncio.gather(*(attempt(delete_exactly(api, _NAMESPACES, each), "it") for each in left))
    return tuple(text_at(object_at(each, "metadata"), "name") for each in left)


def _is_left_behind(namespace: JsonObject) -> bool:
    """Ours by label, by name and by lease: deleting a namespace deletes all in it."""
    metadata = object_at(namespace, "metadata")
    return (
        object_labels(namespace).get(MANAGED_BY) == TOOL
        and text_at(metadata, "name").startswith(_PREFIX)
        and "deletionTimestamp" not in metadata
        and is_over(metadata, now=datetime.now(UTC))
    )


async def _read_given(api: ClusterApi, name: str) -> WorkNamespace:
    try:
        found = await get_object(api, f"{_NAMESPACES}/{name}")
    except ClusterError as error:
        if error.trouble is Trouble.NOT_FOUND:
            raise InputError(
                f"there is no namespace {name}",
                hint="Give one that exists with --namespace, or leave it out for a temporary one.",
            ) from error
        raise
    if "deletionTimestamp" in object_at(found, "metadata"):
        raise InputError(
            f"the namespace {name} is being deleted", hint="Give another one with --namespace."
        )
    return WorkNamespace(
        name=name,
        labels=object_labels(found),
        temporary=False,
        restrictions=await read_restrictions(api, found),
    )


async def _create(
    api: ClusterApi, options: NamespaceOptions, *, attempts: int = _NAME_ATTEMPTS
) -> JsonObject:
    lease = new_lease(now=datetime.now(UTC), lifetime=options.lifetime)
    name = _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    metadata: JsonObject = {
        "name": name,
        "labels": {**options.labels, MANAGED_BY: TOOL},
        "annotations": {**lease.annotations()},
    }
    sent: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    answer = await _send(api, sent)
    found = answer.document() or {}
    if answer.status < 300:  # noqa: PLR2004 - HTTP
        return found if text_at(object_at(found, "metadata"), "name") == name else sent
    if attempts > 1 and read_denial(found).refuser is Refuser.EXISTS:
        return await _create(api, options, attempts=attempts - 1)
    raise cluster_error(
        f"POST {_NAMESPACES}", answer.message, trouble_of(answer.status), status=answer.status
    )


async def _send(api: ClusterApi, namespace: JsonObject) -> ClusterAnswer:
    try:
        return await api.ask(
            ClusterRequest(method="POST", path=_NAMESPACES, query={}, body=orjson.dumps(namespace))
        )
    except BaseException:  # it may exist although the answer was lost
        await whatever_happens(attempt(delete_exactly(api, _NAMESPACES, namespace), "it"))
        raise


async def _wait_until_usable(api: ClusterApi, namespace: JsonObject) -> None:
    """Until a pod is not refused any more for a service account that is yet to be made."""
    name = text_at(object_at(namespace, "metadata"), "name")
    request = ClusterRequest(
        method="POST",
        path=f"{_NAMESPACES}/{name}/pods",
        query={"dryRun": "All"},
        body=orjson.dumps(_PROBE),
    )
    for _ in range(_USABLE_ATTEMPTS):
        answer = await api.ask(request)
        denial = read_denial(answer.document() or {})
        if denial.refuser is not Refuser.SERVICE_ACCOUNT:
            return
        await asyncio.sleep(_USABLE_PAUSE_SECONDS)
