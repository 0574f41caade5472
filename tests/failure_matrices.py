"""A real API server that calls every failing webhook there is, directly and through the proxy."""

import contextlib
import os
import signal
import ssl
import subprocess
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from admission_outcomes import Admitted, outcome_of
from authorities import Authority, Credential
from failing_webhooks import BEHAVIOURS, CELL, Seen, failing_webhook, path_for
from proxied import RunningProxy, running_proxy
from testbed.builds import API_031
from testbed.clusters import Cluster, administrator, wait_until
from testbed.control_planes import NEWEST, build_control_plane
from testbed.programs import Listening, serving
from testbed.progress import Progress
from testbed.registrations import (
    CONFIGURATIONS,
    ServiceAddress,
    build_pod,
    build_webhook,
    create_service,
)
from webhook_fuzz.corpora.exchanges import WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.control_planes.planes import control_plane
from webhook_fuzz.proxy.routes import Route, RouteTable, Upstream

Way: TypeAlias = Literal["direct", "proxied"]
WAYS: Final[tuple[Way, ...]] = ("direct", "proxied")
POLICIES: Final = ("Fail", "Ignore")
NAMESPACE: Final = "matrix"
_CONFIGURATION: Final = "matrix"
WRONG_NAME: Final = "certificate for another name"
EXPIRED: Final = "certificate expired"
FOREIGN: Final = "certificate of another authority"
NOBODY: Final = "nobody listens"
REINVOKED: Final = "reinvocation"
_TIMEOUTS: Final = {"slow, too late": 1}
RETRIED: Final = "Retry-After"
_BIG: Final = "3 MiB pod"


