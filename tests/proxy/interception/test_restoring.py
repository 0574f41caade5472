"""Is put back what is nobody's any more, exactly, and nothing else?"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from intercepted import ALL, CA_PEM, MESH, OPTIONS, files, prepared, restored, staging
from patching_clusters import PatchingCluster
from storing_clusters import status
from webhook_fuzz.corpora.cluster_api.failures import ClusterError
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.proxy.interception.options import Target
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS
from webhook_fuzz.proxy.interception.restoring import (
    Outcome,
    Places,
    Result,
    Selection,
    describe_outcome,
    restore,
)


async def left_behind(folder: Path) -> PatchingCluster:
    cluster = staging()
    await (await prepared(cluster, folder)).begin(CA_PEM)
    return cluster


def damage(cluster: PatchingCluster) -> None:
    annotations = object_at(cluster.configuration(MESH), "metadata", "annotations")
    key = next(each for each in annotations if each.startswith("webhook-fuzz/"))
    annotations[key] = str(annotations[key]).replace("original", "0riginal")


def results(outcomes: Sequence[Outcome]) -> set[Result]:
    return {each.result for each in outcomes}


async def test_there_is_nothing_to_do_where_nothing_was_done(tmp_path: Path) -> None:
    cluster = staging()
    assert not await restored(cluster, tmp_path / "nowhere")
    assert not cluster.did("PATCH")


async def test_doing_it_twice_is_doing_it_once(tmp_path: Path) -> None:
    cluster = await left_behind(tmp_path)
    assert results(await restored(cluster, tmp_path)) == {Result.RESTORED}
    patches = len(cluster.did("PATCH"))
    assert not await restored(cluster, tmp_path)
    assert len(cluster.did("PATCH")) == patches


async def test_it_needs_no_file(tmp_path: Path) -> None:
    cluster = await left_behind(tmp_path)
    await restored(cluster, tmp_path / "another machine")
    assert cluster.snapshot() == staging().snapshot()


async def test_it_only_gets_lists_and_patches(tmp_path: Path) -> None:
    cluster = await left_behind(tmp_path)
    cluster.asked.clear()
    await restored(cluster, tmp_path)
    assert {each.method for each in cluster.asked} == {"GET", "PATCH"}
    assert all(each.path.startswith(CONFIGURATIONS) for each in cluster.asked)


async def test_what_is_in_use_is_left_alone_and_said_unless_forced(tmp_path: Path) -> None:
    cluster = staging()
    async with (await prepared(cluster, tmp_path)).active(CA_PEM):
        during = cluster.snapshot()
        outcomes = await restored(cluster, tmp_path, hours=0)
        assert results(outcomes) == {Result.LIVING}
        assert all(each.lease for each in outcomes)
        quiet = Selection(expired=True)
        assert not await restored(cluster, tmp_path, hours=0, selection=quiet)
        assert cluster.snapshot() == during
        assert len(files(tmp_path)) == 1
        forced = Selection(force=True)
        assert results(await restored(cluster, tmp_path, hours=0, selection=forced)) == {
            Result.RESTORED
        }
        assert cluster.snapshot() == staging().snapshot()
        assert files(tmp_path) == []


async def test_what_leads_to_a_service_is_put_back_whoever_uses_it(tmp_path: Path) -> None:
    cluster = staging()
    elsewhere = Target(service=ServiceReference(namespace="fuzz", name="another"))
    other = replace(OPTIONS, target=elsewhere)
    await (await prepared(cluster, tmp_path, ALL[1], options=other)).begin(CA_PEM)
    with_other = cluster.snapshot()
    await (await prepared(cluster, tmp_path, ALL[0], ALL[3])).begin(CA_PEM)
    chosen = Selection(service=ServiceReference(namespace="fuzz", name="proxy"))
    outcomes = await restored(cluster, tmp_path, hours=0, selection=chosen)
    assert {each.identity for each in outcomes} == {ALL[0], ALL[3]}
    assert cluster.snapshot() == with_other
    assert len(files(tmp_path)) == 1


async def test_a_damaged_annotation_is_put_back_from_the_file(tmp_path: Path) -> None:
    cluster = await left_behind(tmp_path)
    damage(cluster)
    assert results(await restored(cluster, tmp_path)) == {Result.RESTORED}
    assert cluster.snapshot() == staging().snapshot()
    assert files(tmp_path) == []


async def test_without_the_file_a_damaged_annotation_is_said_and_left(tmp_path: Path) -> None:
    cluster = await left_behind(tmp_path)
    damage(cluster)
    outcomes = await restored(cluster, tmp_path / "another machine")
    damaged = [each for each in outcomes if each.result is Result.DAMAGED]
    assert len(damaged) == 1
    assert "checksum" in damaged[0].why
    assert len(files(tmp_path)) == 1
    given = Places(file=tmp_path / files(tmp_path)[0])
    later = datetime.now(UTC) + timedelta(hours=2)
    await restore(cluster, Selection(), now=later, places=given)
    assert cluster.snapshot() == staging().snapshot()
    assert files(tmp_path) == []


async def test_annotations_that_somebody_removed_are_made_up_for_by_the_file(
    tmp_path: Path,
) -> None:
    cluster = await left_behind(tmp_path)

    def strip(found: dict[str, Any]) -> None:
        found["metadata"]["annotations"] = {"meta.helm.sh/release-name": "mesh"}

    cluster.edit(MESH, strip, manager="helm")
    assert results(await restored(cluster, tmp_path)) == {Result.RESTORED}
    assert cluster.snapshot() == staging().snapshot()
    assert files(tmp_path) == []


async def test_a_file_that_is_none_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    cluster = await left_behind(tmp_path)
    patches = len(cluster.did("PATCH"))
    wrong = tmp_path / "wrong"
    wrong.write_text("{}")
    with pytest.raises(InputError, match="no backup"):
        await restore(cluster, Selection(), now=datetime.now(UTC), places=Places(file=wrong))
    assert len(cluster.did("PATCH")) == patches


async def test_the_files_of_another_cluster_stay(tmp_path: Path) -> None:
    await left_behind(tmp_path)
    other = PatchingCluster()
    later = datetime.now(UTC) + timedelta(hours=2)
    places = Places(folder=tmp_path, server="https://another.example.com")
    assert not await restore(other, Selection(), now=later, places=places)
    assert len(files(tmp_path)) == 1


async def test_a_refusal_half_way_is_an_error_and_the_rest_is_done_the_next_time(
    tmp_path: Path,
) -> None:
    cluster = await left_behind(tmp_path)
    done = len(cluster.did("PATCH"))
    cluster.refuse = lambda request: (
        status(403, "you may not")
        if request.method == "PATCH" and len(cluster.did("PATCH")) > done + 1
        else None
    )
    with pytest.raises(ClusterError, match="you may not"):
        await restored(cluster, tmp_path)
    assert len(files(tmp_path)) == 1
    cluster.refuse = lambda _: None
    await restored(cluster, tmp_path)
    assert cluster.snapshot() == staging().snapshot()
    assert files(tmp_path) == []


async def test_a_deleted_configuration_is_said_and_the_file_goes(tmp_path: Path) -> None:
    cluster = await left_behind(tmp_path)
    del cluster.stored[f"{CONFIGURATIONS}/{MESH}"]
    outcomes = await restored(cluster, tmp_path)
    assert {each.identity for each in outcomes if each.result is Result.DELETED} == {*ALL[:3]}
    assert files(tmp_path) == []


def test_every_outcome_is_a_line_for_people() -> None:
    lines = {
        describe_outcome(Outcome(configuration="c", webhook="w", result=each)) for each in Result
    }
    assert len(lines) == len(Result)
    assert all(line.startswith("c/w: ") for line in lines)


async def test_the_backup_says_what_it_was_to_people_too(tmp_path: Path) -> None:
    await left_behind(tmp_path)
    document = json.loads((tmp_path / files(tmp_path)[0]).read_text())
    first = document["configurations"][0]["webhooks"][0]
    assert first["original"]["service"]["name"] == "injector"
    assert first["ours"]["service"]["name"] == "proxy"
