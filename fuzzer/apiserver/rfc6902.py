"""Where would a strict JSON Patch library see something else than the API server?

A patch that only works because kube-apiserver's library is lenient, or only fails because it is
peculiar, is worth showing: the webhook's own tests probably use an RFC 6902 library.

Source: RFC 6902, as implemented by the PyPI package jsonpatch.
"""

import copy
from dataclasses import dataclass
from typing import Any

import jsonpatch
import orjson

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.json_patch_versions import JsonPatchVersion
from webhook_fuzz.fuzzer.apiserver.patches import Patch, PatchError, apply_patch

MAX_COPIED_BYTES = 3 * 1024 * 1024
"""As the API server limits it (JSONPatchMaxCopyBytes in k8s.io/apiserver pkg/server/config.go)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The document after the patch."""

    value: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why the patch does not apply, in the library's words."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """What the API server makes of a patch and what RFC 6902 says about it."""

    api_server: Applied | Refused
    rfc6902: Applied | Refused

    def __str__(self) -> str:
        match self.api_server, self.rfc6902:
            case Applied(), Refused(message=message):
                return f"The API server applies the patch, RFC 6902 refuses it: {message}"
            case Refused(message=message), Applied():
                return f"RFC 6902 applies the patch, the API server refuses it: {message}"
            case _:
                return "RFC 6902 and the API server both apply the patch, to different results."


def disagreement(
    document: JsonObject,
    patch: Patch,
    *,
    json_patch: JsonPatchVersion = JsonPatchVersion.V4_13,
) -> Disagreement | None:
    """Both results where they differ (one refuses, or the values differ); None otherwise."""
    ours = _apply_as_server(document, patch, json_patch)
    theirs = _apply_as_rfc(document, patch)
    match ours, theirs:
        case Refused(), Refused():
            return None
        case Applied(), Applied() if _same(ours.value, theirs.value):
            return None
        case _:
            return Disagreement(api_server=ours, rfc6902=theirs)


def _apply_as_server(
    document: JsonObject, patch: Patch, json_patch: JsonPatchVersion
) -> Applied | Refused:
    try:
        return Applied(value=apply_patch(document, patch, json_patch=json_patch))
    except PatchError as error:
        return Refused(message=error.message)


def _apply_as_rfc(document: JsonObject, patch: Patch) -> Applied | Refused:
    """The document after the patch by RFC 6902.

    One operation at a time: RFC 6902 sets no limit to what `copy` may add up to, and forty copies
    of a document into itself are a terabyte. jsonpatch lets errors of the language through for
    operations it does not expect (an array where a string belongs); for whoever sends such a patch
    they are refusals like any other.
    """
    value: Any = copy.deepcopy(document)
    copied = 0
    try:
        operations: list[Any] = copy.deepcopy(list(patch.operations))
        for operation in operations:
            copied += _copied_bytes(operation, value)
            if copied > MAX_COPIED_BYTES:
                return Refused(message="it copies more than 3 MiB; not tried any further")
            value = jsonpatch.apply_patch(value, [operation], in_place=True)
    except (
        jsonpatch.JsonPatchException,
        jsonpatch.JsonPointerException,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        return Refused(message=str(error))
    return Applied(value=value)


def _copied_bytes(operation: JsonValue, document: JsonValue) -> int:
    if not isinstance(operation, dict) or operation.get("op") != "copy":
        return 0
    source: Any = jsonpatch.JsonPointer(str(operation.get("from"))).resolve(document)
    return len(orjson.dumps(source))


def _same(first: JsonValue, second: JsonValue) -> bool:
    """JSON equality: true is not 1, the order of members does not count."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            _same(member, second[name]) for name, member in first.items()
        )
    if isinstance(first, list) and isinstance(second, list):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(_same(*pair) for pair in pairs)
    return isinstance(first, bool) is isinstance(second, bool) and first == second
