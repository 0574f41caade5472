"""Three webhooks behind services of a real API server, the one in the middle loses fields."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from authorities import Authority
from chain_webhooks import patching
from served_webhooks import serve_at
from testbed.clusters import administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from testbed.registrations import (
    CONFIGURATIONS,
    build_webhook,
    create_service,
    in_namespaces,
    registered,
    wait_until_called,
)
from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import value_at
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.apiserver.denials import Refuser
from webhook_fuzz.fuzzer.chains.attributions import (
    Attribution,
    Evidence,
    KnownBy,
    Taker,
    attribute,
)
from webhook_fuzz.fuzzer.chains.audit_trails import AuditTrail, read_audit_trail
from webhook_fuzz.fuzzer.chains.hops import Walk
from webhook_fuzz.fuzzer.chains.losses import find_losses
from webhook_fuzz.fuzzer.chains.walking import WalkOptions, walk_chain
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.options import REQUEST_LEVEL_POLICY, ControlPlaneOptions
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program
from webhook_fuzz.fuzzer.specimens.replies import build_response, pod_of, reply
from webhook_fuzz.fuzzer.specimens.round_trips import typed_round_trip
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions, choose_reaches
from webhook_fuzz.fuzzer.transports.dry_run import Created, DryRun, Refused, dry_run_pod
from webhook_fuzz.fuzzer.transports.reaching import Reach, Reaches, Way

pytestmark = pytest.mark.real

NAMESPACE = "walked"
CONFIGURATION = "chain-walked"
LABELS = {"kubernetes.io/metadata.name": NAMESPACE}
SIDECAR = "spec.initContainers[name=logs].restartPolicy"
LOSSY = f"{CONFIGURATION}/lossy.example.com"
LAST = "walked-by-the-last"
CATALOGUE = load_catalogue()


def lossy(review: JsonObject) -> Answer:
    """Decodes into the types of 1.27 and marshals back, every time it is called."""
    return reply(build_response(review, typed_round_trip(Minor(1, 27))(pod_of(review))))


def annotating(key: str) -> Program:
    return patching({"op": "add", "path": f"/metadata/annotations/{key}", "value": "yes"})


def build_pod(name: str, sidecar: JsonObject | None = None, **spec: JsonValue) -> JsonObject:
    init: JsonObject = {"name": "logs", "image": "logs:1", "restartPolicy": "Always"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": {"app": "web"}},
        "spec": {
            "initContainers": [{**init, **(sidecar or {})}],
            "containers": [{"name": "app", "image": "app:1"}],
            **spec,
        },
    }


@dataclass(frozen=True, kw_only=True)
class Staging:
    """The cluster, the webhooks registered with it and the ways to them."""

    cluster: Cluster
    plane: ControlPlane
    webhooks: list[Webhook]
    reaches: list[Reach]

    async def run(self, pod: JsonObject) -> DryRun:
        return await dry_run_pod(self.cluster, pod, namespace=NAMESPACE)

    def evidence(self, pod: JsonObject) -> Evidence:
        attributes = pod_attributes(pod, namespace=NAMESPACE, namespace_labels=LABELS)
        return Evidence(webhooks=self.webhooks, attributes=attributes, api_server=NEWEST)

    async def walk(self, pod: JsonObject, *, reaches: list[Reach] | None = None) -> Walk:
        async with Reaches(self.reaches if reaches is None else reaches) as caller:
            return await walk_chain(
                pod,
                self.webhooks,
                self.evidence(pod).attributes,
                caller,
                options=WalkOptions(api_server=NEWEST),
            )

    async def trail(self, name: str) -> AuditTrail:
        """What the audit log has of the pod's dry run."""
        found: list[JsonObject] = []

        def written() -> bool:
            lines = self.plane.audit_log.read_text().splitlines()
            found[:] = [json.loads(line) for line in lines if f'"name":"{name}"' in line]
            return bool(found)

        await asyncio.to_thread(wait_until, written, what=f"the audit event of {name}")
        return read_audit_trail(found[-1])


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    with control_plane(
        programs, options=ControlPlaneOptions(audit_policy=REQUEST_LEVEL_POLICY)
    ) as running:
        administrator(running).create_namespace(NAMESPACE)
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def staging(plane: ControlPlane, authority: Authority) -> AsyncGenerator[Staging]:
    programs = {"first": annotating("first"), "lossy": lossy, "last": annotating(LAST)}
    admin, entries = administrator(plane), list[JsonObject]()
    async with AsyncExitStack() as stack:
        for name, program in programs.items():
            address = create_service(admin, NAMESPACE, name)
            stack.callback(admin.delete, f"/api/v1/namespaces/{NAMESPACE}/services/{name}")
            await stack.enter_async_context(
                serve_at(
                    address.host,
                    address.port,
                    program,
                    authority=authority,
                    names=(address.dns_name,),
                )
            )
            config = address.client_config("/mutate", authority.ca_file)
            entries.append(
                build_webhook(
                    f"{name}.example.com", config, namespaceSelector=in_namespaces(NAMESPACE)
                )
            )
        stack.enter_context(registered(admin, CONFIGURATION, *entries))
        pod = build_pod("is-it-called")
        await asyncio.to_thread(wait_until_called, admin, NAMESPACE, marks=LAST, pod=pod)
        cluster = await stack.enter_async_context(
            Cluster(ClusterOptions(kubeconfig=plane.kubeconfig))
        )
        webhooks = list_webhooks([admin.get(f"{CONFIGURATIONS}/{CONFIGURATION}")])
        reaches = await choose_reaches(webhooks, cluster, ReachOptions(inside_cluster=False))
        yield Staging(cluster=cluster, plane=plane, webhooks=webhooks, reaches=reaches)


