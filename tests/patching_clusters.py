"""An API server that applies JSON Patches to webhook configurations, as kube-apiserver does.

Tests that fail are 422, `dryRun` stores nothing, an empty map of annotations is none, and every
write leaves a new resourceVersion and the name of the writer. `before_patch` is what somebody else
does between reading and writing.
"""

import copy
import http
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from storing_clusters import StoringCluster, document, status
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, objects_at, text_at
from webhook_fuzz.fuzzer.apiserver.patches import (
    PatchError,
    UndecodablePatch,
    apply_patch,
    decode_patch,
)
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS

VOLATILE = ("resourceVersion", "generation", "managedFields")
"""Members of metadata that change with every write."""


@dataclass(kw_only=True)
class PatchingCluster(StoringCluster):
    """`before_patch` is called with a request before it takes effect."""

    before_patch: Callable[[ClusterRequest], None] = lambda _: None
    version: int = 1
    seconds: int = 0
    patched: list[list[JsonObject]] = field(default_factory=list[list[JsonObject]])

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        """Patch, or whatever else is asked."""
        if request.method != "PATCH" and not self._is_missing(request):
            return await super().ask(request)
        self.asked.append(request)
        refused = self.refuse(request)
        if refused is not None:
            return refused
        if request.method != "PATCH":
            return status(404, "not found")
        self.before_patch(request)
        return self._patch(request)

    def configuration(self, name: str) -> JsonObject:
        """As it is stored."""
        return self.stored[f"{CONFIGURATIONS}/{name}"]

    def edit(self, name: str, change: Callable[[dict[str, Any]], None], *, manager: str) -> None:
        """Somebody else writes the whole object."""
        edited = cast("dict[str, Any]", copy.deepcopy(self.configuration(name)))
        change(edited)
        self._store(f"{CONFIGURATIONS}/{name}", edited, manager=manager)

    def snapshot(self) -> dict[str, JsonObject]:
        """All configurations, but for what changes with every write."""
        found = {path: copy.deepcopy(each) for path, each in self.stored.items()}
        for each in found.values():
            for member in VOLATILE:
                object_at(each, "metadata").pop(member, None)
        return {path: each for path, each in found.items() if path.startswith(CONFIGURATIONS)}

    def _is_missing(self, request: ClusterRequest) -> bool:
        """Whether it is one object that is asked for, and there is none, or nothing we know."""
        collection = request.path.rpartition("/")[0]
        known = collection == CONFIGURATIONS or collection.endswith("/services")
        if request.method == "POST":  # a review, which is answered and not kept
            return b'"metadata"' not in (request.body or b"")
        return request.method == "GET" and known and request.path not in self.stored

    def _patch(self, request: ClusterRequest) -> ClusterAnswer:
        found = self.stored.get(request.path)
        if found is None:
            return status(404, "not found")
        patch = decode_patch(request.body or b"")
        if isinstance(patch, UndecodablePatch):
            return status(400, patch.detail)
        self.patched.append(json.loads(request.body or b""))
        try:
            after = cast("JsonObject", apply_patch(copy.deepcopy(found), patch))
        except PatchError as error:
            return status(http.HTTPStatus.UNPROCESSABLE_ENTITY, error.message)
        if request.query.get("dryRun") != "All":
            manager = request.query.get("fieldManager", "unknown")
            after = self._store(request.path, copy.deepcopy(after), manager=manager)
        return document(after)

    def _store(self, path: str, after: JsonObject, *, manager: str) -> JsonObject:
        metadata = object_at(after, "metadata")
        if not metadata.get("annotations"):
            metadata.pop("annotations", None)
        self.version, self.seconds = self.version + 1, self.seconds + 1
        metadata["resourceVersion"] = str(self.version)
        written = f"2026-01-01T00:{self.seconds // 60:02}:{self.seconds % 60:02}Z"
        entries = [
            each for each in objects_at(metadata, "managedFields") if each["manager"] != manager
        ]
        metadata["managedFields"] = [
            *entries,
            {"manager": manager, "operation": "Update", "time": written},
        ]
        self.stored[path] = after
        return after


def configuration(name: str, *webhooks: JsonObject, **metadata: JsonValue) -> JsonObject:
    """A MutatingWebhookConfiguration as the API server shows it."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name, "uid": f"uid-of-{name}", "resourceVersion": "1", **metadata},
        "webhooks": [*webhooks],
    }


def webhook(name: str, config: JsonObject, **others: JsonValue) -> JsonObject:
    """One of its webhooks, for created pods."""
    return {
        "name": name,
        "clientConfig": config,
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "*",
            }
        ],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "reinvocationPolicy": "Never",
        "timeoutSeconds": 10,
        "namespaceSelector": {},
        "objectSelector": {},
        **others,
    }


def service_config(
    namespace: str, name: str, *, path: str | None = None, bundle: str | None = None
) -> JsonObject:
    """A clientConfig that names a Service."""
    service: JsonObject = {"namespace": namespace, "name": name, "port": 443}
    if path is not None:
        service["path"] = path
    return {"service": service, **({"caBundle": bundle} if bundle else {})}


def with_services(cluster: PatchingCluster, *names: str) -> None:
    """Create `NS/NAME` with a clusterIP each."""
    for number, name in enumerate(names, start=1):
        namespace, _, own = name.partition("/")
        cluster.put(
            f"/api/v1/namespaces/{namespace}/services",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": own},
                "spec": {"clusterIP": f"10.0.0.{number}", "ports": [{"port": 443}]},
            },
        )


def names_of(found: JsonObject) -> Sequence[str]:
    """The webhooks of a configuration, in order."""
    return [text_at(each, "name") for each in objects_at(found, "webhooks")]
