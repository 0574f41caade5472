"""How does a test get a real webhook's URL and the authority to trust?

    with serving(API_031, folder=tmp_path, progress=print) as webhook:
        call(webhook.url("/defaulter-append"), webhook.authority)

Programs are built on first use. Nothing needs an API server, and nothing outlives the test run.
"""

import json
import socket
import ssl
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import TypedDict, cast

from testbed.builds import EKS, GoModule, build
from testbed.certificates import ServingFiles, issue_certificate
from testbed.processes import StartError, first_line, wait_until_healthy
from testbed.progress import Progress
from webhook_fuzz.fuzzer.control_planes.processes import leashed, started

LOCALHOST = "127.0.0.1"
PORT_ATTEMPTS = 3
EKS_NAMESPACE = "default"
EKS_SERVICE_ACCOUNT = "testbed-identity"
# It insists on a kubeconfig and keeps retrying in the background; the discard port answers no one.
UNREACHABLE_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: none
contexts: [{name: none, context: {cluster: none, user: none}}]
clusters: [{name: none, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: none, user: {}}]
"""


class Announcement(TypedDict):
    """What our own programs print first: where they listen and which modules they are made of."""

    address: str
    modules: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProgram:
    """A real webhook that answers. `modules` maps Go modules to the versions linked in.

    `modules` is empty for programs that are not ours.
    """

    module: GoModule
    base_url: str
    authority: Path
    pid: int
    log: Path
    modules: dict[str, str]

    def url(self, path: str) -> str:
        """The URL of one mechanism."""
        return self.base_url + path


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where one of our programs listens, and the names its certificate is for beside localhost."""

    host: str = LOCALHOST
    port: int = 0
    names: Sequence[str] = ()


@contextmanager
def serving(
    module: GoModule, *, folder: Path, progress: Progress, listening: Listening | None = None
) -> Generator[RunningProgram]:
    """Build, start and finally stop one program; its certificates and log go into `folder`.

    Raises ToolchainError, BuildError or StartError.
    """
    program = build(module, progress)
    with running(module, program, folder=folder, listening=listening) as webhook:
        yield webhook


@asynccontextmanager
async def serving_async(
    module: GoModule, *, folder: Path, progress: Progress
) -> AsyncGenerator[RunningProgram]:
    """As `serving`, for asynchronous tests. Building and starting block the loop."""
    with serving(module, folder=folder, progress=progress) as webhook:
        yield webhook


@contextmanager
def running(
    module: GoModule, program: Path, *, folder: Path, listening: Listening | None = None
) -> Generator[RunningProgram]:
    """Start an already built program; only our own can listen elsewhere than on localhost."""
    at = listening or Listening()
    files = issue_certificate(folder, at.names)
    log = folder / f"{module.name}.log"
    if module == EKS:
        with _running_eks(module, program, files, log) as webhook:
            yield webhook
    else:
        with _running_ours(module, program, files, log, at) as webhook:
            yield webhook


@contextmanager
def _running_ours(
    module: GoModule, program: Path, files: ServingFiles, log: Path, at: Listening
) -> Generator[RunningProgram]:
    command: list[str | Path] = [
        program,
        "--listen",
        f"{at.host}:{at.port}",
        "--cert",
        files.certificate,
        "--key",
        files.key,
    ]
    with started(command, log=log) as process:
        said = cast("Announcement", json.loads(first_line(process, log=log)))
        webhook = RunningProgram(
            module=module,
            base_url=f"https://{said['address']}",
            authority=files.authority,
            pid=process.pid,
            log=log,
            modules=said["modules"],
        )
        _wait(process, webhook)
        yield webhook


@contextmanager
def _running_eks(
    module: GoModule, program: Path, files: ServingFiles, log: Path
) -> Generator[RunningProgram]:
    """It wants a fixed port, so another program may snatch the free one found just before."""
    for attempt in range(1, PORT_ATTEMPTS + 1):
        port = _free_port()
        with started(_eks_command(program, files, port), log=log) as process:
            webhook = RunningProgram(
                module=module,
                base_url=f"https://{LOCALHOST}:{port}",
                authority=files.authority,
                pid=process.pid,
                log=log,
                modules={},
            )
            try:
                _wait(process, webhook)
            except StartError:
                if attempt == PORT_ATTEMPTS:
                    raise
                continue
            yield webhook
            return


def _wait(process: Popen[bytes], webhook: RunningProgram) -> None:
    context = ssl.create_default_context(cafile=str(webhook.authority))
    context.check_hostname = False  # behind a service it is for that name, not for the address
    wait_until_healthy(process, webhook.base_url, context, log=webhook.log)


def _eks_command(program: Path, files: ServingFiles, port: int) -> list[str | Path]:
    folder = files.certificate.parent
    kubeconfig, identities = folder / "kubeconfig", folder / "identities.json"
    kubeconfig.write_text(UNREACHABLE_KUBECONFIG)
    identity = {"namespace": EKS_NAMESPACE, "serviceAccount": EKS_SERVICE_ACCOUNT}
    identities.write_text(json.dumps({"identities": [identity]}))
    return leashed(
        [
            program,
            "--in-cluster=false",
            f"--kubeconfig={kubeconfig}",
            f"--watch-container-credentials-config={identities}",
            f"--port={port}",
            "--metrics-port=0",
            f"--tls-cert={files.certificate}",
            f"--tls-key={files.key}",
        ]
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        port: int = probe.getsockname()[1]
        return port
