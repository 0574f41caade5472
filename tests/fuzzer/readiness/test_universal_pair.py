"""Is the pair one sidecar, and only one, on every kind of node?

Its own scripts run here under `sh`, in the order in which a kubelet starts containers: one after
the other where native sidecars do not work, side by side where they do.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook_fuzz.corpora.fields.catalogue import load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.versions import Minor
from webhook_fuzz.fuzzer.apiserver.decoding import Decoded, decode_object
from webhook_fuzz.fuzzer.readiness.strategies import universal_pair

SECONDS = 30.0
SPEC: dict[str, Any] = yaml.safe_load(universal_pair())["spec"]
CONTAINERS: dict[str, dict[str, Any]] = {
    container["name"]: container for container in [*SPEC["initContainers"], *SPEC["containers"]]
}


class Pod:
    """The containers of the pair in a folder of their own; all are killed at the end."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def start(self, name: str, *, patience: str = "0", policy: str = "Always") -> "Container":
        """Start a container; as the sidecar it would write its name into `at-work` and stay."""
        command: Sequence[str] = CONTAINERS[name]["command"]
        sidecar = ["sh", "-c", f"echo {name} >> {self._folder}/at-work; exec sleep 600"]
        if "args" not in CONTAINERS[name]:
            sidecar = []
        environment = {
            "PATH": os.environ["PATH"],
            "PAIR": str(self._folder / "pair"),
            "PAIR_SECONDS": patience,
            "POD_RESTART_POLICY": policy,
        }
        process = subprocess.Popen(  # noqa: S603 - our own
            [*command, *sidecar], env=environment, start_new_session=True
        )
        self._stack.callback(_end, process)
        return Container(process)

    def run(self, name: str, **options: str) -> None:
        """Run a container to its end."""
        assert self.start(name, **options).ended() == 0

    def at_work(self) -> list[str]:
        """Who became the sidecar, in order."""
        file = self._folder / "at-work"
        return file.read_text().split() if file.exists() else []

    def wait_for(self, name: str, *, times: int = 1) -> None:
        """Until a container has become the sidecar so many times."""
        deadline = time.monotonic() + SECONDS
        while self.at_work().count(name) < times:
            assert time.monotonic() < deadline, f"{name} is not at work: {self.at_work()}"
            time.sleep(0.02)


class Container:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ended(self) -> int:
        """The exit code."""
        return self._process.wait(SECONDS)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> int:
        """As a kubelet does it; the exit code."""
        os.killpg(self._process.pid, signal.SIGTERM)
        return self.ended()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    (tmp_path / "pair").mkdir()
    with ExitStack() as stack:
        yield Pod(tmp_path, stack)


def start_without_native_sidecars(pod: Pod, **options: str) -> Container:
    for name in ("sidecar-reset", "sidecar-native", "sidecar-next"):
        pod.run(name, **options)
    return pod.start("sidecar-old-way", **options)


def start_with_native_sidecars(pod: Pod, **options: str) -> tuple[Container, Container]:
    pod.run("sidecar-reset")
    native = pod.start("sidecar-native", patience="30", **options)
    pod.run("sidecar-next")
    return native, pod.start("sidecar-old-way", **options)


def test_without_native_sidecars_the_old_way_is_the_sidecar(pod: Pod) -> None:
    start_without_native_sidecars(pod)

    pod.wait_for("sidecar-old-way")
    assert pod.at_work() == ["sidecar-old-way"]


def test_the_old_way_stays_the_sidecar_when_it_is_restarted(pod: Pod) -> None:
    old_way = start_without_native_sidecars(pod)
    pod.wait_for("sidecar-old-way")
    old_way.stop()
    again = pod.start("sidecar-old-way")

    pod.wait_for("sidecar-old-way", times=2)
    assert again.running
    assert pod.at_work() == ["sidecar-old-way"] * 2


def test_a_pod_restarted_as_a_whole_decides_anew(pod: Pod) -> None:
    start_without_native_sidecars(pod).stop()

    start_without_native_sidecars(pod)

    pod.wait_for("sidecar-old-way")
    assert "sidecar-native" not in pod.at_work()


def test_with_native_sidecars_the_native_one_is_at_work_and_the_other_stands_by(pod: Pod) -> None:
    native, old_way = start_with_native_sidecars(pod)

    pod.wait_for("sidecar-native")
    assert (native.running, old_way.running) == (True, True)
    old_way.stop()
    assert pod.at_work() == ["sidecar-native"]


def test_a_native_sidecar_that_crashes_is_the_sidecar_again(pod: Pod) -> None:
    native, _ = start_with_native_sidecars(pod)
    pod.wait_for("sidecar-native")
    native.stop()
    pod.start("sidecar-native")

    pod.wait_for("sidecar-native", times=2)
    assert pod.at_work() == ["sidecar-native"] * 2


def test_in_a_job_the_one_that_stands_by_ends(pod: Pod) -> None:
    native, old_way = start_with_native_sidecars(pod, policy="Never")

    assert old_way.ended() == 0
    assert native.running


def test_a_native_one_that_came_too_late_leaves_the_work_to_the_other(pod: Pod) -> None:
    """On a slow node it gave up before the next container came; then the kubelet restarts it."""
    start_without_native_sidecars(pod)
    pod.wait_for("sidecar-old-way")

    late = pod.start("sidecar-native")

    assert pod.at_work() == ["sidecar-old-way"]
    assert late.running


@pytest.mark.parametrize("number", range(19, 38))
def test_every_api_version_takes_the_pair_and_keeps_all_but_restart_policy(number: int) -> None:
    document: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": SPEC,
    }
    schema = load_catalogue().schema(Minor(1, number))

    decoded = decode_object(document, schema)

    assert isinstance(decoded, Decoded)
    spec = decoded.value["spec"]
    assert isinstance(spec, dict)
    inits = spec["initContainers"]
    assert isinstance(inits, list)
    kept = [isinstance(each, dict) and "restartPolicy" in each for each in inits]
    assert kept == [False, number >= 28, False]
    assert not any(
        "Probe" in key or key == "lifecycle" for each in SPEC["initContainers"] for key in each
    )
