"""An API server that knows server-side apply, as far as one field manager needs it.

What is applied replaces what the same manager applied before; labels and data of others stay. Told
by `refuse`, it answers something else, which is also how a test interrupts.
"""

import copy
import http
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from storing_clusters import StoringCluster, document, status
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at

COLLECTIONS = frozenset(
    {
        "namespaces",
        "serviceaccounts",
        "clusterroles",
        "clusterrolebindings",
        "secrets",
        "configmaps",
        "networkpolicies",
        "poddisruptionbudgets",
        "persistentvolumeclaims",
        "services",
        "deployments",
        "replicasets",
        "pods",
        "cronjobs",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
    }
)

NAMESPACE_SLASHES = "/api/v1/namespaces/NAME".count("/")


@dataclass(kw_only=True)
class ApplyingCluster(StoringCluster):
    """`queries` are those of the applies, by path; `statuses` are those of objects, by path."""

    statuses: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    queries: dict[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """Apply, or whatever else is asked."""
        if request.method != "PATCH":
            return await self._others(request)
        self.asked.append(request)
        refused = self.refuse(request)
        if refused is not None:
            return refused
        self.queries[request.path] = request.query
        sent: JsonObject = json.loads(request.body or b"")
        before = self.stored.get(request.path)
        after = copy.deepcopy(_merged(before, sent))
        metadata = cast("JsonObject", after["metadata"])
        metadata.setdefault("uid", f"uid-{len(self.asked)}")
        if request.path in self.statuses:
            after["status"] = {**self.statuses[request.path]}
        self.stored[request.path] = after
        return document(after, 200 if before else 201)

    async def _others(self, request: ClusterRequest) -> ClusterAnswer:
        if request.method == "DELETE" and request.path.startswith("/api/v1/namespaces/"):
            return await self._delete_with_all_in_it(request)
        if request.method != "GET" or request.path in self.stored:
            return await super().ask(request)
        self.asked.append(request)
        refused = self.refuse(request)
        if refused is not None:
            return refused
        if request.path.rpartition("/")[2] not in COLLECTIONS:
            return status(404, "not found")
        wanted = dict(
            pair.split("=", 1) for pair in request.query.get("labelSelector", "").split(",") if pair
        )
        items = [
            each
            for path, each in self.stored.items()
            if path.rpartition("/")[0] == request.path and _has(each, wanted)
        ]
        kind = f"{items[0]['kind']}List" if items else "List"
        version = str(items[0]["apiVersion"]) if items else "v1"
        return document({"kind": kind, "apiVersion": version, "metadata": {}, "items": items})

    async def _delete_with_all_in_it(self, request: ClusterRequest) -> ClusterAnswer:
        """A namespace takes along what is in it, as its controller sees to."""
        answer = await super().ask(request)
        if answer.status == http.HTTPStatus.OK and request.path.count("/") == NAMESPACE_SLASHES:
            inside = request.path.removeprefix("/api/v1") + "/"
            self.stored = {path: each for path, each in self.stored.items() if inside not in path}
        return answer


def _has(found: JsonObject, wanted: Mapping[str, str]) -> bool:
    labels = object_at(found, "metadata", "labels")
    return all(labels.get(key) == wanted[key] for key in wanted)


def _merged(before: JsonValue, sent: JsonValue) -> JsonObject:
    """Objects member by member; everything else as it is sent."""
    if not isinstance(before, dict) or not isinstance(sent, dict):
        return cast("JsonObject", sent)
    merged = {**before}
    for key, value in sent.items():
        old = before.get(key)
        merged[key] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged
