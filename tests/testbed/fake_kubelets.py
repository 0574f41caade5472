"""Where do kubelets live that a real API server can reach through its node proxy?

The API server refuses to proxy to loopback. So they listen in a network namespace of their own,
at the far end of a pair of virtual interfaces. That takes root.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from authorities import Authority
from testbed.folders import cache_folder, locked
from testbed.progress import Progress

NAMESPACE = "webhook-fuzz-kubelets"
INTERFACES = ("wf-kubelets0", "wf-kubelets1")
NEAR, FAR = "10.231.7.1", "10.231.7.2"
SERVER = Path(__file__).with_name("kubelet_servers.py")


def why_not() -> str | None:
    """Why there can be no fake kubelets on this machine; None when there can."""
    if os.geteuid() != 0:
        return "not run: fake kubelets need a network namespace, and that takes root"
    if shutil.which("ip") is None:
        return "not run: fake kubelets need the program `ip` (iproute2)"
    return None


@contextmanager
def fake_kubelets(
    answers: Mapping[int, tuple[int, str]], folder: Path, progress: Progress
) -> Generator[str]:
    """Kubelets at one address, a port each with a status and a body; yields the address.

    A port without an answer refuses connections. There is one such namespace on a machine at a
    time; what an earlier run that was killed left behind is removed first.
    """
    lock = cache_folder() / "fake-kubelets.lock"
    with locked(lock, waiting_for="using the fake kubelets", progress=progress):
        _remove()
        try:
            _create()
            with _serving(answers, folder):
                yield FAR
        finally:
            _remove()


@contextmanager
def _serving(answers: Mapping[int, tuple[int, str]], folder: Path) -> Generator[None]:
    credential = Authority(folder / "kubelets").issue(FAR)
    script = folder / "kubelets.json"
    by_port = {port: {"status": status, "body": body} for port, (status, body) in answers.items()}
    script.write_text(json.dumps(by_port), "utf-8")
    files = [str(credential.cert_file), str(credential.key_file), str(script)]
    process = subprocess.Popen(  # noqa: S603 - our own
        ["ip", "netns", "exec", NAMESPACE, sys.executable, str(SERVER), FAR, *files],  # noqa: S607 - the system's
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == "ready\n", f"the fake kubelets did not come up: {said!r}"
        yield
    finally:
        process.communicate()  # closes its standard input


def _create() -> None:
    near, far = INTERFACES
    _ip("netns", "add", NAMESPACE)
    _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", NAMESPACE)
    _ip("addr", "add", f"{NEAR}/30", "dev", near)
    _ip("link", "set", near, "up")
    _ip("-n", NAMESPACE, "addr", "add", f"{FAR}/30", "dev", far)
    _ip("-n", NAMESPACE, "link", "set", far, "up")


def _remove() -> None:
    """The interfaces go with the namespace."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)  # noqa: S607
    if NAMESPACE in listed.stdout.split():
        _ip("netns", "delete", NAMESPACE)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"