@pytest.fixture
async def staged(plane: ControlPlane, authority: Authority) -> AsyncGenerator[Staging]:
    async with staging(plane, authority) as found:
        yield found


async def created(staged: Staging, pod: JsonObject) -> tuple[JsonObject, JsonObject]:
    """The pod as it was sent, without unknown fields, and as it came back."""
    run = await staged.run(pod)
    assert isinstance(run.outcome, Created), run.outcome
    return run.sent, run.outcome.pod


def of_sidecar(found: tuple[Attribution, ...]) -> Attribution:
    return next(each for each in found if each.loss.path == SIDECAR)


async def test_direct_calls_name_the_lossy_one_between_two_good_ones(staged: Staging) -> None:
    assert [reach.way for reach in staged.reaches] == [Way.CLUSTER_IP] * 3
    sent, stored = await created(staged, build_pod("by-direct-calls"))
    losses = find_losses(sent, stored, CATALOGUE)
    assert SIDECAR in [loss.path for loss in losses]
    walk = await staged.walk(sent)
    assert walk.complete
    evidence = staged.evidence(sent)
    [found] = {
        (each.taker, each.known_by, each.hop)
        for each in attribute(
            losses,
            Evidence(
                webhooks=staged.webhooks,
                attributes=evidence.attributes,
                api_server=NEWEST,
                walk=walk,
            ),
        )
    }
    assert found == (Taker.WEBHOOK, KnownBy.DIRECT_CALLS, LOSSY)


async def test_the_walk_ends_with_the_pod_the_api_server_would_store(staged: Staging) -> None:
    sent, stored = await created(staged, build_pod("walked"))
    walk = await staged.walk(sent)
    assert find_losses(walk.end, stored, CATALOGUE) == ()
    for path in (
        "metadata.annotations{first}",
        f"metadata.annotations{{{LAST}}}",
        "spec.initContainers[name=specimen-init].terminationMessagePolicy",
    ):
        assert value_at(walk.end, path) == value_at(stored, path)


async def test_the_audit_log_names_it_without_calling_anybody(staged: Staging) -> None:
    sent, stored = await created(staged, build_pod("by-audit-log"))
    trail = await staged.trail("by-audit-log")
    assert [call.identity for call in trail.calls] == [each.identity for each in staged.webhooks]
    assert trail.has_patches
    evidence = Evidence(
        webhooks=staged.webhooks,
        attributes=staged.evidence(sent).attributes,
        api_server=NEWEST,
        trail=trail,
    )
    found = of_sidecar(attribute(find_losses(sent, stored, CATALOGUE), evidence))
    assert (found.taker, found.known_by, found.hop) == (Taker.WEBHOOK, KnownBy.AUDIT, LOSSY)


