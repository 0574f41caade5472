"""An API server that says what a test wants it to say.

`FakeCluster` stands behind the seam (`ClusterApi`); it knows objects by their collection's path,
and can be told to refuse a path.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject


@dataclass(kw_only=True)
class FakeCluster:
    """`collections` maps paths (`/api/v1/nodes`) to objects; `texts` maps paths to bodies.

    `refusals` maps the beginning of a path to a status and the message given with it.
    """

    collections: Mapping[str, Sequence[JsonObject]] = field(
        default_factory=dict[str, Sequence[JsonObject]]
    )
    objects: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    refusals: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    asked: list[ClusterRequest] = field(default_factory=list[ClusterRequest])

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """The answer for a path: a refusal, a text, an object, a list or 404."""
        self.asked.append(request)
        for beginning, (status, message) in self.refusals.items():
            if request.path.startswith(beginning):
                return _status(status, message)
        if request.path in self.texts:
            return ClusterAnswer(status=200, body=self.texts[request.path].encode())
        found = self._find(request)
        if found is None:
            return _status(404, f"{request.path} not found")
        return ClusterAnswer(status=200, body=json.dumps(found).encode())

    def _find(self, request: ClusterRequest) -> JsonObject | None:
        if request.path in self.objects:
            return self.objects[request.path]
        if request.path in self.collections:
            return _page(self.collections[request.path], request.query)
        collection, _, name = request.path.rpartition("/")
        for item in self.collections.get(collection, ()):
            metadata = item.get("metadata")
            if isinstance(metadata, dict) and metadata.get("name") == name:
                return item
        return None


def _page(items: Sequence[JsonObject], query: Mapping[str, str]) -> JsonObject:
    start, limit = int(query.get("continue", "0")), int(query.get("limit", "500"))
    rest = len(items) - start - limit
    metadata: JsonObject = {"continue": str(start + limit)} if rest > 0 else {}
    kind = str(items[0].get("kind", "")) if items else ""
    version = str(items[0].get("apiVersion", "v1")) if items else "v1"
    return {
        "kind": f"{kind}List",
        "apiVersion": version,
        "metadata": metadata,
        "items": list(items[start : start + limit]),
    }


def _status(status: int, message: str) -> ClusterAnswer:
    body = {"kind": "Status", "apiVersion": "v1", "message": message, "code": status}
    return ClusterAnswer(status=status, body=json.dumps(body).encode())
