import json
from pathlib import Path

import pytest

from fake_clusters import FakeCluster
from fakes import IDENTITY, outcome_of
from webhook_fuzz.corpora.bundles import Bundle, load_bundle, save_bundle
from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    Unseen,
    attempt,
    cluster_error,
)
from webhook_fuzz.corpora.cluster_api.requests import (
    ClusterAnswer,
    ClusterRequest,
    get_object,
    get_text,
    list_objects,
)
from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.maskings import Masker
from webhook_fuzz.corpora.seeds.loading import load_shipped_seeds
from webhook_fuzz.fuzzer.apiserver.reviews import ReviewOptions, build_review
from webhook_fuzz.fuzzer.cluster.bundles import BundleApi, RecordingApi
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.specimens.catalogue import get_specimen

SECRET = "hunter2-hunter2"
NODES: list[JsonObject] = [
    {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"n{n}", "annotations": {"a": SECRET}},
    }
    for n in range(700)
]
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PODS = "/api/v1/namespaces/shop/pods"


def fake() -> FakeCluster:
    return FakeCluster(
        collections={"/api/v1/nodes": NODES, "/api/v1/secrets": [{"kind": "Secret"}]},
        objects={"/version": {"gitVersion": "v1.37.2"}, REVIEWS: {"status": {"allowed": True}}},
        texts={"/metrics": 'kubernetes_feature_enabled{name="A"} 1\n'},
        refusals={"/api/v1/pods": (403, "pods is forbidden")},
    )


def kept(recording: RecordingApi, folder: Path) -> BundleApi:
    file = folder / "bundle.json"
    bundle = Bundle(
        context="staging", server="https://api", made_at="", tool="1", answers=recording.answers
    )
    save_bundle(bundle, file)
    assert SECRET not in file.read_text()
    return BundleApi(load_bundle(file), name="bundle.json")


def review(verb: str) -> ClusterRequest:
    body = json.dumps({"spec": {"verb": verb}}).encode()
    return ClusterRequest(method="POST", path=REVIEWS, query={}, body=body)


async def test_a_bundle_answers_as_the_cluster_did_page_by_page(tmp_path: Path) -> None:
    recording = RecordingApi(fake(), Masker())
    nodes = await list_objects(recording, "/api/v1/nodes")
    version = await get_object(recording, "/version")
    metrics = await get_text(recording, "/metrics")
    api = kept(recording, tmp_path)
    again = await list_objects(api, "/api/v1/nodes")
    assert len(again) == len(nodes) == 700
    assert [_name(node) for node in again] == [_name(node) for node in nodes]
    assert await get_object(api, "/version") == version
    assert await get_text(api, "/metrics") == metrics
    assert (api.context, api.server) == ("staging", "https://api")


def _name(node: JsonObject) -> object:
    metadata = node["metadata"]
    return metadata.get("name") if isinstance(metadata, dict) else None


async def test_a_refusal_is_kept_as_a_refusal(tmp_path: Path) -> None:
    recording = RecordingApi(fake(), Masker())
    seen = await attempt(list_objects(recording, "/api/v1/pods"), "pods")
    again = await attempt(list_objects(kept(recording, tmp_path), "/api/v1/pods"), "pods")
    assert isinstance(again, Unseen)
    assert again == seen


async def test_questions_with_a_body_are_told_apart_by_it(tmp_path: Path) -> None:
    recording = RecordingApi(fake(), Masker())
    await recording.ask(review("list"))
    api = kept(recording, tmp_path)
    assert (await api.ask(review("list"))).status == 200
    with pytest.raises(ClusterError, match="not in the bundle"):
        await api.ask(review("delete"))


async def test_what_was_not_asked_is_unseen_and_not_missing(tmp_path: Path) -> None:
    api = kept(RecordingApi(fake(), Masker()), tmp_path)
    with pytest.raises(
        ClusterError, match=r"GET /version: not in the bundle bundle\.json"
    ) as raised:
        await get_object(api, "/version")
    assert raised.value.trouble is Trouble.UNREACHABLE


