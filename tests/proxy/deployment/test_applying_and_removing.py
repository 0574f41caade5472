"""Is what is applied exactly what is taken away again, wherever it is interrupted?"""

import copy
import json
from typing import Any, cast

import pytest

from applying_clusters import ApplyingCluster
from storing_clusters import status
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.errors import IncompleteRunError, InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.proxy.deployment.applying import apply_objects, check_nothing_foreign
from webhook_fuzz.proxy.deployment.installations import Installation, Volume, build_objects
from webhook_fuzz.proxy.deployment.places import path_of
from webhook_fuzz.proxy.deployment.removing import remove_installation

OBJECTS = build_objects(Installation(volume=Volume(size="1Gi")))
PATHS = [path_of(each) for each in OBJECTS]
FOREIGN: dict[str, JsonObject] = {
    "/api/v1/namespaces/default": {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "default", "uid": "d"},
    },
    # Another installation of the same tool.
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/webhook-fuzz-keeper-b": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": "webhook-fuzz-keeper-b",
            "uid": "b",
            "labels": {
                "app.kubernetes.io/managed-by": "webhook-fuzz",
                "app.kubernetes.io/part-of": "webhook-fuzz-proxy",
            },
        },
    },
}


def cluster() -> ApplyingCluster:
    return ApplyingCluster(stored=copy.deepcopy(FOREIGN))


def said(_: str) -> None:
    """Nobody listens."""


async def test_what_is_applied_is_the_manifests_with_strict_fields_and_our_field_manager() -> None:
    api = cluster()
    await apply_objects(api, OBJECTS, tell=said)
    sent = {r.path: json.loads(r.body or b"") for r in api.asked if r.method == "PATCH"}
    assert sent == dict(zip(PATHS, OBJECTS, strict=True))
    assert {r.content_type for r in api.asked} == {"application/apply-patch+yaml"}
    for query in api.queries.values():
        assert query == {
            "fieldManager": "webhook-fuzz",
            "force": "true",
            "fieldValidation": "Strict",
        }


async def test_applying_twice_is_the_same_as_applying_once() -> None:
    api = cluster()
    await apply_objects(api, OBJECTS, tell=said)
    once = copy.deepcopy(api.stored)
    await check_nothing_foreign(api, OBJECTS)
    await apply_objects(api, OBJECTS, tell=said)
    assert api.stored == once


async def test_manifests_without_data_leave_certificate_and_routes_alone() -> None:
    api = cluster()
    given = Installation(routes="routes: []\n", certificate={"tls.crt": b"x"})
    await apply_objects(api, build_objects(given), tell=said)
    before = copy.deepcopy(api.stored)
    await apply_objects(api, build_objects(Installation()), tell=said)
    assert api.stored == before


@pytest.mark.parametrize("last", range(len(OBJECTS)))
async def test_an_install_that_stopped_anywhere_is_taken_away_completely(last: int) -> None:
    api = cluster()

    def refuse(request: ClusterRequest) -> ClusterAnswer | None:
        stops = request.method == "PATCH" and request.path == PATHS[last]
        return status(500, "the lights went out") if stops else None

    api.refuse = refuse
    with pytest.raises(ClusterError):
        await apply_objects(api, OBJECTS, tell=said)
    api.refuse = lambda _: None
    await remove_installation(api, "webhook-fuzz", seconds=0, tell=said)
    assert api.stored == FOREIGN


@pytest.mark.parametrize(
    "last", [n for n, path in enumerate(PATHS) if "persistentvolumeclaims" not in path]
)
async def test_an_uninstall_that_stopped_anywhere_is_completed_by_the_next(last: int) -> None:
    api = cluster()
    await apply_objects(api, OBJECTS, tell=said)

    def refuse(request: ClusterRequest) -> ClusterAnswer | None:
        stops = request.method == "DELETE" and request.path == PATHS[last]
        return status(500, "the lights went out") if stops else None

    api.refuse = refuse
    with pytest.raises(ClusterError):
        await remove_installation(api, "webhook-fuzz", seconds=0, tell=said)
    api.refuse = lambda _: None
    await remove_installation(api, "webhook-fuzz", seconds=0, tell=said)
    assert api.stored == FOREIGN


async def test_the_workloads_go_first_and_the_namespace_last_each_by_its_uid() -> None:
    api = cluster()
    await apply_objects(api, OBJECTS, tell=said)
    await remove_installation(api, "webhook-fuzz", seconds=0, tell=said)
    deleted = [request for request in api.asked if request.method == "DELETE"]
    assert [request.path.rsplit("/", 2)[1] for request in deleted[:2]] == [
        "cronjobs",
        "deployments",
    ]
    assert deleted[-1].path == "/api/v1/namespaces/webhook-fuzz"
    for request in deleted:
        assert json.loads(request.body or b"")["preconditions"]["uid"].startswith("uid-")


@pytest.mark.parametrize("path", PATHS)
async def test_what_somebody_else_has_is_not_taken_over(path: str) -> None:
    api = cluster()
    found = copy.deepcopy(OBJECTS[PATHS.index(path)])
    cast("dict[str, Any]", found["metadata"])["labels"] = {"team": "theirs"}
    api.stored[path] = found
    with pytest.raises(InputError, match="not of this installation"):
        await check_nothing_foreign(api, OBJECTS)
    assert api.did("PATCH") == []


async def test_a_namespace_that_is_still_going_is_not_installed_into() -> None:
    api = cluster()
    await apply_objects(api, OBJECTS, tell=said)
    space = cast("dict[str, Any]", api.stored["/api/v1/namespaces/webhook-fuzz"])
    space["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(InputError, match="still being deleted"):
        await check_nothing_foreign(api, OBJECTS)


async def test_what_others_put_into_the_namespace_keeps_it_from_being_deleted() -> None:
    api = cluster()
    await apply_objects(api, OBJECTS, tell=said)
    theirs: JsonObject = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "theirs", "namespace": "webhook-fuzz", "uid": "t"},
    }
    api.put("/api/v1/namespaces/webhook-fuzz/secrets", theirs)
    with pytest.raises(IncompleteRunError, match="Secret webhook-fuzz/theirs"):
        await remove_installation(api, "webhook-fuzz", seconds=0, tell=said)
    left = {path for path in api.stored if "persistentvolumeclaims" not in path}
    assert left - set(FOREIGN) == {
        "/api/v1/namespaces/webhook-fuzz",
        "/api/v1/namespaces/webhook-fuzz/secrets/theirs",
    }


async def test_a_namespace_of_the_same_name_that_is_not_ours_is_not_deleted() -> None:
    api = cluster()
    space: JsonObject = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "webhook-fuzz", "uid": "other"},
    }
    api.put("/api/v1/namespaces", space)
    await remove_installation(api, "webhook-fuzz", seconds=0, tell=said)
    assert api.did("DELETE") == []
