"""What does a staging cluster with eight webhooks look like?

A control plane of its own, real Go webhooks behind services and at URLs, one that nobody serves and
one that selects no pod. What each of them does to fields it does not know is written down in
webhooks.py; what a run must find is worked out from that.
"""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.builds import API_027, API_031, API_032, API_036, GoModule
from testbed.certificates import issue_certificate
from testbed.clusters import Cluster, administrator, wait_until
from testbed.programs import Listening, serving
from testbed.progress import Progress
from testbed.registrations import (
    build_pod,
    build_webhook,
    create_service,
    registered,
    url_client_config,
)
from testbed.webhooks import REAL_WEBHOOKS, RealWebhook
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane

SPARED = "spared-by-webhooks"
UNLESS_SPARED: JsonObject = {"matchExpressions": [{"key": SPARED, "operator": "DoesNotExist"}]}
"""No webhook is called for pods of a namespace with the label."""
ONLY_METRICS: JsonObject = {"matchLabels": {"metrics": "on"}}
OPTED_IN = "55-metrics"
"""It is called in one namespace of the cluster, and in those with the same label."""
SYSTEM = "webhooks"
"""The namespace the services are in."""
BACKEND_GONE = "60-gone"
MATCHES_NOTHING = "70-idle"
NAMES: Mapping[str, tuple[GoModule, str]] = {
    "10-labels": (API_032, "/raw-patch"),
    "20-identity": (API_031, "/patch-response-from-raw"),
    "30-logging": (API_027, "/patch-response-from-raw"),
    "40-mesh": (API_036, "/defaulter-prepend"),
    "50-secrets": (API_031, "/typed-diff-append"),
    "55-metrics": (API_036, "/raw-patch"),
}
"""Configuration -> the program behind it. The last two are called by URL."""
MARK = "testbed.example.com/injected"
"""The label the programs leave on a pod they changed."""
BY_URL = frozenset({"50-secrets", "55-metrics"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """The cluster, and what is behind each configuration that anybody serves."""

    plane: ControlPlane
    cluster: Cluster
    webhooks: Mapping[str, RealWebhook]


@contextmanager
def staging(plane: ControlPlane, *, folder: Path, progress: Progress) -> Generator[Staging]:
    """Register the eight webhooks in a control plane of the caller's."""
    cluster = administrator(plane)
    cluster.create_namespace(SYSTEM)
    cluster.create_namespace("team-a", metrics="on")
    with ExitStack() as stack:
        registrations: dict[str, JsonObject] = {}
        for name, (module, path) in NAMES.items():
            if name in BY_URL:
                config = _by_url(stack, module, path, folder=folder, progress=progress)
            else:
                program = (module, path)
                config = _by_service(stack, cluster, program, folder=folder, progress=progress)
            selector = ONLY_METRICS if name == OPTED_IN else UNLESS_SPARED
            registrations[name] = build_webhook(
                f"{name}.example.com", config, namespaceSelector=selector
            )
        gone = create_service(cluster, SYSTEM, "gone")
        nobody = gone.client_config("/mutate", issue_certificate(_folder(folder, "gone")).authority)
        registrations[BACKEND_GONE] = build_webhook(
            f"{BACKEND_GONE}.example.com", nobody, failurePolicy="Ignore", timeoutSeconds=2
        )
        registrations[MATCHES_NOTHING] = build_webhook(
            f"{MATCHES_NOTHING}.example.com",
            nobody,
            namespaceSelector={"matchLabels": {"no-namespace-has": "this"}},
        )
        for name, webhook in registrations.items():
            stack.enter_context(registered(cluster, name, webhook))
        _wait(cluster)
        by_name = {
            name: next(w for w in REAL_WEBHOOKS if (w.module, w.path) == program)
            for name, program in NAMES.items()
        }
        yield Staging(plane=plane, cluster=cluster, webhooks=by_name)


def _by_url(
    stack: ExitStack, module: GoModule, path: str, *, folder: Path, progress: Progress
) -> JsonObject:
    files = _folder(folder, f"{module.name}-url")
    program = stack.enter_context(serving(module, folder=files, progress=progress))
    return url_client_config(program.url(path), program.authority)


def _by_service(
    stack: ExitStack,
    cluster: Cluster,
    program: tuple[GoModule, str],
    *,
    folder: Path,
    progress: Progress,
) -> JsonObject:
    module, path = program
    address = create_service(cluster, SYSTEM, module.name)
    listening = Listening(host=address.host, port=address.port, names=[address.dns_name])
    files = _folder(folder, f"{module.name}-service")
    running = stack.enter_context(
        serving(module, folder=files, progress=progress, listening=listening)
    )
    return address.client_config(path, running.authority)


def _folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def _wait(cluster: Cluster) -> None:
    """Until the API server calls the last of those that mark a pod: it has all configurations."""

    def all_called() -> bool:
        reply = cluster.dry_run("/api/v1/namespaces/default/pods", build_pod("is-it-called"))
        return reply.status < 300 and MARK in str(reply.body)

    wait_until(all_called, what="the API server calls the webhooks")
