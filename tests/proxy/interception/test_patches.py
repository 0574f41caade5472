"""Does a patch change what was read, and nothing that somebody else wrote since?"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from intercepted import MESH, SECRETS, staging
from patching_clusters import PatchingCluster
from storing_clusters import status
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.cluster_api.leases import Lease
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.proxy.interception.marks import Mark
from webhook_fuzz.proxy.interception.patches import (
    CONFIGURATIONS,
    Change,
    Patch,
    build_patch,
    change_configuration,
    client_config_of,
    render_patch,
    send_patch,
)

NEW: JsonObject = {"url": "https://proxy.example.com/x"}


def re_point(configuration: JsonObject, name: str, webhook: str) -> Patch:
    old = client_config_of(configuration, webhook)
    assert old is not None
    mark = Mark(
        configuration=name,
        webhook=webhook,
        session="s",
        lease=Lease(owner="", expires=datetime(2030, 1, 1, tzinfo=UTC)),
        original=old,
        ours=NEW,
    )
    change = Change(key=mark.key, webhook=webhook, old_mark=None, mark=mark, old=old, new=NEW)
    return build_patch(configuration, [change])


async def refused(cluster: PatchingCluster, name: str, patch: Patch) -> int | None:
    with pytest.raises(ClusterError) as caught:
        await send_patch(cluster, name, patch)
    return caught.value.status


@pytest.mark.parametrize("name", [MESH, SECRETS])
async def test_it_applies_to_what_was_read(name: str) -> None:
    cluster = staging()
    found: Any = cluster.configuration(name)
    webhook = found["webhooks"][-1]["name"]
    await send_patch(cluster, name, re_point(found, name, webhook))
    assert client_config_of(cluster.configuration(name), webhook) == NEW


def in_another_order(found: dict[str, Any]) -> None:
    found["webhooks"].reverse()


def without_the_first(found: dict[str, Any]) -> None:
    del found["webhooks"][0]


def with_another_bundle(found: dict[str, Any]) -> None:
    found["webhooks"][0]["clientConfig"]["caBundle"] = "bmV3"


def made_anew(found: dict[str, Any]) -> None:
    found["metadata"]["uid"] = "made-anew"


@pytest.mark.parametrize(
    "change", [in_another_order, without_the_first, with_another_bundle, made_anew]
)
async def test_it_fails_as_a_whole_where_somebody_was_quicker(
    change: Callable[[dict[str, Any]], None],
) -> None:
    cluster = staging()
    patch = re_point(cluster.configuration(MESH), MESH, "inject.example.com")
    cluster.edit(MESH, change, manager="operator")
    before = cluster.snapshot()
    assert await refused(cluster, MESH, patch) == 422
    assert cluster.snapshot() == before


async def test_annotations_that_came_meanwhile_are_not_wiped() -> None:
    cluster = staging()
    patch = re_point(cluster.configuration(SECRETS), SECRETS, "secrets.example.com")
    cluster.edit(
        SECRETS, lambda found: found["metadata"].update(annotations={"a": "b"}), manager="operator"
    )
    assert await refused(cluster, SECRETS, patch) == 422


async def test_it_is_made_anew_a_bounded_number_of_times() -> None:
    cluster = staging()
    cluster.refuse = lambda request: (
        status(409, "the object has been modified") if request.method == "PATCH" else None
    )
    with pytest.raises(ClusterError) as caught:
        await change_configuration(
            cluster, MESH, lambda found: re_point(found, MESH, "inject.example.com")
        )
    assert caught.value.status == 409
    assert len(cluster.did("PATCH")) == 6


async def test_what_is_forbidden_is_not_tried_again() -> None:
    cluster = staging()
    cluster.refuse = lambda request: (
        status(403, "you may not") if request.method == "PATCH" else None
    )
    with pytest.raises(ClusterError, match="you may not"):
        await change_configuration(
            cluster, MESH, lambda found: re_point(found, MESH, "inject.example.com")
        )
    assert len(cluster.did("PATCH")) == 1


async def test_a_configuration_that_is_gone_is_no_error() -> None:
    cluster = staging()
    del cluster.stored[f"{CONFIGURATIONS}/{MESH}"]
    assert await change_configuration(cluster, MESH, lambda _: []) is None


async def test_a_dry_run_changes_nothing() -> None:
    cluster = staging()
    before = cluster.snapshot()
    patch = re_point(cluster.configuration(MESH), MESH, "inject.example.com")
    await send_patch(cluster, MESH, patch, dry_run=True)
    assert cluster.snapshot() == before


def test_strings_are_spelt_as_go_spells_them() -> None:
    patch: Patch = [{"op": "test", "path": "/x", "value": "a<b>&c"}]
    raw = render_patch(patch)
    assert b"a\\u003cb\\u003e\\u0026c" in raw
    assert orjson.loads(raw) == patch
