"""Who refuses what on real API servers: the messages are theirs, read as they come."""

import asyncio
import base64
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from authorities import Authority
from scripted_api_servers import scripted_api_server
from testbed.clusters import Cluster, Reply, administrator, wait_until
from testbed.control_planes import build_control_plane, minors_under_test
from testbed.fixtures import past_capture
from testbed.registrations import (
    build_pod,
    build_webhook,
    in_namespaces,
    registered,
    url_client_config,
)
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.denials import Denial, Refuser, read_denial
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane

pytestmark = pytest.mark.real

NS = "denials"
HOOK = "hook.denials.example"
STRANGER = User(name="stranger", token="token-stranger")
# With ServiceAccount admission: it refuses too. No controllers: namespaces stay Terminating.
OPTIONS = ControlPlaneOptions(users=(STRANGER,), disabled_admission_plugins=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    plane: ControlPlane
    admin: Cluster

    def create(self, pod: JsonObject, *, namespace: str = NS, validation: str = "Strict") -> Reply:
        path = f"/api/v1/namespaces/{namespace}/pods"
        return self.admin.dry_run(path, pod, validation=validation)

    def namespace(self, name: str, **labels: str) -> str:
        """A namespace with the service account no controller makes here."""
        self.admin.create_namespace(name, **labels)
        account: JsonObject = {"metadata": {"name": "default"}}
        self.admin.create(f"/api/v1/namespaces/{name}/serviceaccounts", account)
        return name


@pytest.fixture(scope="module", params=minors_under_test(), ids=str)
def bench(request: pytest.FixtureRequest) -> Generator[Bench]:
    minor: Minor = request.param
    programs = build_control_plane(minor, past_capture(request.config))
    with control_plane(programs, options=OPTIONS) as plane:
        made = Bench(plane=plane, admin=administrator(plane))
        made.namespace(NS)
        yield made


def pod(name: str = "p", /, **spec: JsonValue) -> JsonObject:
    built: Any = build_pod(name)
    return {**built, "spec": {**built["spec"], **spec}}


def denied(reply: Reply) -> Denial:
    assert reply.status >= 400, reply.body
    return read_denial(reply.body)


def until(bench: Bench, sent: JsonObject, refuser: Refuser, *, namespace: str = NS) -> Denial:
    """The denial, once the API server has noticed what makes it refuse."""
    found: list[Denial] = []

    def refused() -> bool:
        reply = bench.create(sent, namespace=namespace)
        if reply.status >= 400:
            found.append(read_denial(reply.body))
        return bool(found) and found[-1].refuser is refuser

    wait_until(refused, what=f"{refuser} refuses; it was {found[-1:]}")
    return found[-1]


def test_a_pod_that_is_fine_is_created(bench: Bench) -> None:
    assert bench.create(pod()).status == 201


def test_pod_security(bench: Bench) -> None:
    strict = bench.namespace("psa", **{"pod-security.kubernetes.io/enforce": "restricted"})

    denial = denied(bench.create(pod(), namespace=strict))

    assert (denial.refuser, denial.name) == (Refuser.POD_SECURITY, "restricted:latest")
    assert denial.by_surroundings


def test_quotas(bench: Bench) -> None:
    few = bench.namespace("quota")
    _create_quota(bench, few, "none", "pods", "0")
    assert until(bench, pod(), Refuser.QUOTA, namespace=few).name == "none"

    _create_quota(bench, few, "limits", "limits.cpu", "1")
    wait_until(
        lambda: "must specify" in bench.create(pod(), namespace=few).message,
        what="the second quota is noticed",
    )
    assert until(bench, pod(), Refuser.QUOTA, namespace=few).name == "limits"


def _create_quota(bench: Bench, namespace: str, name: str, what: str, most: str) -> None:
    """With the status that a controller would give it; without one it is not enforced."""
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    bench.admin.create(path, _named("ResourceQuota", name, {"hard": {what: most}}))
    status: JsonObject = {"status": {"hard": {what: most}, "used": {what: "0"}}}
    assert bench.admin.request("PATCH", f"{path}/{name}/status", body=status).status == 200


@pytest.mark.parametrize(
    "limits",
    [
        {"type": "Container", "max": {"cpu": "1"}},
        {"type": "Container", "min": {"cpu": "3", "memory": "1Gi"}},
        {"type": "Container", "maxLimitRequestRatio": {"cpu": "1"}},
        {"type": "Pod", "max": {"cpu": "1"}},
    ],
    ids=["max", "min", "ratio", "pod"],
)
def test_limit_ranges(bench: Bench, limits: JsonObject, request: pytest.FixtureRequest) -> None:
    small = bench.namespace(f"limits-{request.node.callspec.id.rpartition('-')[2]}")
    ranges = _named("LimitRange", "l", {"limits": [limits]})
    bench.admin.create(f"/api/v1/namespaces/{small}/limitranges", ranges)
    resources: JsonObject = {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}
    sent = pod(containers=[{"name": "c", "image": "i", "resources": resources}])

    assert until(bench, sent, Refuser.LIMIT_RANGE, namespace=small).by_surroundings


def test_a_service_account_that_does_not_exist(bench: Bench) -> None:
    denial = denied(bench.create(pod(serviceAccountName="nobody")))

    assert (denial.refuser, denial.name) == (Refuser.SERVICE_ACCOUNT, f"{NS}/nobody")


@pytest.mark.parametrize(
    "spec", [{"priorityClassName": "nope"}, {"runtimeClassName": "nope"}, {"priority": 7}]
)
def test_other_plugins(bench: Bench, spec: JsonObject) -> None:
    denial = denied(bench.create(pod(**spec)))

    assert (denial.refuser, denial.by_surroundings) == (Refuser.PLUGIN, True)


def test_validation_with_the_fields(bench: Bench) -> None:
    denial = denied(bench.create(pod(restartPolicy="x", containers=[{"name": "C_"}])))

    assert denial.refuser is Refuser.VALIDATION
    assert {cause.field for cause in denial.fields} == {
        "spec.containers[0].name",
        "spec.containers[0].image",
        "spec.restartPolicy",
    }
    assert not denial.by_a_webhook
    assert not denial.by_surroundings


def test_strict_decoding_with_the_fields(bench: Bench) -> None:
    sent = pod(newer=1, containers=[{"name": "c", "image": "i", "newest": 2}])

    denial = denied(bench.create(sent))

    assert denial.refuser is Refuser.STRICT_DECODING
    assert {(cause.field, cause.reason) for cause in denial.fields} == {
        ("spec.newer", "unknown-field"),
        ("spec.containers[0].newest", "unknown-field"),
    }


def test_a_wrong_type(bench: Bench) -> None:
    assert denied(bench.create(pod(containers={}))).refuser is Refuser.DECODING


def test_namespaces_that_are_not_there_or_going(bench: Bench) -> None:
    gone = denied(bench.create(pod(), namespace="nowhere"))
    assert (gone.refuser, gone.name) == (Refuser.NAMESPACE, "nowhere")

    going = bench.namespace("going")
    bench.admin.delete(f"/api/v1/namespaces/{going}")
    assert until(bench, pod(), Refuser.NAMESPACE, namespace=going).name == "going"

    other: JsonObject = {**pod(), "metadata": {"name": "p", "namespace": "other"}}
    assert denied(bench.create(other)).refuser is Refuser.NAMESPACE


def test_a_name_that_is_taken(bench: Bench) -> None:
    bench.admin.create(f"/api/v1/namespaces/{NS}/pods", pod("taken"))

    denial = denied(bench.create(pod("taken")))

    assert (denial.refuser, denial.name) == (Refuser.EXISTS, "taken")


def test_somebody_without_rights_and_nobody(bench: Bench) -> None:
    path = f"/api/v1/namespaces/{NS}/pods"
    for token, name in ((STRANGER.token, "stranger"), ("no-such-token", "")):
        denial = denied(Cluster(plane=bench.plane, token=token).dry_run(path, pod()))
        assert (denial.refuser, denial.name) == (Refuser.PERMISSION, name)


def test_a_validating_admission_policy(bench: Bench) -> None:
    guarded = bench.namespace("policy")
    rule: JsonObject = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["*"],
        "resources": ["pods"],
    }
    policy: JsonObject = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "object.metadata.name != 'bad'", "message": "no"}],
    }
    binding: JsonObject = {
        "policyName": "no-bad",
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": in_namespaces(guarded)},
    }
    group = "/apis/admissionregistration.k8s.io/v1"
    for kind, name, spec in (
        ("ValidatingAdmissionPolicy", "no-bad", policy),
        ("ValidatingAdmissionPolicyBinding", "no-bad", binding),
    ):
        collection = "validatingadmissionpolicies" if spec is policy else f"{kind.lower()}s"
        body = _named(kind, name, spec) | {"apiVersion": "admissionregistration.k8s.io/v1"}
        bench.admin.create(f"{group}/{collection}", body)

    denial = until(bench, pod("bad"), Refuser.POLICY, namespace=guarded)

    assert (denial.name, denial.said) == ("no-bad", "no")