class RestartedProcess:
    """A process that is killed, and started again as it was."""

    def __init__(self, pid: int, log: Path) -> None:
        self._pid = pid
        self._log = log
        self._command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        self._again: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """At once, whatever it is doing."""
        if self._again is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)  # whoever started it waits for it
            return
        self._again.kill()
        self._again.communicate()

    def start(self) -> None:
        """Under the same command line; it ends with its input."""
        with self._log.open("ab") as log:
            self._again = subprocess.Popen(  # noqa: S603 - a program of the testbed
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where a webhook listens, the authority its configuration names, and what it was asked."""

    address: ServiceAddress
    authority: Path
    seen: Seen | None = None
    context: ssl.SSLContext | None = None
    process: RestartedProcess | None = None

    def renew(self, authority: Authority) -> None:
        """Serve another certificate from the next connection on."""
        assert self.context is not None
        renewed = authority.issue(self.address.dns_name)
        self.context.load_cert_chain(renewed.cert_file, renewed.key_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to fail: which backend, at which path."""

    name: str
    backend: str
    path: str

    @property
    def timeout(self) -> int:
        """`timeoutSeconds` of the webhook."""
        if RETRIED in self.name:  # the API server repeats these until its time is over
            return 4
        return _TIMEOUTS.get(self.name, 20)


KEEP_ALIVE: Final = "keep-alive closed"

CASES: Final = (
    *(Case(name=name, backend="failing", path=path_for(name)) for name in BEHAVIOURS),
    *(
        Case(name=name, backend=path_for(name)[1:], path="/healthy")
        for name in (WRONG_NAME, EXPIRED, FOREIGN, NOBODY)
    ),
    Case(name="Go webhook", backend="go", path="/raw-patch"),
    Case(name="Go webhook, typed round trip", backend="go", path="/patch-response-from-raw"),
    Case(name=REINVOKED, backend="failing", path="/first"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of a cell, and how often its webhooks were asked."""

    admitted: Admitted
    calls: int
    abandoned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Everything that is needed to try a cell."""

    cluster: Cluster
    backends: Mapping[str, Backend]
    proxy: RunningProxy
    proxied: ServiceAddress
    proxy_authority: Authority
    proxy_credential: Credential
    webhook_authority: Authority

    def attempt(self, case: Case, policy: str, way: Way, *, times: int = 1) -> list[Tried]:
        """Create the pod of a cell in dry run."""
        pod: JsonObject = _big_pod() if case.name == _BIG else build_pod("app")
        if case.backend == "go":
            sidecar: JsonObject = {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}
            pod = {**pod, "spec": {**_object(pod["spec"]), "initContainers": [sidecar]}}
        cell = cell_name(case, policy, way)
        return [self._once(case, cell, pod) for _ in range(times)]

    def _once(self, case: Case, cell: str, pod: JsonObject) -> Tried:
        seen = self.backends[case.backend].seen or Seen()
        calls, abandoned, closed = seen.calls[cell], seen.abandoned[cell], seen.closed[cell]
        metadata: JsonObject = {**_object(pod["metadata"]), "labels": {CELL: cell}}
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        reply = self.cluster.dry_run(path, {**pod, "metadata": metadata})
        if case.name in _TIMEOUTS:  # the webhook notices a little later that nobody waits
            wait_until(lambda: seen.abandoned[cell] > abandoned, what="the webhook is let go")
        if case.name == KEEP_ALIVE:  # or the next call would take a connection that is ending
            wait_until(lambda: seen.closed[cell] > closed, what="the connection is over")
        return Tried(
            admitted=outcome_of(reply),
            calls=seen.calls[cell] - calls,
            abandoned=seen.abandoned[cell] - abandoned,
        )

    def client_config(self, backend: str, path: str, way: Way) -> JsonObject:
        """By service reference, at the webhook or at the proxy."""
        behind = self.backends[backend]
        if way == "direct":
            return behind.address.client_config(path, behind.authority)
        return self.proxied.client_config(f"/{backend}{path}", self.proxy_authority.ca_file)


def cell_name(case: Case, policy: str, way: str) -> str:
    """The label's value by which the webhooks of a cell select its pods."""
    return f"{path_for(case.name)[1:]}.{policy}.{way}"


@contextmanager
def failure_matrix(folder: Path, progress: Progress) -> Generator[Matrix]:
    """The control plane, the webhooks, the proxy and a webhook configuration with every cell."""
    with ExitStack() as stack:
        plane = stack.enter_context(control_plane(build_control_plane(NEWEST, progress)))
        cluster = administrator(plane)
        cluster.create_namespace(NAMESPACE)
        authority = Authority(folder / "webhooks")
        backends = {
            **_failing_backends(stack, cluster, authority, folder),
            "go": _go_backend(stack, cluster, folder / "go", progress),
        }
        proxied = create_service(cluster, NAMESPACE, "proxied")
        proxy_authority = Authority(folder / "proxy-authority")
        proxy_credential = proxy_authority.issue(proxied.dns_name)
        proxy = stack.enter_context(
            running_proxy(
                RouteTable.of(route_to(name, each) for name, each in backends.items()),
                folder=folder / "proxy",
                address=(proxied.host, proxied.port),
                credential=proxy_credential,
            )
        )
        matrix = Matrix(
            cluster=cluster,
            backends=backends,
            proxy=proxy,
            proxied=proxied,
            proxy_authority=proxy_authority,
            proxy_credential=proxy_credential,
            webhook_authority=authority,
        )
        _register(matrix)
        yield matrix


def route_to(name: str, backend: Backend) -> Route:
    """Through the proxy, a backend's paths begin with its name."""
    address = backend.address
    return Route(
        prefix=f"/{name}",
        upstream=Upstream(
            webhook=WebhookIdentity(
                configuration=_CONFIGURATION, name=name, url=f"https://{address.dns_name}"
            ),
            host=address.host,
            port=address.port,
            server_name=address.dns_name,
            authority=f"{address.dns_name}:{address.port}",
            ca_pem=backend.authority.read_bytes(),
        ),
    )


def _failing_backends(
    stack: ExitStack, cluster: Cluster, authority: Authority, folder: Path
) -> dict[str, Backend]:
    foreign = Authority(folder / "foreign")
    backends: dict[str, Backend] = {}
    for name in ("failing", WRONG_NAME, EXPIRED, FOREIGN, NOBODY):
        short = path_for(name)[1:]
        address = create_service(cluster, NAMESPACE, short)
        issuer = foreign if name == FOREIGN else authority
        dns_name = "somebody.else.svc" if name == WRONG_NAME else address.dns_name
        lifetime = timedelta(days=1 if name == EXPIRED else 3)
        credential = issuer.issue(dns_name, age=timedelta(days=2), lifetime=lifetime)
        seen, context = None, credential.server_context()
        if name != NOBODY:
            seen = stack.enter_context(failing_webhook(address.host, address.port, context))
        backends[short] = Backend(
            address=address, authority=authority.ca_file, seen=seen, context=context
        )
    return backends


def _go_backend(stack: ExitStack, cluster: Cluster, folder: Path, progress: Progress) -> Backend:
    folder.mkdir()
    address = create_service(cluster, NAMESPACE, "go")
    listening = Listening(host=address.host, port=address.port, names=[address.dns_name])
    program = stack.enter_context(
        serving(API_031, folder=folder, progress=progress, listening=listening)
    )
    process = RestartedProcess(program.pid, folder / "restarted.log")
    stack.callback(process.kill)
    return Backend(address=address, authority=program.authority, process=process)


def _register(matrix: Matrix) -> None:
    webhooks = [
        webhook
        for case in CASES
        for policy in POLICIES
        for way in WAYS
        for webhook in _webhooks(matrix, case, policy, way)
    ]
    for number in range(0, len(webhooks), 40):
        body: JsonObject = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": f"{_CONFIGURATION}-{number:03d}"},
            "webhooks": [*webhooks[number : number + 40]],
        }
        matrix.cluster.create(CONFIGURATIONS, body)
    last = next(case for case in CASES if case.name == REINVOKED)

    def all_called() -> bool:
        return all(
            matrix.attempt(last, policy, way)[0].calls > 1 for policy in POLICIES for way in WAYS
        )

    wait_until(all_called, what="the API server calls the webhooks")


def _webhooks(matrix: Matrix, case: Case, policy: str, way: Way) -> list[JsonObject]:
    """One; for the reinvocation two, of which the first is called again after the second."""
    cell = cell_name(case, policy, way)
    steps = ("/first", "/second") if case.name == REINVOKED else (case.path,)
    return [
        build_webhook(
            f"step{number}.{cell}.example.com".lower(),
            matrix.client_config(case.backend, path, way),
            objectSelector={"matchLabels": {CELL: cell}},
            failurePolicy=policy,
            timeoutSeconds=case.timeout,
            reinvocationPolicy="IfNeeded",
        )
        for number, path in enumerate(steps, 1)
    ]


def _big_pod() -> JsonObject:
    """3 MiB with everything around it: the most an API server takes."""
    variables: list[JsonObject] = [
        {"name": f"BIG_{number}", "value": "x" * 100_000} for number in range(29)
    ]
    pod = build_pod("app")
    image = "registry.example.com/app:1"
    container: JsonObject = {"name": "app", "image": image, "env": [*variables]}
    return {**pod, "spec": {**_object(pod["spec"]), "containers": [container]}}


def _object(value: JsonValue) -> JsonObject:
    assert isinstance(value, dict)
    return value
