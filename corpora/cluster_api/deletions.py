"""How is an object of ours deleted, and no other instead?

By its uid: a name may have been given again.
"""

from typing import Final

import orjson

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterApi, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import list_at, object_at, text_at

# Gone already, or another object has the name.
_NOT_OURS_ANY_MORE: Final = frozenset({404, 409})


async def delete_exactly(api: ClusterApi, collection: str, found: JsonObject) -> None:
    """Delete `found` of a collection. Raises ClusterError when it may still be there."""
    name = text_at(object_at(found, "metadata"), "name")
    if not name:  # without one, the path would be that of all of them
        raise cluster_error(f"DELETE {collection}", "its name is not known", Trouble.BROKEN)
    path = f"{collection}/{name}"
    body: JsonObject = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if uid := text_at(object_at(found, "metadata"), "uid"):
        body["preconditions"] = {"uid": uid}
    request = ClusterRequest(method="DELETE", path=path, query={}, body=orjson.dumps(body))
    try:
        answer = await api.ask(request)
        said = _objection(answer)
        if said is not None:
            trouble = trouble_of(answer.status)
            raise cluster_error(f"DELETE {path}", said, trouble, status=answer.status)
    except ClusterError as error:
        raise ClusterError(
            error.message,
            hint=f"It is left behind in the cluster: `kubectl delete --raw {path}` removes it.",
            trouble=error.trouble,
            status=error.status,
        ) from error


def _objection(answer: ClusterAnswer) -> str | None:
    """Why the object may still be there; None when it is gone, or going by itself."""
    if answer.status in _NOT_OURS_ANY_MORE:
        return None
    if answer.status >= 300:  # noqa: PLR2004 - HTTP
        return answer.message
    finalizers = list_at(object_at(answer.document() or {}, "metadata"), "finalizers")
    return f"held by the finalizers {', '.join(map(str, finalizers))}" if finalizers else None
