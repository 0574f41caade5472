"""Who set what in pods of a real API server, whose second webhook loses fields?"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from authorities import Authority
from chain_webhooks import patching
from served_webhooks import serve_at
from testbed.clusters import Cluster as Client
from testbed.clusters import administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from testbed.registrations import (
    build_webhook,
    create_service,
    in_namespaces,
    registered,
    wait_until_called,
)
from webhook_fuzz.corpora.audit_events import find_pod_creation
from webhook_fuzz.corpora.bundles import Bundle, load_bundle, save_bundle
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.maskings import Masker
from webhook_fuzz.corpora.pods import value_at
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.blames.accounts import Account
from webhook_fuzz.fuzzer.blames.actors import ActorKind
from webhook_fuzz.fuzzer.blames.audits import history_of_event
from webhook_fuzz.fuzzer.blames.trees import Node, blame, walk
from webhook_fuzz.fuzzer.blaming import BlameOptions, blame_manifest, blame_stored_pod
from webhook_fuzz.fuzzer.cluster.bundles import BundleApi, RecordingApi
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.fuzzer.specimens.programs import Answer
from webhook_fuzz.fuzzer.specimens.replies import build_response, pod_of, reply
from webhook_fuzz.fuzzer.specimens.round_trips import typed_round_trip
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions

pytestmark = pytest.mark.real

NAMESPACE = "blamed"
FIRST, LOSSY = "chain-blamed/first.example.com", "chain-blamed/lossy.example.com"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
MARK = "blamed-by-first"
SIDECAR = "spec.initContainers[name=logs].restartPolicy"
TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN = f"spec.containers[name=app].volumeMounts[mountPath={TOKEN_PATH}]"
CATALOGUE = load_catalogue()
SCHEMA = CATALOGUE.schema(CATALOGUE.newest)
SPEC: JsonObject = {
    "initContainers": [{"name": "logs", "image": "logs:1", "restartPolicy": "Always"}],
    "containers": [
        {"name": "app", "image": "app:1", "env": [{"name": "KEY", "value": "hunter2-hunter2"}]}
    ],
}
AUDIT_POLICY: JsonObject = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "rules": [{"level": "RequestResponse", "resources": [{"group": "", "resources": ["pods"]}]}],
}


def lossy(review: JsonObject) -> Answer:
    """Decodes into the types of 1.27 and marshals back, every time it is called."""
    return reply(build_response(review, typed_round_trip(Minor(1, 27))(pod_of(review))))


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    options = ControlPlaneOptions(
        audit_policy=AUDIT_POLICY, controllers=("*",), disabled_admission_plugins=()
    )
    with control_plane(programs, options=options) as running:
        admin = administrator(running)
        admin.create_namespace(NAMESPACE)
        account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
        wait_until(lambda: admin.request("GET", account).status == 200, what="a ServiceAccount")
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@dataclass(frozen=True, kw_only=True)
class Staged:
    cluster: Cluster
    admin: Client
    plane: ControlPlane
    options: BlameOptions


@pytest.fixture
async def staged(plane: ControlPlane, authority: Authority) -> AsyncGenerator[Staged]:
    admin = administrator(plane)
    note = patching({"op": "add", "path": f"/metadata/labels/{MARK}", "value": "yes"})
    entries: list[JsonObject] = []
    async with AsyncExitStack() as stack:
        for name, program in {"first": note, "lossy": lossy}.items():
            at = create_service(admin, NAMESPACE, name)
            stack.callback(admin.delete, f"/api/v1/namespaces/{NAMESPACE}/services/{name}")
            served = serve_at(at.host, at.port, program, authority=authority, names=(at.dns_name,))
            await stack.enter_async_context(served)
            entries.append(
                build_webhook(
                    f"{name}.example.com",
                    at.client_config("/mutate", authority.ca_file),
                    namespaceSelector=in_namespaces(NAMESPACE),
                )
            )
        stack.enter_context(registered(admin, "chain-blamed", *entries))
        pod = build_pod("is-it-called")
        await asyncio.to_thread(wait_until_called, admin, NAMESPACE, marks=MARK, pod=pod)
        options = ClusterOptions(kubeconfig=plane.kubeconfig)
        cluster = await stack.enter_async_context(Cluster(options))
        reach = ReachOptions(inside_cluster=False)
        chosen = BlameOptions(source="the test", reach=reach, catalogue=CATALOGUE)
        yield Staged(cluster=cluster, admin=admin, plane=plane, options=chosen)


def build_pod(name: str) -> JsonObject:
    metadata: JsonObject = {"name": name, "namespace": NAMESPACE, "labels": {"app": "web"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": SPEC}


def nodes(tree: Node) -> dict[str, Node]:
    return dict(walk(tree))


def taken(account: Account) -> dict[str, str]:
    return {path: node.remover.name for path, node in walk(account.tree) if node.remover}


def assert_blamed(found: dict[str, Node]) -> None:
    gone = found[SIDECAR]
    assert gone.remover is not None
    assert (gone.remover.kind, gone.remover.name) == (ActorKind.WEBHOOK, LOSSY)
    assert gone.setter.kind is ActorKind.USER
    assert found[f"metadata.labels{{{MARK}}}"].setter.name == FIRST
    assert found["spec.containers[name=app].image"].setter.kind is ActorKind.USER
    assert found["spec.containers[name=app].imagePullPolicy"].setter.kind is ActorKind.DEFAULT
    assert found[f"{TOKEN}.mountPath"].setter.name == "ServiceAccount"
    assert found["spec.tolerations[0].key"].setter.name == "DefaultTolerationSeconds"


async def test_a_manifest_is_blamed_field_by_field(staged: Staged) -> None:
    account = await blame_manifest(staged.cluster, build_pod("manifest"), staged.options)
    found = nodes(account.tree)
    assert_blamed(found)
    assert account.pod == f"{NAMESPACE}/manifest"
    assert [call.outcome for call in account.calls] == ["patched", "patched"]
    injected = found["spec.initContainers[name=specimen-init].image"]
    assert injected.setter.name == LOSSY
    assert account.complete, [
        (path, node.setter, node.remover)
        for path, node in found.items()
        if ActorKind.UNKNOWN in {node.setter.kind, node.remover and node.remover.kind}
    ]


async def test_a_pod_of_a_deployment_is_blamed_from_its_template(staged: Staged) -> None:
    deployment: JsonObject = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": SPEC},
        },
    }
    collection = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    staged.admin.create(collection, deployment)
    try:
        name = await asyncio.to_thread(_pod_of_deployment, staged.admin)
        account = await blame_stored_pod(staged.cluster, NAMESPACE, name, staged.options)
    finally:
        staged.admin.delete(f"{collection}/web")
    found = nodes(account.tree)
    assert_blamed(found)
    made = found["metadata.labels{pod-template-hash}"].setter
    assert (made.kind, made.name) == (ActorKind.USER, "")
    assert found["metadata.ownerReferences"].setter.name == "ReplicaSet controller"
    assert any("says what was asked for" in note for note in account.notes)
    assert any(SIDECAR in note for note in account.notes)
    assert account.complete, [
        (path, node.setter, node.remover)
        for path, node in found.items()
        if ActorKind.UNKNOWN in {node.setter.kind, node.remover and node.remover.kind}
    ]


def _pod_of_deployment(admin: Client) -> str:
    names: list[str] = []

    def is_there() -> bool:
        found = admin.request("GET", PODS, labelSelector="pod-template-hash").body["items"]
        items = found if isinstance(found, list) else []
        names[:] = [
            str(value_at(each, "metadata.name")) for each in items if isinstance(each, dict)
        ]
        return bool(names)

    wait_until(is_there, what="the Deployment's pod")
    return names[0]


async def test_the_audit_log_blames_without_calling_anybody(staged: Staged) -> None:
    await asyncio.to_thread(staged.admin.create, PODS, build_pod("audited"))
    log = staged.plane.audit_log

    def is_written() -> bool:
        try:
            return bool(find_pod_creation(log, NAMESPACE, "audited"))
        except InputError:
            return False

    await asyncio.to_thread(wait_until, is_written, what="the audit event")
    event = find_pod_creation(log, NAMESPACE, "audited")
    history = history_of_event(event, CATALOGUE, api_server=NEWEST)
    found = nodes(blame(history.stages, SCHEMA))
    assert_blamed(found)
    assert history.complete, history.notes
    assert ActorKind.UNKNOWN not in {node.setter.kind for node in found.values()}


async def test_a_bundle_answers_what_the_cluster_answered(staged: Staged, tmp_path: Path) -> None:
    await asyncio.to_thread(staged.admin.create, PODS, build_pod("kept"))
    masker = Masker()
    recording = RecordingApi(staged.cluster, masker)
    live = await blame_stored_pod(recording, NAMESPACE, "kept", staged.options)
    file = tmp_path / "bundle.json.gz"
    bundle = Bundle(
        context="test", server="https://x", made_at="", tool="1", answers=recording.answers
    )
    save_bundle(bundle, file, masker=masker)
    api = BundleApi(load_bundle(file), name=str(file))
    options = BlameOptions(source="a bundle", alone=False)
    account = await blame_stored_pod(api, NAMESPACE, "kept", options)
    assert not account.complete
    assert nodes(live.tree).keys() == nodes(account.tree).keys()
    assert ("dry runs", f"POST {PODS}: not in the bundle {file}") in (account.not_seen)
    value = nodes(account.tree)["spec.containers[name=app].env[name=KEY].value"].value
    assert str(value).startswith("redacted-")
