"""A kubelet, as far as an installed proxy needs one: pods become ready, and one proxy really runs.

A control plane without nodes makes pods and never starts them. Here they are said to be ready, and
a proxy with the arguments of the very Deployment, its Secret and its ConfigMap, listens on the
ClusterIP of the very Service. Names of Services are resolved for it in the routes, which is what a
cluster's DNS does.
"""

import base64
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from testbed.clusters import Cluster, RefusedError
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.proxy.deployment.installations import CERTIFICATE, PROXY, ROUTES

SPACE = "/api/v1/namespaces/webhook-fuzz"
DEPLOYMENT = f"/apis/apps/v1/namespaces/webhook-fuzz/deployments/{PROXY}"
_POLL_SECONDS = 0.2
_STOP_SECONDS = 40


@dataclass(kw_only=True)
class Kubelet:
    """`log` is what the proxy prints, `recording` where it records.

    With `serves` False nothing runs, and pods are said to be ready all the same.
    """

    cluster: Cluster
    folder: Path
    serves: bool = True
    process: "subprocess.Popen[bytes] | None" = None
    over: threading.Event = field(default_factory=threading.Event)
    address: tuple[str, int] = ("", 0)

    @property
    def recording(self) -> Path:
        """Where the proxy records."""
        return self.folder / "recordings"

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.folder / "log").read_text("utf-8")

    def run(self) -> None:
        """Until it is over: start the proxy when it is installed, say that its pods are ready."""
        while not self.over.wait(_POLL_SECONDS):
            # While it is being installed, or deleted, something may not be there.
            with suppress(RefusedError):
                if self.serves and self.process is None:
                    self.process = self._start()
                if not self.serves or self._listens():
                    self._ready()

    def _start(self) -> "subprocess.Popen[bytes]":
        deployment = cast("Any", self.cluster.get(DEPLOYMENT))
        address = cast("Any", self.cluster.get(f"{SPACE}/services/{PROXY}"))["spec"]["clusterIP"]
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        places = {
            "/etc/webhook-fuzz/certificate": self._write("certificate", self._certificate()),
            "/etc/webhook-fuzz/routes": self._write("routes", self._routes()),
            "/var/lib/webhook-fuzz/$(POD_NAME)": self.recording,
        }
        arguments: list[str] = []
        for argument in container["args"]:
            for mounted, here in places.items():
                argument = argument.replace(mounted, str(here))  # noqa: PLW2901 - one after the other
            arguments.append(argument)
        listen, metrics = f"--listen={address}:443", f"--metrics={address}:9090"
        arguments = [
            {"--listen": listen, "--metrics": metrics}.get(each.partition("=")[0], each)
            for each in arguments
        ]
        self.address = (address, 443)
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "webhook_fuzz", *arguments], stdout=log, stderr=log
            )

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(self.address, timeout=1):
            return True
        return False

    def _certificate(self) -> dict[str, bytes]:
        secret = cast("Any", self.cluster.get(f"{SPACE}/secrets/{CERTIFICATE}"))
        return {name: base64.b64decode(value) for name, value in secret["data"].items()}

    def _routes(self) -> dict[str, bytes]:
        held = cast("Any", self.cluster.get(f"{SPACE}/configmaps/{ROUTES}"))
        routes = yaml.safe_load(held["data"]["routes.yaml"])
        for route in routes["routes"]:
            name, namespace, *rest = route["host"].split(".")
            if rest == ["svc"]:
                service = self.cluster.get(f"/api/v1/namespaces/{namespace}/services/{name}")
                route["host"] = cast("Any", service)["spec"]["clusterIP"]
        return {"routes.yaml": yaml.safe_dump(routes).encode()}

    def _write(self, name: str, files: dict[str, bytes]) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        return folder

    def _ready(self) -> None:
        pods = cast("Any", self.cluster.get(f"{SPACE}/pods"))["items"]
        for pod in pods:
            if "deletionTimestamp" in pod["metadata"]:
                self.cluster.delete(f"{SPACE}/pods/{pod['metadata']['name']}")
            elif pod.get("status", {}).get("phase") != "Running":
                condition: JsonObject = {"type": "Ready", "status": "True"}
                status: JsonObject = {"phase": "Running", "conditions": [condition]}
                path = f"{SPACE}/pods/{pod['metadata']['name']}/status"
                self.cluster.request("PATCH", path, body={"status": status})


@contextmanager
def kubelet(cluster: Cluster, folder: Path, *, serves: bool = True) -> Generator[Kubelet]:
    """One for the time of the block; the proxy is stopped with it."""
    found = Kubelet(cluster=cluster, folder=folder, serves=serves)
    thread = threading.Thread(target=found.run)
    thread.start()
    try:
        yield found
    finally:
        found.over.set()
        thread.join()
        if found.process is not None:
            found.process.terminate()
            found.process.wait(_STOP_SECONDS)
