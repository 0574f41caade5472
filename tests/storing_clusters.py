"""An API server that keeps what is created and forgets what is deleted, behind the project's seam.

`alter` changes an object on its way in, as a webhook would; `refuse` answers instead of the server.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject

Refuse: TypeAlias = Callable[[ClusterRequest], ClusterAnswer | None]
Alter: TypeAlias = Callable[[JsonObject], JsonObject]


def status(code: int, message: str) -> ClusterAnswer:
    """A Status object."""
    body = {"kind": "Status", "message": message, "code": code}
    return ClusterAnswer(status=code, body=json.dumps(body).encode())


def document(found: object, code: int = 200) -> ClusterAnswer:
    """Any JSON."""
    return ClusterAnswer(status=code, body=json.dumps(found).encode())


@dataclass(kw_only=True)
class StoringCluster:
    """`stored` maps the path of an object to it."""

    stored: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    asked: list[ClusterRequest] = field(default_factory=list[ClusterRequest])
    refuse: Refuse = lambda _: None
    alter: Alter = lambda stored: stored

    def put(self, collection: str, found: JsonObject) -> None:
        """As if somebody else had created it."""
        metadata = cast("JsonObject", found["metadata"])
        self.stored[f"{collection}/{metadata['name']}"] = found

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """Create, read, list or delete."""
        self.asked.append(request)
        refused = self.refuse(request)
        if refused is not None:
            return refused
        match request.method:
            case "POST":
                return self._create(request)
            case "DELETE":
                return self._delete(request)
            case _:
                return self._read(request)

    def did(self, method: str) -> list[str]:
        """The paths of the requests with a method."""
        return [request.path for request in self.asked if request.method == method]

    def _create(self, request: ClusterRequest) -> ClusterAnswer:
        created: JsonObject = json.loads(request.body or b"")
        metadata = cast("JsonObject", created["metadata"])
        metadata.setdefault("name", f"{metadata.get('generateName', '')}x{len(self.asked)}")
        metadata["uid"] = f"uid-{len(self.asked)}"
        created = self.alter(created)
        if request.query.get("dryRun") != "All":
            self.put(request.path, created)
        return document(created, 201)

    def _delete(self, request: ClusterRequest) -> ClusterAnswer:
        found = self.stored.get(request.path)
        if found is None:
            return status(404, "not found")
        wanted: object = json.loads(request.body or b"").get("preconditions", {}).get("uid")
        if wanted is not None and wanted != cast("JsonObject", found["metadata"])["uid"]:
            return status(409, "the UID in the precondition does not match")
        return document(self.stored.pop(request.path))

    def _read(self, request: ClusterRequest) -> ClusterAnswer:
        if request.path in self.stored:
            return document(self.stored[request.path])
        inside = [
            found for path, found in self.stored.items() if path.rpartition("/")[0] == request.path
        ]
        if not inside and request.path.rpartition("/")[0] == "/api/v1/namespaces":
            return status(404, "not found")
        return document({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": inside})
