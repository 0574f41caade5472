"""Is refused what cannot be intercepted, with what to do about it?"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from intercepted import ALL, CA_PEM, MESH, OPTIONS, SECRETS, TARGET, prepared, restored, staging
from patching_clusters import PatchingCluster, configuration, service_config, webhook
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.proxy.interception.choosing import Choice, choose
from webhook_fuzz.proxy.interception.options import InterceptionOptions
from webhook_fuzz.proxy.interception.patches import CONFIGURATIONS
from webhook_fuzz.proxy.interception.restoring import Selection

NOW = datetime.now(UTC)


def choice(
    cluster: PatchingCluster, options: InterceptionOptions, *, now: datetime = NOW
) -> Choice:
    found = [each for path, each in cluster.stored.items() if path.startswith(CONFIGURATIONS)]
    return choose(found, options, now=now)


def named(*names: str) -> InterceptionOptions:
    return replace(OPTIONS, webhooks=names)


def with_another(config: JsonObject) -> PatchingCluster:
    cluster = staging()
    cluster.put(CONFIGURATIONS, configuration("30-odd", webhook("odd.example.com", config)))
    return cluster


def test_webhooks_come_in_the_order_they_are_called_in() -> None:
    found = choice(staging(), named(ALL[3], ALL[0]))
    assert [each.webhook.identity for each in found.chosen] == [ALL[0], ALL[3]]
    assert [*found.configurations] == [MESH, SECRETS]
    everything = choice(staging(), replace(OPTIONS, all=True))
    assert [each.webhook.identity for each in everything.chosen] == [*ALL]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no webhook 10-mesh/injekt") as caught:
        choice(staging(), named("10-mesh/injekt.example.com"))
    assert ALL[0] in caught.value.hint
    assert ALL[3] not in caught.value.hint


def test_an_unknown_name_unlike_any_is_answered_with_all() -> None:
    with pytest.raises(InputError) as caught:
        choice(staging(), named("zzz"))
    assert all(name in caught.value.hint for name in ALL)


def test_a_webhook_from_a_file_of_the_api_server_cannot_be() -> None:
    with pytest.raises(InputError) as caught:
        choice(staging(), named("x/y.static.k8s.io"))
    assert "from a file of the API server" in caught.value.hint


def test_it_must_be_said_which() -> None:
    for options in (OPTIONS, replace(named(ALL[0]), all=True)):
        with pytest.raises(InputError, match="not said which"):
            choice(staging(), options)


def test_a_cluster_without_webhooks_has_none_to_intercept() -> None:
    with pytest.raises(InputError, match="no mutating webhooks"):
        choice(PatchingCluster(), replace(OPTIONS, all=True))


@pytest.mark.parametrize(
    "config",
    [service_config("default", "kubernetes"), {"url": "https://kubernetes.default.svc/x"}],
)
def test_the_api_server_itself_is_left_out_of_all_and_refused_by_name(config: JsonObject) -> None:
    cluster = with_another(config)
    with pytest.raises(InputError, match="API server itself"):
        choice(cluster, named("30-odd/odd.example.com"))
    found = choice(cluster, replace(OPTIONS, all=True))
    assert [each.webhook.identity for each in found.chosen] == [*ALL]


def test_two_webhooks_of_one_name_are_refused() -> None:
    cluster = PatchingCluster()
    one = webhook("odd.example.com", service_config("mesh", "injector"))
    cluster.put(CONFIGURATIONS, configuration("30-odd", one, one))
    with pytest.raises(InputError, match="two webhooks of this name"):
        choice(cluster, named("30-odd/odd.example.com"))


def test_a_webhook_that_is_the_proxy_already_is_refused() -> None:
    cluster = with_another(service_config("fuzz", "proxy", path="/somewhere"))
    with pytest.raises(InputError, match="already leads to service fuzz/proxy"):
        choice(cluster, named("30-odd/odd.example.com"))


async def test_what_a_living_proxy_intercepts_is_refused_with_who_and_until_when(
    tmp_path: Path,
) -> None:
    cluster = staging()
    async with (await prepared(cluster, tmp_path, ALL[0])).active(CA_PEM):
        with pytest.raises(InputError, match=r"intercepted already, until 20.*by the process"):
            choice(cluster, named(ALL[0]))
        assert choice(cluster, named(ALL[1])).chosen


async def test_what_a_dead_proxy_intercepted_is_taken_over_with_its_original(
    tmp_path: Path,
) -> None:
    cluster = staging()
    original = choice(cluster, named(ALL[0])).chosen[0].original
    await (await prepared(cluster, tmp_path, ALL[0])).begin(CA_PEM)
    later = NOW + timedelta(hours=2)
    found = choice(cluster, named(ALL[0]), now=later).chosen[0]
    assert found.original == original
    assert found.taken_over is not None


async def test_a_damaged_annotation_is_refused(tmp_path: Path) -> None:
    cluster = staging()
    await (await prepared(cluster, tmp_path, ALL[0])).begin(CA_PEM)
    annotations = object_at(cluster.configuration(MESH), "metadata", "annotations")
    annotations.update({key: "{" for key in annotations if key.startswith("webhook-fuzz/")})
    with pytest.raises(InputError, match="is damaged") as caught:
        choice(cluster, named(ALL[0]))
    assert "--backup" in caught.value.hint


async def test_what_leads_to_the_same_place_without_a_process_is_prolonged(
    tmp_path: Path,
) -> None:
    cluster = staging()
    before = cluster.snapshot()
    first = await prepared(cluster, tmp_path)
    await first.begin(CA_PEM)
    longer = replace(OPTIONS, ttl=timedelta(days=7))
    again = await prepared(cluster, tmp_path, options=longer)
    assert [each.prefix for each in again.routes] == [each.prefix for each in first.routes]
    assert [each.upstream for each in again.routes] == [each.upstream for each in first.routes]
    await again.begin(CA_PEM)
    marks = [each.taken_over for each in choice(cluster, named(*ALL)).chosen]
    assert all(mark and mark.lease.expires > NOW + timedelta(days=6) for mark in marks)
    await restored(cluster, tmp_path, hours=0, selection=Selection(service=TARGET.service))
    assert cluster.snapshot() == before