async def test_elimination_names_it_where_it_alone_cannot_be_called(staged: Staging) -> None:
    sent, stored = await created(staged, build_pod("by-elimination"))
    reaches = [reach for reach in staged.reaches if reach.webhook.identity != LOSSY]
    walk = await staged.walk(sent, reaches=reaches)
    assert [hop.webhook.identity for hop in walk.unknown] == [LOSSY]
    evidence = Evidence(
        webhooks=staged.webhooks,
        attributes=staged.evidence(sent).attributes,
        api_server=NEWEST,
        walk=walk,
    )
    found = of_sidecar(attribute(find_losses(sent, stored, CATALOGUE), evidence))
    assert (found.known_by, found.hop) == (KnownBy.ELIMINATION, LOSSY)


async def test_a_refusal_that_names_no_webhook_is_explained_by_the_walk(staged: Staging) -> None:
    sidecar: JsonObject = {"lifecycle": {"preStop": {"exec": {"command": ["sync"]}}}}
    run = await staged.run(build_pod("refused", sidecar))
    assert isinstance(run.outcome, Refused)
    assert run.outcome.denial.refuser is Refuser.VALIDATION
    assert "restartPolicy=Always" in run.outcome.message
    assert "example.com" not in run.outcome.message
    walk = await staged.walk(run.sent)
    losses = find_losses(walk.start, walk.end, CATALOGUE)
    evidence = Evidence(
        webhooks=staged.webhooks,
        attributes=staged.evidence(run.sent).attributes,
        api_server=NEWEST,
        walk=walk,
    )
    assert of_sidecar(attribute(losses, evidence)).hop == LOSSY


async def test_a_field_the_api_server_does_not_know_is_told_and_blamed_on_nobody(
    staged: Staging,
) -> None:
    pod = build_pod("unknown", {"futureField": {"a": 1}}, futureOfPods=True)
    run = await staged.run(pod)
    assert isinstance(run.outcome, Created)
    assert set(run.unknown_fields) == {"spec.initContainers[].futureField", "spec.futureOfPods"}
    assert "futureField" not in str(run.sent)
    fields = [loss.field for loss in find_losses(run.sent, run.outcome.pod, CATALOGUE)]
    assert not set(fields) & set(run.unknown_fields)


async def test_a_field_dropped_by_its_gate_is_blamed_on_nobody(staged: Staging) -> None:
    # The gate ContainerStopSignals is off in every release so far.
    webhooks = [each for each in staged.webhooks if each.identity != LOSSY]
    app: JsonObject = {
        "name": "app",
        "image": "app:1",
        "lifecycle": {"stopSignal": "SIGUSR1"},
    }
    pod = build_pod("gated", containers=[app], os={"name": "linux"})
    async with Reaches(staged.reaches) as caller:
        attributes = staged.evidence(pod).attributes
        walk = await walk_chain(
            pod, webhooks, attributes, caller, options=WalkOptions(api_server=NEWEST)
        )
    run = await dry_run_pod(staged.cluster, pod, namespace="default")
    assert isinstance(run.outcome, Created)
    losses = find_losses(run.sent, run.outcome.pod, CATALOGUE)
    assert {loss.field for loss in losses} <= {
        "spec.containers[].lifecycle",
        "spec.containers[].lifecycle.stopSignal",
    }
    evidence = Evidence(webhooks=webhooks, attributes=attributes, api_server=NEWEST, walk=walk)
    assert losses
    assert {each.taker for each in attribute(losses, evidence)} == {Taker.GATE}


async def test_two_webhooks_that_are_not_seen_leave_the_hop_unknown(staged: Staging) -> None:
    sent, stored = await created(staged, build_pod("unknown-hop"))
    reaches = [reach for reach in staged.reaches if reach.webhook.name.startswith("first")]
    walk = await staged.walk(sent, reaches=reaches)
    evidence = Evidence(
        webhooks=staged.webhooks,
        attributes=staged.evidence(sent).attributes,
        api_server=NEWEST,
        walk=walk,
    )
    found = of_sidecar(attribute(find_losses(sent, stored, CATALOGUE), evidence))
    assert (found.taker, found.hop) == (Taker.UNKNOWN, None)
    assert set(found.suspects) == {LOSSY, f"{CONFIGURATION}/last.example.com"}
