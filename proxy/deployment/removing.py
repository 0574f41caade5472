"""How is an installation taken away, so that nothing is left and nothing else goes?

Every object by its uid, found by label, the workloads first; the namespace last, and only when it
is ours and nobody put anything into it. Whatever is gone already is no error: an uninstall that was
interrupted is completed by the next one.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final

from webhook_fuzz.corpora.cluster_api.deletions import delete_exactly
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, list_objects
from webhook_fuzz.corpora.errors import IncompleteRunError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at, objects_at
from webhook_fuzz.proxy.deployment.applying import is_ours, read_present
from webhook_fuzz.proxy.deployment.installations import LABELS, Installation, Volume, build_objects
from webhook_fuzz.proxy.deployment.places import NAMESPACES, collection_of, name_of, title_of

_POLL_SECONDS: Final = 0.5
# What Kubernetes itself puts into every namespace.
_ALWAYS_THERE: Final = frozenset(
    {
        ("ConfigMap", "kube-root-ca.crt"),
        ("ConfigMap", "openshift-service-ca.crt"),
        ("ServiceAccount", "default"),
    }
)
_LOOKED_AT: Final = ("ConfigMap", "Secret", "Service", "PersistentVolumeClaim", "Deployment")


async def find_installed(api: ClusterApi, namespace: str) -> list[JsonObject]:
    """What is installed for a namespace, in the order it is to be deleted in.

    Raises ClusterError where something could not be listed.
    """
    # With a volume, for the claim to be among what is looked for.
    wanted = build_objects(Installation(namespace=namespace, volume=Volume(size="1Gi")))
    found: list[JsonObject] = []
    for collection in dict.fromkeys(collection_of(each) for each in reversed(wanted)):
        inside = f"/namespaces/{namespace}/" in collection
        names = {name_of(each) for each in wanted if collection_of(each) == collection}
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in LABELS.items())}
        # What is in no namespace has a name of this installation; another one may be there too.
        found += [
            each
            for each in await list_objects(api, collection, query)
            if inside or name_of(each) in names
        ]
    return found


async def remove_installation(
    api: ClusterApi, namespace: str, *, seconds: float, tell: Callable[[str], None]
) -> None:
    """Delete all that is installed for a namespace, and wait until it is gone.

    Raises IncompleteRunError when something is left after `seconds`, or when there are objects of
    others in the namespace, which then stays; ClusterError when something cannot be deleted.
    """
    installed = await find_installed(api, namespace)
    spaces = [each for each in installed if each.get("kind") == "Namespace"]
    for each in installed:
        # A claim is held by a finalizer until no pod uses it: it goes with its namespace.
        if each not in spaces and each.get("kind") != "PersistentVolumeClaim":
            await delete_exactly(api, collection_of(each), each)
            tell(f"deleted {title_of(each)}")
    if spaces:
        await _remove_namespace(api, spaces[0], seconds=seconds, tell=tell)


async def _remove_namespace(
    api: ClusterApi, space: JsonObject, *, seconds: float, tell: Callable[[str], None]
) -> None:
    name = name_of(space)
    others = [title_of(each) for each in await _find_others(api, name)]
    if others:
        raise IncompleteRunError(
            f"the namespace {name} stays: {', '.join(others)} in it is not of this installation",
            hint="Everything else is deleted, but for a claim of recordings. "
            f"`kubectl delete namespace {name}` takes all in it.",
        )
    await delete_exactly(api, NAMESPACES, space)
    tell(f"deleted {title_of(space)}, waiting until its pods are gone")
    deadline = time.monotonic() + seconds
    while (left := await read_present(api, space)) is not None and _is_same(left, space):
        if time.monotonic() >= deadline:
            raise IncompleteRunError(
                f"the namespace {name} is not gone after {seconds:.0f} s{_why(left)}",
                hint="It is being deleted, and goes by itself; run the command again to wait.",
            )
        await asyncio.sleep(_POLL_SECONDS)
    tell(f"{title_of(space)} is gone")


async def _find_others(api: ClusterApi, namespace: str) -> list[JsonObject]:
    """Objects people put there; pods are not looked at, for those of ours are still going."""
    wanted = build_objects(Installation(namespace=namespace, volume=Volume(size="1Gi")))
    found: list[JsonObject] = []
    for collection in {collection_of(each): None for each in wanted if each["kind"] in _LOOKED_AT}:
        found += [each for each in await list_objects(api, collection) if _is_foreign(each)]
    return found


def _is_foreign(found: JsonObject) -> bool:
    kind, name = str(found.get("kind")), name_of(found)
    token = found.get("type") == "kubernetes.io/service-account-token"
    return not is_ours(found) and (kind, name) not in _ALWAYS_THERE and not token


def _is_same(left: JsonObject, deleted: JsonObject) -> bool:
    return object_at(left, "metadata").get("uid") == object_at(deleted, "metadata").get("uid")


def _why(namespace: JsonObject) -> str:
    """What holds it up. Source: pkg/controller/namespace/deletion/status_condition_utils.go."""
    said = "; ".join(_held_by(namespace))
    return f": {said}" if said else ""


def _held_by(namespace: JsonObject) -> Iterator[str]:
    for condition in objects_at(object_at(namespace, "status"), "conditions"):
        if condition.get("status") == "True":
            yield str(condition.get("message", ""))
