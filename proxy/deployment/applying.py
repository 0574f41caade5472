"""How do manifests become objects of a cluster?

By server-side apply (KEP-555), so that doing it again after an interruption, or with another
image, is the same as doing it once. What has the name but is not ours is never touched: everything
is looked at before anything is written.
"""

from collections.abc import Callable, Sequence
from typing import Final

import orjson

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, ClusterRequest, get_object
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.proxy.deployment.installations import LABELS
from webhook_fuzz.proxy.deployment.places import path_of, title_of

FIELD_MANAGER: Final = "webhook-fuzz"
_OK: Final = 300


def is_ours(found: JsonObject) -> bool:
    """Whether an object carries the labels of what is installed."""
    labels = object_at(found, "metadata", "labels")
    return all(labels.get(key) == value for key, value in LABELS.items())


async def read_present(api: ClusterApi, manifest: JsonObject) -> JsonObject | None:
    """The object as it is in the cluster, None where there is none. Raises ClusterError."""
    try:
        return await get_object(api, path_of(manifest))
    except ClusterError as error:
        if error.trouble is Trouble.NOT_FOUND:
            return None
        raise


async def check_nothing_foreign(api: ClusterApi, objects: Sequence[JsonObject]) -> None:
    """Raises InputError where an object of somebody else has one of the names."""
    for each in objects:
        found = await read_present(api, each)
        if found is None:
            continue
        if not is_ours(found):
            raise InputError(
                f"there is a {title_of(each)} that is not of this installation",
                hint="Choose another namespace with --namespace, or delete it if it is not needed.",
            )
        if "deletionTimestamp" in object_at(found, "metadata"):
            raise InputError(
                f"the {title_of(each)} is still being deleted",
                hint="Wait until it is gone (`kubectl get namespaces`), then try again.",
            )


async def apply_objects(
    api: ClusterApi, objects: Sequence[JsonObject], *, tell: Callable[[str], None]
) -> list[JsonObject]:
    """Apply them one after the other; what became of them.

    Raises ClusterError at the first one the API server refuses: what was applied before stays, and
    is completed by the next try or taken away by `remove_installation`.
    """
    applied: list[JsonObject] = []
    for each in objects:
        applied.append(await apply_object(api, each))
        tell(f"applied {title_of(each)}")
    return applied


async def apply_object(api: ClusterApi, manifest: JsonObject) -> JsonObject:
    """Apply one. Unknown fields are refused, not dropped. Raises ClusterError."""
    path = path_of(manifest)
    request = ClusterRequest(
        method="PATCH",
        path=path,
        # Forced: the object is ours, whoever wrote to it in between.
        query={"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"},
        body=orjson.dumps(manifest),  # JSON is YAML
        content_type="application/apply-patch+yaml",
    )
    answer = await api.ask(request)
    if answer.status >= _OK:
        raise cluster_error(
            f"PATCH {path}", answer.message, trouble_of(answer.status), status=answer.status
        )
    return answer.document() or {}
