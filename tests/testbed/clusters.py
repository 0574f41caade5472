"""How does a test talk to the API server of a throw-away control plane?

Plain JSON over HTTPS, one connection a request: what a test asserts is what the server said.
"""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode, urlsplit

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.control_planes.planes import ControlPlane

REQUEST_SECONDS = 40.0
"""The API server gives a request 34 seconds for all its webhooks."""
SETTLE_SECONDS = 20.0
POLL_SECONDS = 0.05


class RefusedError(AssertionError):
    """The API server refused what a test needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the API server said: the status, the object, and its `Warning:` headers."""

    status: int
    body: JsonObject
    warnings: tuple[str, ...]

    @property
    def message(self) -> str:
        """The message of a Status object; empty for any other."""
        return str(self.body.get("message", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A control plane as one user sees it."""

    plane: ControlPlane
    token: str

    def request(self, method: str, path: str, *, body: JsonValue = None, **query: str) -> Reply:
        """Any request; `query` are the URL's parameters (`dryRun="All"`)."""
        context = ssl.create_default_context(cafile=str(self.plane.ca_file))
        address = urlsplit(self.plane.url)
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=REQUEST_SECONDS, context=context
        )
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, target, body=sent, headers=headers)
            response = connection.getresponse()
            return Reply(
                status=response.status,
                body=_object(response.read()),
                warnings=tuple(response.headers.get_all("Warning", [])),
            )
        finally:
            connection.close()

    def get(self, path: str) -> JsonObject:
        """An object that is there. Raises RefusedError otherwise."""
        return _accepted(self.request("GET", path), f"GET {path}")

    def create(self, path: str, body: JsonObject) -> JsonObject:
        """Create an object in a collection, and return what became of it."""
        return _accepted(self.request("POST", path, body=body), f"POST {path}")

    def delete(self, path: str) -> None:
        """Delete an object that may be gone already."""
        self.request("DELETE", path, gracePeriodSeconds="0")

    def dry_run(self, path: str, body: JsonObject, *, validation: str = "Strict") -> Reply:
        """Create without persisting: through all of admission, refusing unknown fields."""
        return self.request("POST", path, body=body, dryRun="All", fieldValidation=validation)

    def create_namespace(self, name: str, **labels: str) -> str:
        """A namespace with labels; returns its name."""
        metadata: JsonObject = {"name": name, "labels": dict(labels)}
        body: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.create("/api/v1/namespaces", body)
        return name


def administrator(plane: ControlPlane) -> Cluster:
    """The control plane as its administrator sees it."""
    return Cluster(plane=plane, token=plane.token)


def wait_until(holds: Callable[[], bool], *, what: str) -> None:
    """Ask again until it holds: the API server learns of configurations by watching."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {SETTLE_SECONDS:.0f} s: {what}")
        time.sleep(POLL_SECONDS)


def _object(raw: bytes) -> JsonObject:
    try:
        return cast("JsonObject", json.loads(raw))
    except ValueError:  # /readyz, /metrics and some errors are text
        return {"message": raw.decode(errors="replace")}


def _accepted(reply: Reply, what: str) -> JsonObject:
    if reply.status >= http.HTTPStatus.BAD_REQUEST:
        raise RefusedError(f"{what}: {reply.status} {reply.message}")
    return reply.body
