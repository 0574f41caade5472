"""Where pods are tried: nothing is left behind, and nothing of others is deleted."""

import asyncio
import json

import pytest

from fake_clusters import FakeCluster
from storing_clusters import StoringCluster, document, status
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble, Unseen, cluster_error
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.cluster import namespaces
from webhook_fuzz.fuzzer.cluster.namespaces import (
    NamespaceOptions,
    delete_leftovers,
    work_namespace,
)

NAMESPACES = "/api/v1/namespaces"
PAST, FUTURE = "2001-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "_USABLE_PAUSE_SECONDS", 0.0)


def ours(name: str, *, expires: str = PAST, **metadata: str) -> JsonObject:
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "labels": {"app.kubernetes.io/managed-by": "webhook-fuzz"},
            "annotations": {"webhook-fuzz/owner": "", "webhook-fuzz/expires": expires},
            **metadata,
        }
    }


async def test_a_temporary_namespace_carries_its_labels_and_is_gone_afterwards() -> None:
    cluster = StoringCluster()

    async with work_namespace(cluster, NamespaceOptions(labels={"istio-injection": "on"})) as work:
        assert work.temporary
        assert work.name.startswith("webhook-fuzz-")
        assert work.labels == {
            "istio-injection": "on",
            "app.kubernetes.io/managed-by": "webhook-fuzz",
        }
        stored = cluster.stored[f"{NAMESPACES}/{work.name}"]
        assert "webhook-fuzz/expires" in json.dumps(stored)

    assert cluster.stored == {}
    assert cluster.did("DELETE") == [f"{NAMESPACES}/{work.name}"]


async def test_it_is_deleted_when_the_run_fails() -> None:
    cluster = StoringCluster()

    with pytest.raises(ZeroDivisionError):
        async with work_namespace(cluster, NamespaceOptions()):
            raise ZeroDivisionError

    assert cluster.stored == {}


async def test_it_is_deleted_when_the_run_is_cancelled_even_while_deleting() -> None:
    entered, deleting, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(StoringCluster):
        async def ask(self, request: ClusterRequest) -> ClusterAnswer:
            if request.method == "DELETE":
                deleting.set()
                await go_on.wait()
            return await super().ask(request)

    cluster = Slow()

    async def run() -> None:
        async with work_namespace(cluster, NamespaceOptions()):
            entered.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(run())
    await entered.wait()
    running.cancel()
    await deleting.wait()
    running.cancel()  # Ctrl-C once more
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert cluster.stored == {}


async def test_a_namespace_that_cannot_be_deleted_is_told_with_the_command_that_does_it() -> None:
    cluster = StoringCluster(
        refuse=lambda request: status(403, "no") if request.method == "DELETE" else None
    )

    with pytest.raises(ClusterError, match="no") as raised:
        async with work_namespace(cluster, NamespaceOptions()):
            pass

    (path,) = cluster.did("DELETE")
    assert f"kubectl delete --raw {path}" in raised.value.hint


async def test_an_error_of_the_run_is_not_hidden_by_one_of_deleting() -> None:
    cluster = StoringCluster(
        refuse=lambda request: status(403, "no") if request.method == "DELETE" else None
    )

    with pytest.raises(ZeroDivisionError):
        async with work_namespace(cluster, NamespaceOptions()):
            raise ZeroDivisionError


async def test_a_namespace_whose_answer_was_lost_is_deleted_all_the_same() -> None:
    class Lost(StoringCluster):
        async def ask(self, request: ClusterRequest) -> ClusterAnswer:
            answer = await super().ask(request)
            if request.method == "POST":
                raise cluster_error("POST", "connection lost", Trouble.UNREACHABLE)
            return answer

    cluster = Lost()

    with pytest.raises(ClusterError, match="connection lost"):
        async with work_namespace(cluster, NamespaceOptions()):
            pass

    assert cluster.stored == {}
    assert len(cluster.did("DELETE")) == 1


async def test_a_name_that_is_taken_is_replaced_by_another_a_few_times() -> None:
    taken = status(409, 'namespaces "webhook-fuzz-x" already exists')
    answers = [taken, taken]

    def refuse(request: ClusterRequest) -> ClusterAnswer | None:
        return answers.pop() if request.method == "POST" and answers else None

    cluster = StoringCluster(refuse=refuse)
    async with work_namespace(cluster, NamespaceOptions()) as work:
        assert f"{NAMESPACES}/{work.name}" in cluster.stored
    creating = [path for path in cluster.did("POST") if path == NAMESPACES]
    assert len(creating) == 3

    answers = [taken] * 9
    with pytest.raises(ClusterError, match="already exists"):
        async with work_namespace(cluster, NamespaceOptions()):
            pass


async def test_a_namespace_that_may_not_be_made_is_told() -> None:
    refused = status(403, 'namespaces is forbidden: User "u" cannot create resource')
    cluster = StoringCluster(refuse=lambda request: refused if request.method == "POST" else None)

    with pytest.raises(ClusterError) as raised:
        async with work_namespace(cluster, NamespaceOptions()):
            pass

    assert raised.value.trouble is Trouble.FORBIDDEN


