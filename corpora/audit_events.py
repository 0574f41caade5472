"""Which events of an audit log are about a pod's creation?

An audit log is one JSON object a line, gigabytes of it: it is read line by line and nothing is
kept but what is asked for. The creation of a pod with generateName has no name in its objectRef;
it is found by the name in the response, or by the beginning of the name.

Source: k8s.io/apiserver pkg/apis/audit/v1/types.go Event.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import orjson

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, text_at

_COMPLETE: Final = "ResponseComplete"
_HINT: Final = (
    "Give the file kube-apiserver writes with --audit-log-path: one JSON event a line "
    "(.gz is read too)."
)
# A line that cannot be about a pod's creation is not parsed.
_MARKS: Final = (b'"create"', b'"pods"')


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event of a pod's creation. `name` is empty where only the response would tell it.

    `generate_name` is empty where a name was given; `stored` is the pod in the response, None below
    level RequestResponse. `dry_run` says that nothing was stored.
    """

    level: str
    namespace: str
    name: str
    generate_name: str
    user: str
    time: str
    code: int
    dry_run: bool
    stored: JsonObject | None = field(repr=False)
    raw: JsonObject = field(repr=False)

    def is_about(self, namespace: str, name: str) -> bool:
        """Whether this may be the creation of the pod: for sure where the event has its name."""
        if namespace != self.namespace:
            return False
        if self.name:
            return self.name == name
        return bool(self.generate_name) and name.startswith(self.generate_name)


def iterate_pod_creations(path: Path) -> Iterator[AuditEvent]:
    """The creations of pods in an audit log, in its order.

    Raises InputError where the file cannot be read, or a line in question is no event.
    """
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                if all(mark in line for mark in _MARKS):
                    event = _read(line, place=f"{path}:{number}")
                    if event is not None:
                        yield event
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {error}", hint=_HINT) from error


def find_pod_creation(path: Path, namespace: str, name: str) -> AuditEvent:
    """The last creation of a pod that succeeded and was no dry run.

    Raises InputError when there is none, or only the beginning of several names fits.
    """
    exact: AuditEvent | None = None
    similar: list[AuditEvent] = []
    for event in iterate_pod_creations(path):
        if event.is_about(namespace, name) and event.code < 300 and not event.dry_run:  # noqa: PLR2004 - HTTP
            if event.name:
                exact = event
            else:
                similar.append(event)
    if exact is not None:
        return exact
    if len(similar) == 1:
        return similar[0]
    if similar:
        raise InputError(
            f"{path}: {len(similar)} pods were created with generateName "
            f"{similar[0].generate_name}, and the log does not say which of them is {name}",
            hint="Only events of level RequestResponse have the names of such pods.",
        )
    raise InputError(
        f"{path}: the creation of the pod {namespace}/{name} is not in it",
        hint="Look for it in an older log file, and whether the audit policy logs pods.",
    )


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _read(line: bytes, *, place: str) -> AuditEvent | None:
    try:
        raw: JsonValue = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON: {error}", hint=_HINT) from error
    if not isinstance(raw, dict) or not _is_pod_creation(raw):
        return None
    reference, response = object_at(raw, "objectRef"), object_at(raw, "responseObject")
    requested = object_at(object_at(raw, "requestObject"), "metadata")
    stored = response if response.get("kind") == "Pod" else None
    metadata = object_at(stored or {}, "metadata")
    return AuditEvent(
        level=text_at(raw, "level"),
        namespace=text_at(reference, "namespace") or text_at(metadata, "namespace"),
        name=text_at(metadata, "name") or text_at(reference, "name") or text_at(requested, "name"),
        generate_name=text_at(requested, "generateName"),
        user=text_at(object_at(raw, "user"), "username"),
        time=text_at(raw, "requestReceivedTimestamp"),
        code=_code(object_at(raw, "responseStatus")),
        dry_run="dryRun=" in text_at(raw, "requestURI"),
        stored=stored,
        raw=raw,
    )


def _is_pod_creation(event: JsonObject) -> bool:
    reference = object_at(event, "objectRef")
    return (
        event.get("kind") == "Event"
        and event.get("verb") == "create"
        and event.get("stage") == _COMPLETE
        and reference.get("resource") == "pods"
        and not reference.get("subresource")
    )


def _code(status: JsonObject) -> int:
    found = status.get("code")
    return found if isinstance(found, int) else 0
