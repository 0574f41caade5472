import json
import re

import pytest

from fake_clusters import FakeCluster
from scripted_apis import ScriptedApi, answer, refusal
from webhook_fuzz.corpora.cluster_api.failures import ClusterError, Trouble
from webhook_fuzz.corpora.cluster_api.requests import ClusterAnswer, ClusterRequest
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.denials import Refuser
from webhook_fuzz.fuzzer.transports.dry_run import Created, DryRun, Refused, dry_run_pod

POD: JsonObject = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "app", "image": "app:1"}]},
}
STRICT = 'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '


def body_of(request: ClusterRequest) -> JsonObject:
    found: JsonValue = json.loads(request.body or b"null")
    assert isinstance(found, dict)
    return found


def echo(request: ClusterRequest) -> ClusterAnswer:
    return answer(body_of(request), 201)


def knowing(*unknown: str) -> ScriptedApi:
    """An API server that refuses pods in which one of the paths, with indexes, is set."""

    def respond(request: ClusterRequest) -> ClusterAnswer:
        pod = body_of(request)
        named = [path for path in unknown if is_set(pod, path)]
        if not named:
            return answer(pod, 201)
        said = ", ".join(f'unknown field "{path}"' for path in named)
        return refusal(400, STRICT + said, "BadRequest")

    return ScriptedApi(respond)


def is_set(value: JsonValue, path: str) -> bool:
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value is not None


def pod_with(**spec: JsonValue) -> JsonObject:
    base = POD["spec"]
    assert isinstance(base, dict)
    return {**POD, "spec": {**base, **spec}}


async def refused(api: ScriptedApi) -> Refused:
    outcome = (await dry_run_pod(api, POD, namespace="shop")).outcome
    assert isinstance(outcome, Refused)
    return outcome


async def test_it_asks_to_store_nothing_and_to_refuse_unknown_fields() -> None:
    api = ScriptedApi(echo)
    run = await dry_run_pod(api, POD, namespace="shop")
    [request] = api.asked
    assert (request.method, request.path) == ("POST", "/api/v1/namespaces/shop/pods")
    assert request.query == {
        "dryRun": "All",
        "fieldValidation": "Strict",
        "fieldManager": "webhook-fuzz",
    }
    sent: JsonObject = {**POD, "metadata": {"name": "web", "namespace": "shop"}}
    assert run == DryRun(sent=sent, unknown_fields=(), outcome=Created(pod=sent))
    assert POD["metadata"] == {"name": "web"}, "the pod that was given is not changed"


async def test_fields_the_api_server_does_not_know_are_taken_out_and_told() -> None:
    api = knowing("spec.containers[0].future", "spec.future", "spec.initContainers[1].a.b")
    pod = pod_with(
        containers=[{"name": "app", "image": "app:1", "future": {"x": 1}}],
        future=1,
        initContainers=[{"name": "x"}, {"name": "y", "a": {"b": 1, "c": 2}}],
    )
    run = await dry_run_pod(api, pod, namespace="shop")
    assert isinstance(run.outcome, Created)
    assert run.unknown_fields == (
        "spec.containers[].future",
        "spec.future",
        "spec.initContainers[].a.b",
    )
    assert run.sent["spec"] == {
        "containers": [{"name": "app", "image": "app:1"}],
        "initContainers": [{"name": "x"}, {"name": "y", "a": {"c": 2}}],
    }
    assert len(api.asked) == 2


async def test_a_name_with_a_dot_in_it_is_found() -> None:
    api = ScriptedApi(
        lambda request: (
            refusal(400, STRICT + 'unknown field "spec.containers[0].a.b"', "BadRequest")
            if b"a.b" in (request.body or b"")
            else echo(request)
        )
    )
    pod = pod_with(containers=[{"name": "app", "a": {"c": 1}, "a.b": 1}])
    run = await dry_run_pod(api, pod, namespace="shop")
    assert run.sent["spec"] == {"containers": [{"name": "app", "a": {"c": 1}}]}


async def test_unknown_fields_can_be_left_where_they_are() -> None:
    api = knowing("spec.future")
    run = await dry_run_pod(api, pod_with(future=1), namespace="shop", keep_unknown=True)
    assert isinstance(run.outcome, Refused)
    assert run.outcome.denial.refuser is Refuser.STRICT_DECODING
    assert len(api.asked) == 1


@pytest.mark.parametrize("path", ["spec.elsewhere", "spec.containers[7].x", "spec.containers.x"])
async def test_a_field_that_is_named_and_not_there_ends_it(path: str) -> None:
    api = ScriptedApi(lambda _: refusal(400, f'{STRICT}unknown field "{path}"', "BadRequest"))
    assert (await refused(api)).code == 400
    assert len(api.asked) == 1


async def test_what_a_webhook_denies_is_data() -> None:
    said = 'admission webhook "policy.example.com" denied the request: no'
    found = await refused(ScriptedApi(lambda _: refusal(403, said, "Forbidden")))
    assert (found.code, found.denial.webhook) == (403, "policy.example.com")


async def test_a_webhook_that_denies_with_429_is_no_busy_api_server() -> None:
    said = 'admission webhook "policy.example.com" denied the request: later'
    found = await refused(ScriptedApi(lambda _: refusal(429, said, "TooManyRequests")))
    assert found.denial.webhook == "policy.example.com"


async def test_an_invalid_pod_is_data() -> None:
    said = 'Pod "web" is invalid: spec.containers[0].image: Required value'
    found = await refused(ScriptedApi(lambda _: refusal(422, said, "Invalid")))
    assert found.denial.refuser is Refuser.VALIDATION


async def test_a_missing_permission_is_data() -> None:
    said = 'pods is forbidden: User "u" cannot create resource "pods" in API group ""'
    found = await refused(ScriptedApi(lambda _: refusal(403, said, "Forbidden")))
    assert found.denial.refuser is Refuser.PERMISSION


@pytest.mark.parametrize(
    ("given", "trouble"),
    [
        (refusal(401, "Unauthorized", "Unauthorized"), Trouble.UNAUTHORIZED),
        (refusal(429, "too many requests", "TooManyRequests"), Trouble.THROTTLED),
        (ClusterAnswer(status=502, body=b"<html>bad gateway</html>"), Trouble.BROKEN),
        (ClusterAnswer(status=200, body=b"hello"), Trouble.BROKEN),
    ],
)
async def test_an_api_server_that_does_not_answer_the_question_is_an_error(
    given: ClusterAnswer, trouble: Trouble
) -> None:
    with pytest.raises(ClusterError) as caught:
        await dry_run_pod(ScriptedApi(lambda _: given), POD, namespace="shop")
    assert caught.value.trouble is trouble


async def test_a_namespace_that_is_not_there_is_data() -> None:
    api = FakeCluster(refusals={"/api/v1/namespaces/shop": (404, 'namespaces "shop" not found')})
    run = await dry_run_pod(api, POD, namespace="shop")
    assert isinstance(run.outcome, Refused)
    assert run.outcome.denial.refuser is Refuser.NAMESPACE
