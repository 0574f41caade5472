from pathlib import Path

from webhook_fuzz.fuzzer.control_planes.files import ControlPlaneFiles
from webhook_fuzz.fuzzer.control_planes.flags import (
    Ports,
    apiserver_flags,
    controller_manager_flags,
    etcd_flags,
)
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions

FILES = ControlPlaneFiles(folder=Path("/plane"))
PORTS = Ports(etcd=1, apiserver=2)


def test_everything_listens_on_loopback() -> None:
    flags = [*etcd_flags(FILES, PORTS), *apiserver_flags(FILES, PORTS, ControlPlaneOptions())]
    addresses = [flag for flag in flags if "listen" in flag or "bind-address" in flag]
    assert len(addresses) == 3
    assert all("127.0.0.1" in flag for flag in addresses)


def test_gates_and_apis_are_switched_by_name() -> None:
    options = ControlPlaneOptions(
        feature_gates={"Old": False, "New": True}, runtime_config={"api/all": True}
    )
    flags = apiserver_flags(FILES, PORTS, options)
    assert "--feature-gates=Old=false,New=true" in flags
    assert "--runtime-config=api/all=true" in flags
    assert "--feature-gates=Old=false,New=true" in controller_manager_flags(FILES, options)


def test_a_plain_one_names_no_gates_and_writes_no_audit_log() -> None:
    flags = apiserver_flags(FILES, PORTS, ControlPlaneOptions(disabled_admission_plugins=()))
    names = ("--feature-gates", "--runtime-config", "--audit", "--disable-admission-plugins")
    assert [flag for flag in flags if flag.startswith(names)] == []


def test_further_flags_come_last_and_so_win() -> None:
    options = ControlPlaneOptions(apiserver_flags=("--authorization-mode=AlwaysAllow",))
    assert apiserver_flags(FILES, PORTS, options)[-1] == "--authorization-mode=AlwaysAllow"
