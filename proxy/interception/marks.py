"""What does an intercepted configuration carry, so that it can be put back by anybody?

One annotation for each webhook that was re-pointed. It holds the original clientConfig, the one it
was replaced with, who did it and until when, and a checksum. It is added and taken away in the very
patch that changes the clientConfig: no state has one without the other, the machine the proxy ran
on is not needed, and what is deleted with the configuration needs no restoring.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from webhook_fuzz.corpora.cluster_api.leases import Lease, parse_lease
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at, text_at
from webhook_fuzz.proxy.interception.rerouting import identify

ANNOTATION: Final = "webhook-fuzz/intercepts-"
MOST_BYTES: Final = 256 * 1024
"""All annotations of an object together: apimachinery's TotalAnnotationSizeLimitB."""
_ADDRESS: Final = ("url", "service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One webhook that was re-pointed. `session` is the interception it belongs to."""

    configuration: str
    webhook: str
    session: str
    lease: Lease
    original: JsonObject = field(repr=False)
    ours: JsonObject = field(repr=False)

    @property
    def key(self) -> str:
        """The name of the annotation."""
        return self.key_of(self.configuration, self.webhook)

    @staticmethod
    def key_of(configuration: str, webhook: str) -> str:
        """The name of the annotation for a webhook."""
        return f"{ANNOTATION}{identify(configuration, webhook)}"

    @property
    def identity(self) -> str:
        """`CONFIG/NAME`."""
        return f"{self.configuration}/{self.webhook}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedMark:
    """An annotation with our name that somebody changed, or cut."""

    configuration: str
    key: str
    why: str


AnyMark: TypeAlias = Mark | DamagedMark


def render_mark(mark: Mark) -> str:
    """The value of the annotation: JSON, in ASCII and without `<>&`.

    The API server compares strings in a `test` operation as it has encoded them, and Go escapes
    those three.
    """
    members = _members(mark)
    return escape_for_go(json.dumps({**members, "checksum": checksum(members)}))


def read_marks(configuration: JsonObject) -> Iterator[tuple[str, AnyMark]]:
    """The value of each annotation of ours with what it says."""
    metadata = object_at(configuration, "metadata")
    for key, value in object_at(metadata, "annotations").items():
        if key.startswith(ANNOTATION) and isinstance(value, str):
            yield value, _parse(key, value, configuration=text_at(metadata, "name"))


def merge_back(current: JsonObject, mark: Mark) -> JsonObject | None:
    """The clientConfig as it is to be: original where it is still ours, as it is elsewhere.

    None where nothing of it is ours any more. Address and caBundle are told apart: a controller
    that writes a caBundle wrote the newest one for the original address.
    """
    address_is_ours = _pick(current, *_ADDRESS) == _pick(mark.ours, *_ADDRESS)
    bundle_is_ours = current.get("caBundle") == mark.ours.get("caBundle")
    if not address_is_ours and not bundle_is_ours:
        return None
    return {
        **_pick(mark.original if address_is_ours else current, *_ADDRESS),
        **_pick(mark.original if bundle_is_ours else current, "caBundle"),
    }


def is_ours(current: JsonObject, mark: Mark) -> bool:
    """Whether the webhook still is as we left it."""
    return current == mark.ours


def checksum(document: JsonValue) -> str:
    """SHA-256 of the document, whatever order its members are in."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def escape_for_go(text: str) -> str:
    """JSON text as Go's encoding/json writes strings."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _members(mark: Mark) -> JsonObject:
    return {
        "webhook": mark.webhook,
        "session": mark.session,
        "owner": mark.lease.owner,
        "expires": mark.lease.expires.isoformat(timespec="seconds"),
        "original": mark.original,
        "ours": mark.ours,
    }


def _parse(key: str, value: str, *, configuration: str) -> AnyMark:
    try:
        document: JsonValue = json.loads(value)
    except (ValueError, RecursionError):
        return DamagedMark(configuration=configuration, key=key, why="it is not JSON")
    if not isinstance(document, dict):
        return DamagedMark(configuration=configuration, key=key, why="it is no object")
    said = document.pop("checksum", None)
    if said != checksum(document):
        return DamagedMark(configuration=configuration, key=key, why="its checksum is wrong")
    lease = parse_lease(text_at(document, "owner"), text_at(document, "expires"))
    if lease is None:
        return DamagedMark(configuration=configuration, key=key, why="it has no time")
    mark = Mark(
        configuration=configuration,
        webhook=text_at(document, "webhook"),
        session=text_at(document, "session"),
        lease=lease,
        original=object_at(document, "original"),
        ours=object_at(document, "ours"),
    )
    if mark.key != key:
        return DamagedMark(configuration=configuration, key=key, why="it is of another webhook")
    return mark


def _pick(config: Mapping[str, JsonValue], *names: str) -> JsonObject:
    return {name: config[name] for name in names if name in config}
