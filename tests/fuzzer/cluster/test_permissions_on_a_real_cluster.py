"""The printed roles on a real API server: with them every request passes, without any rule not.

The requests are those the modes really make, written down once more here: a permission nobody uses
any more, or a request nobody has a permission for, shows.
"""

import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_lines import run_cli
from testbed.clusters import Cluster as Client
from testbed.clusters import administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.fixtures import past_capture
from testbed.registrations import build_pod
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.webhooks import ServiceReference
from webhook_fuzz.fuzzer.cluster.access_reviews import review_needs
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions
from webhook_fuzz.fuzzer.cluster.live_pods import live_pod
from webhook_fuzz.fuzzer.cluster.namespaces import NamespaceOptions, work_namespace
from webhook_fuzz.fuzzer.cluster.permissions import Mode, needs_of
from webhook_fuzz.fuzzer.cluster.roles import RoleOptions, render_roles
from webhook_fuzz.fuzzer.cluster.workloads import read_workload_pods
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane, control_plane

pytestmark = pytest.mark.real

WORK, ELSEWHERE = "work", "elsewhere"
REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1"
PROXIED = ServiceReference(namespace=ELSEWHERE, name="injector", port=443)
OWNERS = {
    "/apis/apps/v1": ("deployments", "replicasets", "statefulsets", "daemonsets"),
    "/apis/batch/v1": ("jobs", "cronjobs"),
}
USERS = tuple(User(name=f"user-{mode}", token=f"token-{mode}") for mode in Mode)
READER = User(name="reader", token="token-reader")
NOBODY = User(name="nobody", token="token-nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a mode; what is not there is 404, which is not forbidden.

    `makes_a_namespace`: it is made only where no namespace is given.
    """

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: JsonObject | None = None
    makes_a_namespace: bool = False

    def is_forbidden(self, client: Client) -> bool:
        reply = client.request(self.method, self.path, body=self.body, **(self.query or {}))
        return reply.status == 403 and " cannot " in reply.message


def get(path: str) -> Request:
    return Request(method="GET", path=path)


def in_namespace(namespace: str, collection: str, root: str = "/api/v1") -> str:
    return f"{root}/namespaces/{namespace}/{collection}"


def owners(namespace: str, name: str = "") -> list[Request]:
    return [
        get(f"{in_namespace(namespace, kind, root)}{name}")
        for root, kinds in OWNERS.items()
        for kind in kinds
    ]


def _is_above_owners(request: Request) -> bool:
    """A pod's own controller is looked at, not the deployment above it."""
    return request.path.endswith(("deployments/o", "cronjobs/o"))


TRIED_POD = Request(
    method="POST",
    path=in_namespace(WORK, "pods"),
    query={"dryRun": "All"},
    body=build_pod("tried"),
)
CONFIGURATIONS = get(f"{REGISTRATIONS}/mutatingwebhookconfigurations")
SERVICE = get(in_namespace(ELSEWHERE, "services/injector"))
ENDPOINTS = get(in_namespace(ELSEWHERE, "endpointslices", "/apis/discovery.k8s.io/v1"))
NAMESPACE = get(f"/api/v1/namespaces/{ELSEWHERE}")
NAMESPACES = get("/api/v1/namespaces")
PROXY_CALL = Request(
    method="POST", path=in_namespace(ELSEWHERE, "services/https:injector:443/proxy/mutate"), body={}
)
NEW_NAMESPACE: JsonObject = {"metadata": {"generateName": "webhook-fuzz-"}}
REQUESTS: Mapping[Mode, Iterable[Request]] = {
    Mode.RUN: [
        CONFIGURATIONS,
        SERVICE,
        ENDPOINTS,
        get(in_namespace(ELSEWHERE, "pods")),
        get(f"{REGISTRATIONS}/mutatingadmissionpolicies"),
        get("/metrics"),
        NAMESPACE,
        NAMESPACES,
        TRIED_POD,
        get(in_namespace(WORK, "resourcequotas")),
        get(in_namespace(WORK, "limitranges")),
        Request(
            method="POST",
            path="/api/v1/namespaces",
            query={"dryRun": "All"},
            body=NEW_NAMESPACE,
            makes_a_namespace=True,
        ),
        Request(method="DELETE", path="/api/v1/namespaces/gone", makes_a_namespace=True),
    ],
    Mode.SERVICE_PROXY: [PROXY_CALL],
    Mode.URL: [CONFIGURATIONS],
    Mode.DOCTOR: [
        get("/api/v1/nodes"),
        get("/api/v1/nodes/n"),
        get("/api/v1/nodes/n/proxy/metrics"),
        get("/metrics"),
        get(in_namespace("default", "endpointslices", "/apis/discovery.k8s.io/v1")),
        get("/api/v1/pods"),
        get(in_namespace(ELSEWHERE, "pods/p")),
        *owners(ELSEWHERE, "/o"),
        get(in_namespace(ELSEWHERE, "replicationcontrollers/o")),
        CONFIGURATIONS,
        NAMESPACE,
        TRIED_POD,
    ],
    Mode.WEBHOOKS: [
        CONFIGURATIONS,
        SERVICE,
        ENDPOINTS,
        get(in_namespace(ELSEWHERE, "pods")),
        NAMESPACE,
        NAMESPACES,
    ],
    Mode.LINT: [
        CONFIGURATIONS,
        get(f"{REGISTRATIONS}/validatingwebhookconfigurations"),
        SERVICE,
        ENDPOINTS,
        get(in_namespace(ELSEWHERE, "pods")),
        NAMESPACE,
    ],
    Mode.BLAME: [
        CONFIGURATIONS,
        SERVICE,
        ENDPOINTS,
        NAMESPACE,
        TRIED_POD,
        get(in_namespace(WORK, "pods/p")),
        *(each for each in owners(WORK, "/o") if not _is_above_owners(each)),
        get(in_namespace(WORK, "replicationcontrollers/o")),
    ],
    Mode.SEEDS: [
        get("/api/v1/pods"),
        *(get(f"{root}/{kind}") for root, kinds in OWNERS.items() for kind in kinds),
        NAMESPACES,
    ],
    Mode.LIVE: [
        Request(method="POST", path=in_namespace(WORK, "pods"), body={}),
        get(in_namespace(WORK, "pods")),
        get(in_namespace(WORK, "pods/p")),
        Request(method="DELETE", path=in_namespace(WORK, "pods/gone")),
    ],
    Mode.PROXY: [
        CONFIGURATIONS,
        get(f"{REGISTRATIONS}/mutatingwebhookconfigurations/c"),
        Request(
            method="GET",
            path=f"{REGISTRATIONS}/mutatingwebhookconfigurations",
            query={"watch": "true", "timeoutSeconds": "1"},
        ),
        Request(method="PATCH", path=f"{REGISTRATIONS}/mutatingwebhookconfigurations/c", body={}),
        SERVICE,
    ],
}


@pytest.fixture(scope="module")
def plane(request: pytest.FixtureRequest) -> Generator[ControlPlane]:
    programs = build_control_plane(NEWEST, past_capture(request.config))
    options = ControlPlaneOptions(users=(*USERS, READER, NOBODY))
    with control_plane(programs, options=options) as running:
        for name in (WORK, ELSEWHERE):
            administrator(running).create_namespace(name)
        yield running


def grant(admin: Client, roles: str, user: User) -> list[dict[str, Any]]:
    """Create what was printed, with the user in the place of the placeholder; its roles."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(roles))
    for document in documents:
        if "subjects" in document:
            document["subjects"] = [{"kind": "User", "name": user.name}]
        admin.create(collection_of(document), document)
    return [document for document in documents if "rules" in document]


def collection_of(document: Mapping[str, Any]) -> str:
    namespace = document["metadata"].get("namespace")
    where = f"namespaces/{namespace}/" if namespace else ""
    return f"/apis/rbac.authorization.k8s.io/v1/{where}{document['kind'].lower()}s"


def replace(admin: Client, role: Mapping[str, Any], rules: list[Any]) -> None:
    path = f"{collection_of(role)}/{role['metadata']['name']}"
    reply = admin.request("PUT", path, body={**role, "rules": rules})
    assert reply.status == 200, reply.message


@pytest.mark.parametrize("namespace", [None, WORK])
@pytest.mark.parametrize("mode", list(Mode))
def test_the_printed_roles_are_enough_and_no_rule_is_too_much(
    plane: ControlPlane, mode: Mode, namespace: str | None
) -> None:
    admin, user = administrator(plane), User(name=f"user-{mode}", token=f"token-{mode}")
    client = Client(plane=plane, token=user.token)
    options = RoleOptions(
        modes=[mode],
        name=f"fuzz-{mode}-{namespace or 'any'}",
        namespace=namespace,
        services=[PROXIED] if namespace else [],
    )
    requests = [each for each in REQUESTS[mode] if not (namespace and each.makes_a_namespace)]
    roles = grant(admin, render_roles(options), user)

    def forbidden() -> list[Request]:
        return [request for request in requests if request.is_forbidden(client)]

    wait_until(lambda: not forbidden(), what=f"the roles allow {mode}: {forbidden()}")
    for role in roles:
        rules: list[Any] = role["rules"]
        for index in range(len(rules)):
            replace(admin, role, rules[:index] + rules[index + 1 :])
            wait_until(lambda: bool(forbidden()), what=f"{mode} needs {rules[index]}")
        replace(admin, role, rules)
        wait_until(lambda: not forbidden(), what="the roles are whole again")
    for role in roles:  # the next test has the same user
        replace(admin, role, [])
    wait_until(lambda: len(forbidden()) == len(requests), what="nothing is allowed any more")


async def test_what_is_missing_is_what_the_api_server_forbids(
    plane: ControlPlane, tmp_path: Path
) -> None:
    reader = plane.write_kubeconfig(tmp_path / "config", user=READER)
    grant(administrator(plane), render_roles(RoleOptions(modes=[Mode.LINT], name="r")), READER)
    async with Cluster(ClusterOptions(kubeconfig=reader)) as api:
        rights = await review_needs(api, needs_of([Mode.LINT, Mode.DOCTOR]))
    async with Cluster(ClusterOptions(kubeconfig=plane.kubeconfig)) as api:
        whole = await review_needs(api, needs_of(list(Mode)))

    assert whole.missing == ()
    assert {missing.mode for missing in rights.missing} == {Mode.DOCTOR}
    assert "cannot list nodes: doctor will not see kubelet versions" in [
        missing.sentence for missing in rights.missing
    ]


async def test_the_namespace_and_the_seeds_need_no_more_than_is_printed(
    plane: ControlPlane, tmp_path: Path
) -> None:
    admin, name = administrator(plane), "fuzz-whole"
    modes = [Mode.RUN, Mode.SEEDS, Mode.LIVE]
    user = User(name="user-run", token="token-run")
    grant(admin, render_roles(RoleOptions(modes=modes, name=name)), user)
    client = Client(plane=plane, token=user.token)
    wait_until(lambda: not NAMESPACES.is_forbidden(client), what="the role is there")
    file = plane.write_kubeconfig(tmp_path / "config", user=user)

    async with (
        Cluster(ClusterOptions(kubeconfig=file)) as api,
        work_namespace(api, NamespaceOptions()) as work,
        live_pod(api, build_pod("p"), work),
    ):
        assert work.restrictions.not_seen == ()
        assert (await read_workload_pods(api)).not_seen == ()


@pytest.mark.parametrize("namespace", [None, WORK])
@pytest.mark.parametrize(
    ("command", "modes"),
    [
        (["webhooks"], [Mode.WEBHOOKS]),
        (["lint"], [Mode.LINT]),
        (["doctor"], [Mode.DOCTOR]),
        (["blame", "--file", "pod.yaml"], [Mode.BLAME]),
        (["run", "--context", "webhook-fuzz"], [Mode.RUN, Mode.DOCTOR, Mode.LINT]),
    ],
    ids=lambda value: value[0],
)
async def test_a_command_sees_everything_with_its_printed_role(
    plane: ControlPlane,
    tmp_path: Path,
    command: list[str],
    modes: list[Mode],
    namespace: str | None,
) -> None:
    user = User(name=f"user-{modes[0]}", token=f"token-{modes[0]}")
    name = f"cli-{modes[0]}-{namespace or 'any'}"
    roles = render_roles(RoleOptions(modes=modes, name=name, namespace=namespace))
    granted = grant(administrator(plane), roles, user)
    client = Client(plane=plane, token=user.token)
    wait_until(lambda: not CONFIGURATIONS.is_forbidden(client), what="the role is there")
    file = plane.write_kubeconfig(tmp_path / "config", user=user)

    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(build_pod("p")))
    where = ["--namespace", namespace] if namespace and command != ["lint"] else []

    ran = await run_cli(*command, *where, "--kubeconfig", file, cwd=tmp_path)

    for role in granted:  # the next test has the same user
        replace(administrator(plane), role, [])
    said = ran.out + ran.err + _read_results(tmp_path)
    assert not re.search(r"(?i)forbidden|not seen|cannot (list|get|create|delete)", said), said


def _read_results(folder: Path) -> str:
    return "".join(each.read_text() for each in folder.rglob("run.json"))


async def test_somebody_without_rights_reads_sentences(plane: ControlPlane, tmp_path: Path) -> None:
    file = plane.write_kubeconfig(tmp_path / "config", user=NOBODY)

    ran = await run_cli("rbac", "--check", "--kubeconfig", file, cwd=tmp_path)

    assert ran.code == 1
    assert "cannot list nodes: doctor will not see kubelet versions" in ran.out
    assert all(line.startswith("cannot ") for line in ran.out.splitlines())
