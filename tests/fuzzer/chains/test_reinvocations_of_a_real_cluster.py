"""Does the walk call the webhooks a real API server calls, in both rounds?

Four webhooks write their letter into an annotation: never, once, or every time they are called, as
the pod says. What the server calls and what it would store is compared with the walk, for every
combination.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import product

import pytest

from authorities import Authority
from served_webhooks import serve_at
from testbed.clusters import administrator
from testbed.control_planes import minors_under_test
from testbed.fixtures import shared_control_plane
from testbed.registrations import (
    CONFIGURATIONS,
    build_webhook,
    in_namespaces,
    registered,
    url_client_config,
    wait_until_called,
)
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.pods import value_at
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.corpora.webhooks import Webhook, list_webhooks
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes
from webhook_fuzz.fuzzer.chains.walking import WalkOptions, walk_chain
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane
from webhook_fuzz.fuzzer.specimens.programs import Answer, Program
from webhook_fuzz.fuzzer.specimens.replies import build_response, pod_of, reply, request_of
from webhook_fuzz.fuzzer.transports.choosing import ReachOptions, choose_reaches
from webhook_fuzz.fuzzer.transports.dry_run import Created, dry_run_pod
from webhook_fuzz.fuzzer.transports.reaching import Reach, Reaches, Way

pytestmark = pytest.mark.real

NAMESPACE = "reinvoked"
CONFIGURATION = "chain-reinvoked"
LABELS = {"kubernetes.io/metadata.name": NAMESPACE}
# Upper case: reinvocationPolicy IfNeeded.
WEBHOOKS = "AbCD"
WRITTEN = "metadata.annotations{written}"


@dataclass(kw_only=True)
class Letters:
    """The programs of the webhooks, and who was called for which pod, in order."""

    called: dict[str, str] = field(default_factory=lambda: defaultdict[str, str](str))

    def program(self, letter: str) -> Program:
        def answer(review: JsonObject) -> Answer:
            pod = pod_of(review)
            self.called[str(request_of(review)["name"])] += letter
            written = str(value_at(pod, WRITTEN))
            always = letter in str(value_at(pod, "metadata.annotations{always}"))
            once = letter in str(value_at(pod, "metadata.annotations{once}"))
            if not always and (not once or letter in written):
                return reply(build_response(review))
            value = written + letter
            path = "/metadata/annotations/written"
            return reply(build_response(review, [{"op": "replace", "path": path, "value": value}]))

        return answer


def build_pod(name: str, *, once: str, always: str) -> JsonObject:
    annotations: JsonObject = {"once": once, "always": always, "written": "-"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    }


@pytest.fixture(scope="module", params=minors_under_test(), ids=str)
def minor(request: pytest.FixtureRequest) -> Minor:
    found: Minor = request.param
    return found


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest, minor: Minor) -> ControlPlane:
    found = shared_control_plane(request.config, minor)
    administrator(found).create_namespace(NAMESPACE)
    return found


@dataclass(frozen=True, kw_only=True)
class Staging:
    cluster: Cluster
    letters: Letters
    webhooks: list[Webhook]
    reaches: list[Reach]


@asynccontextmanager
async def staging(plane: ControlPlane, authority: Authority) -> AsyncGenerator[Staging]:
    admin, letters, entries = administrator(plane), Letters(), list[JsonObject]()
    async with AsyncExitStack() as stack:
        for letter in WEBHOOKS:
            serving = serve_at(
                "127.0.0.1",
                0,
                letters.program(letter),
                authority=authority,
                names=("127.0.0.1",),
            )
            port = await stack.enter_async_context(serving)
            config = url_client_config(f"https://127.0.0.1:{port}/", authority.ca_file)
            policy = "IfNeeded" if letter.isupper() else "Never"
            entries.append(
                build_webhook(
                    f"{letter.lower()}.example.com",
                    config,
                    namespaceSelector=in_namespaces(NAMESPACE),
                    reinvocationPolicy=policy,
                )
            )
        stack.enter_context(registered(admin, CONFIGURATION, *entries))
        pod = build_pod("is-it-called", once=WEBHOOKS, always="")
        await asyncio.to_thread(wait_until_called, admin, NAMESPACE, marks=f"-{WEBHOOKS}", pod=pod)
        cluster = await stack.enter_async_context(
            Cluster(ClusterOptions(kubeconfig=plane.kubeconfig))
        )
        webhooks = list_webhooks([admin.get(f"{CONFIGURATIONS}/{CONFIGURATION}")])
        reaches = await choose_reaches(webhooks, cluster, ReachOptions(inside_cluster=False))
        assert {reach.way for reach in reaches} == {Way.URL}
        yield Staging(cluster=cluster, letters=letters, webhooks=webhooks, reaches=reaches)


async def test_the_walk_calls_whom_the_server_calls(
    plane: ControlPlane, minor: Minor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    async with staging(plane, authority) as staged, Reaches(staged.reaches) as caller:
        for number, chosen in enumerate(product("-oa", repeat=len(WEBHOOKS))):
            paired = list(zip(WEBHOOKS, chosen, strict=True))
            once = "".join(letter for letter, kind in paired if kind == "o")
            always = "".join(letter for letter, kind in paired if kind == "a")
            real = build_pod(f"real-{number}", once=once, always=always)
            run = await dry_run_pod(staged.cluster, real, namespace=NAMESPACE)
            assert isinstance(run.outcome, Created)
            mine = build_pod(f"mine-{number}", once=once, always=always)
            attributes = pod_attributes(mine, namespace=NAMESPACE, namespace_labels=LABELS)
            walk = await walk_chain(
                mine, staged.webhooks, attributes, caller, options=WalkOptions(api_server=minor)
            )
            called = staged.letters.called
            told = f"once {once!r}, always {always!r}"
            assert called[f"mine-{number}"] == called[f"real-{number}"], told
            assert value_at(walk.end, WRITTEN) == value_at(run.outcome.pod, WRITTEN), told
