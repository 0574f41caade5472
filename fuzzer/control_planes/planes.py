"""How does one start a throw-away control plane, and what does one get?

    with control_plane(find_programs()) as plane:
        subprocess.run(["kubectl", "--kubeconfig", plane.kubeconfig, "get", "namespaces"])

It is up in seconds and leaves neither a process nor a folder behind, also when whoever started it
is killed: a leash holds the programs and the folder (leashes.py).
"""

import secrets
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.control_planes.files import (
    ADMINISTRATORS,
    ControlPlaneFiles,
    Login,
    write_audit_policy,
    write_kubeconfig,
    write_service_account_key,
    write_tokens,
)
from webhook_fuzz.fuzzer.control_planes.flags import (
    LOOPBACK,
    Ports,
    apiserver_flags,
    controller_manager_flags,
    etcd_flags,
)
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.processes import leash, leashed, program, started
from webhook_fuzz.fuzzer.control_planes.programs import ControlPlanePrograms
from webhook_fuzz.fuzzer.control_planes.readiness import (
    SERVICE_ACCOUNT_PATH,
    PortTakenError,
    Starting,
    wait_until_ready,
)

ATTEMPTS = 3
"""A free port may be taken by somebody else before the program gets to it."""
CONTROLLER_MANAGER = "kube-controller-manager"
SERVICE_ACCOUNT_CONTROLLERS = frozenset({"*", "serviceaccount", "serviceaccount-controller"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """A control plane that answers, and what its clients need.

    `version` is Kubernetes' own name for it (`v1.37.2`); `folder` holds the programs' logs
    (`etcd.log`, `kube-apiserver.log`); `audit_log` is written only with an audit policy.
    """

    url: str
    ca_file: Path
    administrator: User
    kubeconfig: Path
    context: str
    version: str
    folder: Path
    audit_log: Path

    @property
    def token(self) -> str:
        """The administrator's bearer token (group system:masters)."""
        return self.administrator.token

    def write_kubeconfig(self, file: Path, *, user: User) -> Path:
        """A kubeconfig for another of the users in the options; returns `file`."""
        login = Login(url=self.url, ca=self.ca_file, user=user, context=self.context)
        write_kubeconfig(file, login)
        return file


@contextmanager
def control_plane(
    programs: ControlPlanePrograms,
    *,
    folder: Path | None = None,
    options: ControlPlaneOptions | None = None,
) -> Generator[ControlPlane]:
    """Start a control plane and stop it with the block.

    `folder` is where its temporary folder is made (default: the system's place for them).
    Raises InputError for controllers without kube-controller-manager, ControlPlaneError when it
    does not come up.
    """
    chosen = options or ControlPlaneOptions()
    if chosen.controllers and programs.controller_manager is None:
        raise InputError(
            "Controllers were asked for, and there is no kube-controller-manager.",
            hint="Put the program beside kube-apiserver, or do without controllers.",
        )
    parent = Path(tempfile.gettempdir()) if folder is None else folder
    with ExitStack() as stack:
        for left in reversed(range(ATTEMPTS)):
            try:
                plane = stack.enter_context(_started(programs, parent, chosen))
            except PortTakenError:
                if not left:
                    raise
            else:
                yield plane
                return


@contextmanager
def _started(
    programs: ControlPlanePrograms, parent: Path, options: ControlPlaneOptions
) -> Generator[ControlPlane]:
    """One attempt, with ports and a folder of its own."""
    name = f"webhook-fuzz-control-plane-{secrets.token_hex(6)}"
    files = ControlPlaneFiles(folder=parent.resolve() / name)
    ports = _free_ports()
    administrator = User(
        name="webhook-fuzz-admin", token=secrets.token_urlsafe(32), groups=(ADMINISTRATORS,)
    )
    logs = [files.log("etcd"), files.log("kube-apiserver")]
    commands = [
        program([*programs.etcd, *etcd_flags(files, ports)], log=logs[0]),
        program([*programs.apiserver, *apiserver_flags(files, ports, options)], log=logs[1]),
    ]
    # What they keep is thrown away with them, so there is nothing to wait for at the end.
    with started(leash(commands, folder=files.folder, grace=0)) as process:
        _prepare(files, administrator, options)
        _release(process)
        starting = Starting(
            host=LOOPBACK,
            port=ports.apiserver,
            ca=files.ca,
            token=administrator.token,
            leash=process,
            logs=logs,
        )
        version = wait_until_ready(starting)
        plane = ControlPlane(
            url=f"https://{LOOPBACK}:{ports.apiserver}",
            ca_file=files.ca,
            administrator=administrator,
            kubeconfig=files.kubeconfig,
            context=options.context,
            version=version,
            folder=files.folder,
            audit_log=files.audit_log,
        )
        plane.write_kubeconfig(files.kubeconfig, user=administrator)
        with _controllers(programs, files, options) as manager:
            if manager and SERVICE_ACCOUNT_CONTROLLERS & set(options.controllers):
                managing = replace(starting, leash=manager, logs=[files.log(CONTROLLER_MANAGER)])
                wait_until_ready(managing, SERVICE_ACCOUNT_PATH)
            yield plane


def _prepare(files: ControlPlaneFiles, administrator: User, options: ControlPlaneOptions) -> None:
    files.folder.mkdir(mode=0o700, parents=True)
    write_service_account_key(files.service_account_key)
    write_tokens(files.tokens, [administrator, *options.users])
    if options.audit_policy is not None:
        write_audit_policy(files.audit_policy, options.audit_policy)


def _release(process: subprocess.Popen[bytes]) -> None:
    """Let the leash start the programs, now that their files are there."""
    if process.stdin is None:
        raise ValueError("the leash's standard input is not a pipe")
    process.stdin.write(b"\n")
    process.stdin.flush()


@contextmanager
def _controllers(
    programs: ControlPlanePrograms, files: ControlPlaneFiles, options: ControlPlaneOptions
) -> Generator[subprocess.Popen[bytes] | None]:
    """kube-controller-manager, if wanted: on a leash of its own, for it needs the kubeconfig."""
    if not options.controllers or programs.controller_manager is None:
        yield None
        return
    flags = controller_manager_flags(files, options)
    command = leashed([*programs.controller_manager, *flags], grace=0)
    with started(command, log=files.log(CONTROLLER_MANAGER)) as process:
        yield process


def _free_ports() -> Ports:
    with socket.socket() as first, socket.socket() as second:
        first.bind((LOOPBACK, 0))
        second.bind((LOOPBACK, 0))
        return Ports(etcd=first.getsockname()[1], apiserver=second.getsockname()[1])