ANSWERS: dict[str, JsonObject] = {
    "denied": {"allowed": False, "status": {"message": 'violates PodSecurity "baseline": ha'}},
    "silent": {"allowed": False},
    "reason": {"allowed": False, "status": {"reason": "NotToday", "code": 418}},
}
PATCHES: dict[str, JsonValue] = {
    "remove": [{"op": "remove", "path": "/spec/nope"}],
    "add": [{"op": "add", "path": "/spec/nope/x", "value": 1}],
    "index": [{"op": "add", "path": "/spec/containers/9", "value": {}}],
    "move": [{"op": "move", "from": "/spec/nope", "path": "/spec/x"}],
    "test": [{"op": "test", "path": "/spec/nope", "value": 1}],
    "operation": [{"op": "frobnicate", "path": "/spec/nope"}],
    "type": [{"op": "replace", "path": "/spec/containers", "value": {}}],
    "version": [{"op": "replace", "path": "/apiVersion", "value": "v2"}],
    "quantity": [
        {"op": "add", "path": "/spec/containers/0/resources", "value": {"limits": {"cpu": "x"}}}
    ],
}


async def _answer(request: web.BaseRequest) -> web.StreamResponse:
    review = json.loads(await request.text())["request"]
    name = review["object"]["metadata"].get("name", "")
    if name == "broken":
        return web.Response(status=500, text="boom")
    response: JsonObject = {"allowed": True, **ANSWERS.get(name, {}), "uid": review["uid"]}
    if name in PATCHES:
        patch = base64.b64encode(json.dumps(PATCHES[name]).encode()).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    if name == "invalid":
        broken = [{"op": "add", "path": "/spec/restartPolicy", "value": "Nope"}]
        patch = base64.b64encode(json.dumps(broken).encode()).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    return web.json_response(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    )


