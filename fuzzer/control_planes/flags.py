"""With which flags do etcd, kube-apiserver and kube-controller-manager make a control plane?

Everything listens on loopback. What etcd keeps is thrown away, so that nothing waits for a disk.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webhook_fuzz.fuzzer.control_planes.files import ControlPlaneFiles
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions

LOOPBACK = "127.0.0.1"
SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Free ports: etcd's for clients and the API server's."""

    etcd: int
    apiserver: int


def etcd_flags(files: ControlPlaneFiles, ports: Ports) -> list[str]:
    """One member, which nobody else joins: its port for peers is the system's choice."""
    client = f"http://{LOOPBACK}:{ports.etcd}"
    return [
        f"--data-dir={files.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls=http://{LOOPBACK}:0",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver_flags(
    files: ControlPlaneFiles, ports: Ports, options: ControlPlaneOptions
) -> list[str]:
    """An API server that authenticates by token and authorizes by RBAC.

    It makes its own serving certificate. It does not publish its address as endpoints of the
    service `kubernetes`: loopback is not allowed there.
    """
    return [
        f"--etcd-servers=http://{LOOPBACK}:{ports.etcd}",
        f"--secure-port={ports.apiserver}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--cert-dir={files.ca.parent}",
        f"--service-account-key-file={files.service_account_key}",
        f"--service-account-signing-key-file={files.service_account_key}",
        f"--service-account-issuer={SERVICE_ACCOUNT_ISSUER}",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=none",
        f"--service-cluster-ip-range={options.service_range}",
        *_plugins(options),
        *_audit(files, options),
        *_switches("--feature-gates", options.feature_gates),
        *_switches("--runtime-config", options.runtime_config),
        *options.apiserver_flags,
    ]


def controller_manager_flags(files: ControlPlaneFiles, options: ControlPlaneOptions) -> list[str]:
    """The controllers asked for, alone and at once: nobody else competes for the lease."""
    return [
        f"--kubeconfig={files.kubeconfig}",
        f"--controllers={','.join(options.controllers)}",
        f"--service-account-private-key-file={files.service_account_key}",
        f"--root-ca-file={files.ca}",
        "--leader-elect=false",
        "--secure-port=0",
        *_switches("--feature-gates", options.feature_gates),
    ]


def _plugins(options: ControlPlaneOptions) -> Iterator[str]:
    if options.disabled_admission_plugins:
        yield f"--disable-admission-plugins={','.join(options.disabled_admission_plugins)}"


def _audit(files: ControlPlaneFiles, options: ControlPlaneOptions) -> Iterator[str]:
    if options.audit_policy is not None:
        yield f"--audit-policy-file={files.audit_policy}"
        yield f"--audit-log-path={files.audit_log}"


def _switches(flag: str, switches: Mapping[str, bool]) -> Iterator[str]:
    if switches:
        yield f"{flag}={','.join(f'{name}={str(on).lower()}' for name, on in switches.items())}"
