"""How is a configuration changed without overwriting what somebody else just wrote?

By JSON Patch. Everything that is replaced is tested first, and the operations of one patch happen
together or not at all (RFC 6902 section 5). When a test fails, somebody was quicker: the object is
read and the patch made anew, a bounded number of times.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

from webhook_fuzz.corpora.cluster_api.failures import (
    ClusterError,
    Trouble,
    cluster_error,
    trouble_of,
)
from webhook_fuzz.corpora.cluster_api.requests import ClusterApi, ClusterRequest, get_object
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.members import list_at, object_at, text_at
from webhook_fuzz.proxy.interception.marks import Mark, render_mark

CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
FIELD_MANAGER: Final = "webhook-fuzz"
_TRIES: Final = 6
# Object is being changed; a test failed (k8s.io/apiserver endpoints/handlers/patch.go says 422).
_SOMEBODY_WAS_QUICKER: Final = frozenset({409, 422})

Patch: TypeAlias = list[JsonObject]
Plan: TypeAlias = Callable[[JsonObject], Patch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One webhook of a configuration.

    `old` is the clientConfig as it was read, None to leave it alone. `old_mark` is the value of the
    annotation `key` as it was read, None where there is none; `mark` the one to come, if any.
    """

    key: str
    webhook: str
    old_mark: str | None
    mark: Mark | None
    old: JsonObject | None = None
    new: JsonObject | None = None


def build_patch(configuration: JsonObject, changes: Sequence[Change]) -> Patch:
    """The operations for what was read; none for no changes."""
    if not changes:
        return []
    metadata = object_at(configuration, "metadata")
    operations: Patch = []
    if uid := text_at(metadata, "uid"):
        operations.append(_operation("test", "/metadata/uid", uid))
    if any(each.mark for each in changes) and not object_at(metadata, "annotations"):
        # A test for null passes where there is nothing (evanphx/json-patch).
        operations.append(_operation("test", "/metadata/annotations", None))
        operations.append(_operation("add", "/metadata/annotations", {}))
    for change in changes:
        if change.old is not None:
            at = f"/webhooks/{index_of(configuration, change.webhook)}"
            operations.append(_operation("test", f"{at}/name", change.webhook))
            operations.append(_operation("test", f"{at}/clientConfig", change.old))
            operations.append(_operation("replace", f"{at}/clientConfig", change.new or {}))
        operations += _annotate(change)
    return operations


def _annotate(change: Change) -> Iterable[JsonObject]:
    if change.old_mark is None and change.mark is None:
        return
    at = f"/metadata/annotations/{change.key.replace('~', '~0').replace('/', '~1')}"
    yield _operation("test", at, change.old_mark)
    if change.mark is not None:
        yield _operation("add", at, render_mark(change.mark))
    elif change.old_mark is not None:
        yield {"op": "remove", "path": at}


def index_of(configuration: JsonObject, webhook: str) -> int | None:
    """Where in the list a webhook is; None where it is not, or its name is there twice."""
    entries = list_at(configuration, "webhooks")
    found = [
        index
        for index, each in enumerate(entries)
        if isinstance(each, dict) and each.get("name") == webhook
    ]
    return found[0] if len(found) == 1 else None


def client_config_of(configuration: JsonObject, webhook: str) -> JsonObject | None:
    """The clientConfig of a webhook; None where there is no such webhook."""
    index = index_of(configuration, webhook)
    if index is None:
        return None
    entry = list_at(configuration, "webhooks")[index]
    return object_at(entry, "clientConfig") if isinstance(entry, dict) else None


def render_patch(patch: Patch) -> bytes:
    """The patch as it is sent: Go compares strings as it escapes them, so they are alike here."""
    raw = orjson.dumps(patch)
    for char, escaped in ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026")):
        raw = raw.replace(char, escaped)
    return raw


async def send_patch(
    api: ClusterApi, name: str, patch: Patch, *, dry_run: bool = False
) -> JsonObject:
    """What became of the configuration. Raises ClusterError."""
    path = f"{CONFIGURATIONS}/{name}"
    query = {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
    request = ClusterRequest(
        method="PATCH",
        path=path,
        query=query,
        body=render_patch(patch),
        content_type="application/json-patch+json",
    )
    answer = await api.ask(request)
    if answer.status >= 300:  # noqa: PLR2004 - HTTP
        raise cluster_error(
            f"PATCH {path}", answer.message, trouble_of(answer.status), status=answer.status
        )
    return answer.document() or {}


async def change_configuration(
    api: ClusterApi, name: str, plan: Plan, *, known: JsonObject | None = None
) -> JsonObject | None:
    """Patch what is there as `plan` says for it, again when somebody was quicker.

    `known` is how it was just read. None when there is no such configuration (any more). Raises
    ClusterError, and what `plan` raises.
    """
    for left in reversed(range(_TRIES)):
        found = known or await read_configuration(api, name)
        known = None
        if found is None:
            return None
        patch = plan(found)
        if not patch:
            return found
        try:
            return await send_patch(api, name, patch)
        except ClusterError as error:
            if error.trouble is Trouble.NOT_FOUND:
                return None
            if not left or error.status not in _SOMEBODY_WAS_QUICKER:
                raise
    raise AssertionError("the last try returns or raises")


async def read_configuration(api: ClusterApi, name: str) -> JsonObject | None:
    """The configuration; None where there is none. Raises ClusterError."""
    try:
        return await get_object(api, f"{CONFIGURATIONS}/{name}")
    except ClusterError as error:
        if error.trouble is Trouble.NOT_FOUND:
            return None
        raise


def _operation(name: str, path: str, value: object) -> JsonObject:
    return {"op": name, "path": path, "value": value}  # type: ignore[dict-item]  # JSON all the same