def _ask(bench: Bench, hook: JsonObject, *names: str) -> dict[str, Denial]:
    """What comes of pods of these names while the webhook is registered."""
    path = f"/api/v1/namespaces/{NS}/pods"
    with registered(bench.admin, "denials", hook):
        wait_until(lambda: bench.create(pod(names[0])).status >= 400, what="the webhook is called")
        return {name: denied(bench.admin.dry_run(path, pod(name))) for name in names}


async def test_what_a_webhook_says_and_does(bench: Bench, tmp_path: Path) -> None:
    async with scripted_api_server(_answer, folder=tmp_path) as server:
        config = url_client_config(f"{server.url}/mutate", server.authority.ca_file)
        hook = build_webhook(HOOK, config, namespaceSelector=in_namespaces(NS))
        names = (*ANSWERS, *PATCHES, "broken", "invalid")
        found = await asyncio.to_thread(_ask, bench, hook, *names)

    assert {name: found[name].refuser for name in names} == {
        **dict.fromkeys(ANSWERS, Refuser.WEBHOOK),
        **dict.fromkeys(PATCHES, Refuser.WEBHOOK_ANSWER),
        "broken": Refuser.WEBHOOK_CALL,
        "invalid": Refuser.VALIDATION,
    }
    named = {name for name, denial in found.items() if denial.webhook == HOOK}
    assert named == {*ANSWERS, "broken"}
    assert found["denied"].said == 'violates PodSecurity "baseline": ha'
    assert found["silent"].said == "without explanation"


async def test_a_webhook_that_is_not_there_or_whose_condition_fails(
    bench: Bench, tmp_path: Path
) -> None:
    config = url_client_config("https://127.0.0.1:1/x", _some_authority(tmp_path))
    here = in_namespaces(NS)
    condition: JsonObject = {"name": "c", "expression": "object.spec.nope == 'x'"}
    unreachable = build_webhook(HOOK, config, namespaceSelector=here)
    failing = build_webhook(HOOK, config, namespaceSelector=here, matchConditions=[condition])

    called = await asyncio.to_thread(_ask, bench, unreachable, "p")
    conditional = await asyncio.to_thread(_until_condition, bench, failing)

    assert (called["p"].refuser, called["p"].webhook) == (Refuser.WEBHOOK_CALL, HOOK)
    assert (conditional.refuser, conditional.by_a_webhook) == (Refuser.MATCH_CONDITION, True)


def _until_condition(bench: Bench, hook: JsonObject) -> Denial:
    with registered(bench.admin, "denials-condition", hook):
        return until(bench, pod(), Refuser.MATCH_CONDITION)


def _some_authority(folder: Path) -> Path:
    return Authority(folder / "authority").ca_file


def _named(kind: str, name: str, spec: JsonObject) -> JsonObject:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
