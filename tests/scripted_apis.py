"""An API server that answers what a function says: for requests that are more than looking up."""

import json
from collections.abc import Callable
from typing import TypeAlias

from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject

Respond: TypeAlias = Callable[[ClusterRequest], ClusterAnswer | Exception]


class ScriptedApi:
    """Stands behind the seam `ClusterApi`."""

    def __init__(self, respond: Respond) -> None:
        self.asked: list[ClusterRequest] = []
        self._respond = respond

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """What `respond` makes of the request; it raises an exception it is given."""
        self.asked.append(request)
        answer = self._respond(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(document: JsonObject, status: int = 200) -> ClusterAnswer:
    """A JSON answer."""
    return ClusterAnswer(
        status=status, body=json.dumps(document).encode(), content_type="application/json"
    )


def refusal(status: int, message: str, reason: str = "", **details: str) -> ClusterAnswer:
    """A Status object, as the API server refuses."""
    body: JsonObject = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": dict(details),
        "code": status,
    }
    return answer(body, status)
