import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fake_programs import fake_environment, fake_programs
from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.control_planes.options import ControlPlaneOptions, User
from webhook_fuzz.fuzzer.control_planes.planes import ATTEMPTS, control_plane
from webhook_fuzz.fuzzer.control_planes.programs import ControlPlanePrograms
from webhook_fuzz.fuzzer.control_planes.readiness import ControlPlaneError, PortTakenError

# Starts a control plane, says where its folder is, and waits to be killed.
OWNER = """\
import sys, time
from pathlib import Path
from fake_programs import fake_programs
from webhook_fuzz.fuzzer.control_planes.planes import control_plane
folder = Path(sys.argv[1])
with control_plane(fake_programs(folder), folder=folder) as plane:
    print(plane.folder, flush=True)
    time.sleep(60)
"""

Behave = Callable[..., ControlPlanePrograms]


@pytest.fixture
def behave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Behave:
    def programs(**how: object) -> ControlPlanePrograms:
        monkeypatch.setenv("FAKE_APISERVER", fake_environment(tmp_path, **how))  # type: ignore[arg-type] # as in fake_environment
        return fake_programs(tmp_path)

    return programs


def planes_in(folder: Path) -> list[Path]:
    return list(folder.glob("webhook-fuzz-control-plane-*"))


def attempts_in(folder: Path) -> list[list[str]]:
    return [file.read_text().splitlines() for file in sorted(folder.glob("attempt-*"))]


def is_running(pid: int) -> bool:
    """Whether a process is there and not just waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def goes(gone: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not gone() and time.monotonic() < deadline:
        time.sleep(0.02)
    return gone()


def test_a_control_plane_answers_inside_the_block_and_is_gone_after_it(
    behave: Behave, tmp_path: Path
) -> None:
    with control_plane(behave(), folder=tmp_path) as plane:
        assert plane.version == "v1.99.0"
        assert plane.kubeconfig.exists()
        assert planes_in(tmp_path) == [plane.folder]
        pid = int(attempts_in(tmp_path)[0][0])
        assert is_running(pid)
    assert not is_running(pid)
    assert planes_in(tmp_path) == []


def test_it_goes_when_the_block_fails(behave: Behave, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), control_plane(behave(), folder=tmp_path):
        raise ZeroDivisionError
    assert planes_in(tmp_path) == []


def test_nothing_is_left_when_its_owner_is_killed(behave: Behave, tmp_path: Path) -> None:
    behave()
    folders = [str(Path(__file__).parents[2]), *sys.path]
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": ":".join(folders)}
    with subprocess.Popen(  # noqa: S603 - this Python
        command, stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as owner:
        assert owner.stdout is not None
        assert Path(owner.stdout.readline().decode().strip()).is_dir()
        pid = int(attempts_in(tmp_path)[0][0])
        os.killpg(owner.pid, signal.SIGKILL)
    assert goes(lambda: not is_running(pid) and planes_in(tmp_path) == [])


def test_a_port_that_is_taken_in_between_is_given_up_for_another(
    behave: Behave, tmp_path: Path
) -> None:
    with control_plane(behave(clashes=2), folder=tmp_path):
        ports = {
            flag for attempt in attempts_in(tmp_path) for flag in attempt if "secure-port" in flag
        }
        assert len(ports) == 3


def test_it_does_not_try_other_ports_forever(behave: Behave, tmp_path: Path) -> None:
    programs = behave(clashes=ATTEMPTS)
    with pytest.raises(PortTakenError, match="address already in use"):
        control_plane(programs, folder=tmp_path).__enter__()
    assert len(attempts_in(tmp_path)) == ATTEMPTS
    assert planes_in(tmp_path) == []


def test_a_program_that_ends_at_once_is_named_with_its_last_words(
    behave: Behave, tmp_path: Path
) -> None:
    programs = behave(dies_with="unknown flag: --frobnicate")
    with pytest.raises(ControlPlaneError, match="kube-apiserver ended with status 1") as caught:
        control_plane(programs, folder=tmp_path).__enter__()
    assert "unknown flag: --frobnicate" in caught.value.message
    assert len(attempts_in(tmp_path)) == 1
    assert planes_in(tmp_path) == []


def test_one_that_never_gets_ready_is_given_up(
    behave: Behave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_fuzz.fuzzer.control_planes.readiness.START_SECONDS", 0.3)
    with pytest.raises(ControlPlaneError, match="did not answer /readyz within 0 s"):
        control_plane(behave(unready=True), folder=tmp_path).__enter__()
    assert planes_in(tmp_path) == []


def test_a_control_plane_whose_leash_is_killed_is_reported(
    behave: Behave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_fuzz.fuzzer.control_planes.processes.LEASH", ["-c", ""])
    with pytest.raises(ControlPlaneError, match="etcd and kube-apiserver ended before serving"):
        control_plane(behave(), folder=tmp_path).__enter__()


def test_a_program_that_is_not_there_is_named(behave: Behave, tmp_path: Path) -> None:
    programs = replace(behave(), apiserver=[tmp_path / "missing"])
    with pytest.raises(ControlPlaneError, match="kube-apiserver ended with status 127") as caught:
        control_plane(programs, folder=tmp_path).__enter__()
    assert f"No such file or directory: '{tmp_path / 'missing'}'" in caught.value.message
    assert planes_in(tmp_path) == []


def test_a_controller_manager_that_ends_at_once_is_named_with_its_last_words(
    behave: Behave, tmp_path: Path
) -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit('unknown controller')"]
    programs = replace(behave(no_service_accounts=True), controller_manager=failing)
    options = ControlPlaneOptions(controllers=("*",))
    with pytest.raises(ControlPlaneError, match="kube-controller-manager ended") as caught:
        control_plane(programs, folder=tmp_path, options=options).__enter__()
    assert "unknown controller" in caught.value.message


def test_users_get_tokens_and_kubeconfigs_of_their_own(behave: Behave, tmp_path: Path) -> None:
    reader = User(name="reader", token="of-the-reader", groups=("readers", "guests"))
    options = ControlPlaneOptions(users=[reader], context="here")
    with control_plane(behave(), folder=tmp_path, options=options) as plane:
        tokens = (plane.folder / "tokens.csv").read_text().splitlines()
        assert tokens[0].startswith(f"{plane.token},")
        assert tokens[1] == 'of-the-reader,reader,reader,"readers,guests"'
        file = plane.write_kubeconfig(tmp_path / "reader", user=reader)
        assert "of-the-reader" in file.read_text()
        assert plane.token not in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600


def test_controllers_run_beside_it(behave: Behave, tmp_path: Path) -> None:
    options = ControlPlaneOptions(controllers=("*",))
    with control_plane(behave(), folder=tmp_path, options=options) as plane:
        assert (plane.folder / "kube-controller-manager.log").exists()


def test_controllers_without_their_program_are_refused(behave: Behave, tmp_path: Path) -> None:
    programs = behave()
    without = ControlPlanePrograms(etcd=programs.etcd, apiserver=programs.apiserver)
    with pytest.raises(InputError, match="there is no kube-controller-manager"):
        control_plane(without, options=ControlPlaneOptions(controllers=("*",))).__enter__()


def test_the_audit_log_is_asked_for(behave: Behave, tmp_path: Path) -> None:
    options = ControlPlaneOptions(audit_policy={"kind": "Policy"})
    with control_plane(behave(), folder=tmp_path, options=options) as plane:
        assert (plane.folder / "audit-policy.json").read_text() == '{"kind": "Policy"}'
        assert f"--audit-log-path={plane.audit_log}" in attempts_in(tmp_path)[0]