@pytest.mark.parametrize(
    "request_",
    [
        ClusterRequest(method="GET", path="/api/v1/secrets", query={}),
        ClusterRequest(method="GET", path="/api/v1/namespaces/a/configmaps/b", query={}),
        ClusterRequest(method="POST", path=PODS, query={"dryRun": "All"}, body=b"{}"),
        ClusterRequest(method="DELETE", path="/version", query={}),
    ],
)
async def test_secrets_and_what_changes_something_are_passed_on_and_not_kept(
    request_: ClusterRequest,
) -> None:
    api = fake()
    recording = RecordingApi(api, Masker())
    await recording.ask(request_)
    assert api.asked == [request_]
    assert recording.answers == ()


async def test_the_last_answer_to_a_question_counts(tmp_path: Path) -> None:
    cluster = fake()
    recording = RecordingApi(cluster, Masker())
    await get_object(recording, "/version")
    cluster.objects = {"/version": {"gitVersion": "v1.38.0"}}
    await get_object(recording, "/version")
    api = kept(recording, tmp_path)
    assert await get_object(api, "/version") == {"gitVersion": "v1.38.0"}


class Silent:
    """An API server that does not answer."""

    async def ask(self, request: ClusterRequest) -> ClusterAnswer:
        raise cluster_error(f"GET {request.path}", f"no answer: {SECRET}", Trouble.UNREACHABLE)


async def test_no_answer_is_kept_as_no_answer(tmp_path: Path) -> None:
    recording = RecordingApi(Silent(), Masker())
    with pytest.raises(ClusterError):
        await get_object(recording, "/version")
    [answer] = recording.answers
    assert (answer.status, answer.trouble) == (0, "unreachable")
    api = BundleApi(Bundle(context="", server="", made_at="", tool="", answers=(answer,)), name="b")
    with pytest.raises(ClusterError, match="no answer") as raised:
        await get_object(api, "/version")
    assert raised.value.trouble is Trouble.UNREACHABLE


async def test_a_trouble_this_release_does_not_know_is_a_trouble(tmp_path: Path) -> None:
    recording = RecordingApi(Silent(), Masker())
    with pytest.raises(ClusterError):
        await get_object(recording, "/version")
    file = tmp_path / "b"
    bundle = Bundle(context="", server="", made_at="", tool="", answers=recording.answers)
    save_bundle(bundle, file)
    file.write_text(file.read_text().replace('"unreachable"', '"of tomorrow"'))
    with pytest.raises(ClusterError) as raised:
        await get_object(BundleApi(load_bundle(file), name="b"), "/version")
    assert raised.value.trouble is Trouble.BROKEN


async def test_bodies_that_are_no_json_are_no_key() -> None:
    recording = RecordingApi(fake(), Masker())
    await recording.ask(ClusterRequest(method="POST", path=REVIEWS, query={}, body=b"{"))
    assert recording.answers[0].sent is None


@pytest.mark.parametrize("name", ["typed-round-trip-1.27", "list-replacement", "perfect-prepend"])
def test_what_passed_is_judged_as_it_was_though_it_is_masked(name: str, tmp_path: Path) -> None:
    catalogue = load_catalogue()
    seed = next(seed for seed in load_shipped_seeds() if seed.name == "vault")
    options = ReviewOptions(api_server=catalogue.newest, uid="u")
    review = build_review(seed.pod, options)
    outcome = outcome_of(get_specimen(name).program(review))
    exchange = Exchange(webhook=IDENTITY, review=review, outcome=outcome, seconds=0.1)
    file = tmp_path / "bundle.json"
    bundle = Bundle(context="", server="", made_at="", tool="", exchanges=(exchange,))
    save_bundle(bundle, file)
    [again] = load_bundle(file).exchanges
    assert again.review != review

    def changes(exchange: Exchange) -> list[tuple[str, str]]:
        observation = Observation(exchange=exchange, catalogue=catalogue, target=catalogue.newest)
        assert observation.result is not None
        return [(change.kind.value, change.path) for change in observation.changes]

    assert changes(again) == changes(exchange)