async def test_an_answer_that_says_nothing_of_the_namespace_does_not_lose_it() -> None:
    cluster = StoringCluster(
        refuse=lambda request: document([]) if request.path == NAMESPACES else None
    )

    async with work_namespace(cluster, NamespaceOptions()) as work:
        assert work.name

    assert cluster.did("DELETE") == [f"{NAMESPACES}/{work.name}"]


async def test_its_service_account_is_waited_for() -> None:
    waiting = [
        status(403, 'pods "p" is forbidden: error looking up service account n/default: not found')
    ] * 3

    def refuse(request: ClusterRequest) -> ClusterAnswer | None:
        return waiting.pop() if request.path.endswith("/pods") and waiting else None

    cluster = StoringCluster(refuse=refuse)
    async with work_namespace(cluster, NamespaceOptions()):
        pass

    tried = [request for request in cluster.asked if request.path.endswith("/pods")]
    assert len(tried) == 4
    assert {request.query["dryRun"] for request in tried} == {"All"}


async def test_a_service_account_that_never_comes_does_not_hold_up_the_run() -> None:
    refused = status(403, 'pods "p" is forbidden: error looking up service account n/d: no')
    cluster = StoringCluster(
        refuse=lambda request: refused if request.path.endswith("/pods") else None
    )

    async with work_namespace(cluster, NamespaceOptions()) as work:
        assert work.temporary


async def test_leftovers_of_crashed_runs_are_deleted_first_and_only_those() -> None:
    cluster = StoringCluster()
    theirs: JsonObject = {"metadata": {"name": "webhook-fuzz-other", "uid": "1"}}
    cluster.put(NAMESPACES, theirs)
    for each in (
        ours("webhook-fuzz-left1"),
        ours("webhook-fuzz-inuse", expires=FUTURE),
        ours("webhook-fuzz-going", deletionTimestamp=PAST),
        ours("payments"),
    ):
        cluster.put(NAMESPACES, each)

    async with work_namespace(cluster, NamespaceOptions()) as work:
        pass

    assert cluster.did("DELETE") == [
        f"{NAMESPACES}/webhook-fuzz-left1",
        f"{NAMESPACES}/{work.name}",
    ]


async def test_a_namespace_made_anew_under_the_same_name_is_left_alone() -> None:
    cluster = StoringCluster()
    async with work_namespace(cluster, NamespaceOptions()) as work:
        cluster.put(NAMESPACES, {"metadata": {"name": work.name, "uid": "another"}})

    assert f"{NAMESPACES}/{work.name}" in cluster.stored


async def test_leftovers_that_may_not_be_listed_or_deleted_stay() -> None:
    hidden = StoringCluster(refuse=lambda _: status(403, "no"))
    assert await delete_leftovers(hidden) == ()

    kept = StoringCluster(refuse=lambda r: status(403, "no") if r.method == "DELETE" else None)
    kept.put(NAMESPACES, ours("webhook-fuzz-left1"))
    assert await delete_leftovers(kept) == ("webhook-fuzz-left1",)


async def test_a_given_namespace_is_read_and_not_touched() -> None:
    labels: JsonObject = {"team": "a", "pod-security.kubernetes.io/enforce": "restricted"}
    cluster = FakeCluster(
        objects={f"{NAMESPACES}/shop": {"metadata": {"name": "shop", "labels": labels}}},
        collections={
            f"{NAMESPACES}/shop/resourcequotas": [{"metadata": {"name": "q"}}],
            f"{NAMESPACES}/shop/limitranges": [{"metadata": {"name": "l"}}],
        },
    )

    async with work_namespace(cluster, NamespaceOptions(name="shop")) as work:
        assert (work.name, work.temporary, work.labels) == ("shop", False, labels)
        assert work.restrictions.sentences == (
            "PodSecurity enforces restricted",
            "quotas limit pods: q",
            "limit ranges change or refuse pods: l",
        )
        assert work.lacks({"team": "a", "istio-injection": "on"}) == {"istio-injection": "on"}

    assert {request.method for request in cluster.asked} == {"GET"}


async def test_restrictions_that_may_not_be_read_are_not_taken_for_none() -> None:
    cluster = FakeCluster(
        objects={f"{NAMESPACES}/shop": {"metadata": {"name": "shop"}}},
        refusals={f"{NAMESPACES}/shop/": (403, "no")},
    )

    async with work_namespace(cluster, NamespaceOptions(name="shop")) as work:
        unseen = work.restrictions.not_seen

    assert [each.what for each in unseen] == ["quotas", "limit ranges"]
    assert all(isinstance(each, Unseen) for each in unseen)
    assert work.restrictions.sentences == ()


async def test_a_given_namespace_must_exist_and_last() -> None:
    going: JsonObject = {"metadata": {"name": "old", "deletionTimestamp": PAST}}
    cluster = FakeCluster(
        objects={f"{NAMESPACES}/old": going}, refusals={f"{NAMESPACES}/secret": (403, "no")}
    )

    for name, said in (("shop", "there is no namespace shop"), ("old", "is being deleted")):
        with pytest.raises(InputError, match=said):
            async with work_namespace(cluster, NamespaceOptions(name=name)):
                pass
    with pytest.raises(ClusterError):
        async with work_namespace(cluster, NamespaceOptions(name="secret")):
            pass
