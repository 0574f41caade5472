"""What does a webhook's patch turn the object into?

kube-apiserver applies patches with evanphx/json-patch v4, which is not RFC 6902: `replace` of a
missing key adds it, `-1` is the last element, `test` compares spellings, and much more. This module
follows that library operation by operation, error texts included, because those texts are all the
user of a cluster gets to see (the API server does not name the webhook).

The input is never changed. The result shares every subtree no operation touched with the input:
`result["spec"]["volumes"] is document["spec"]["volumes"]`. Judging relies on it to skip.

Source: gopkg.in/evanphx/json-patch.v4 patch.go, v4.12.0 (kube-apiserver up to 1.34) and v4.13.0
(1.35 and later); the table of decisive cases in the tests was produced by the library itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.fuzzer.apiserver.encoding import NotJsonError, read_json
from webhook_fuzz.fuzzer.apiserver.json_patch_versions import (
    JsonPatchVersion,
    json_patch_version,
)
from webhook_fuzz.fuzzer.apiserver.patching import Application, Operation
from webhook_fuzz.fuzzer.apiserver.pointers import PanicError, RefusalError
from webhook_fuzz.fuzzer.apiserver.spellings import may_be_unusual, read_spelled

__all__ = [
    "JsonPatchVersion",
    "Operation",
    "Patch",
    "PatchError",
    "UndecodablePatch",
    "apply_patch",
    "decode_patch",
    "json_patch_version",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A decoded patch: its operations as raw JSON objects (`None` where the patch has `null`).

    `spelled` are the same operations with unusual spellings kept, where they can matter.
    """

    operations: tuple[Operation, ...]
    spelled: tuple[Operation, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndecodablePatch:
    """Why the bytes are no patch, in the words of Go's json package as far as they are known."""

    detail: str


class PatchError(Exception):
    """The patch does not apply; the API server answers 500 and does not name the webhook.

    `index` and `operation` say which operation failed, `path` its `path` ("" if it has none),
    `message` is the library's text. `panics` marks the cases in which the library panics: the API
    server then hangs up on its client. A `test` of an object that would both panic and fail does
    either in Go, whose maps have no order.
    """

    def __init__(self, index: int, operation: Operation, message: str, *, panics: bool) -> None:
        super().__init__(message)
        self.index = index
        self.operation = operation
        path = operation.get("path") if operation else None
        self.path = path if isinstance(path, str) else ""
        self.message = message
        self.panics = panics


def decode_patch(data: bytes) -> Patch | UndecodablePatch:
    """The operations of a patch; `null` is the empty patch. Source: patch.go DecodePatch."""
    try:
        value = read_json(data)
    except NotJsonError as error:
        return UndecodablePatch(detail=str(error))
    match _operations(value):
        case UndecodablePatch() as undecodable:
            return undecodable
        case operations:
            return Patch(operations=operations, spelled=_spelled_operations(data, operations))


def apply_patch(
    document: JsonObject,
    patch: Patch | Sequence[Operation],
    *,
    json_patch: JsonPatchVersion = JsonPatchVersion.V4_13,
) -> JsonValue:
    """The document after the patch; it shares what the patch does not touch with the input.

    The result can be any object or array (`replace` at "" swaps the document). Raises PatchError
    if an operation fails; as the server does, all operations are then without effect.
    """
    operations = patch.operations if isinstance(patch, Patch) else tuple(patch)
    spelled = patch.spelled if isinstance(patch, Patch) else None
    application = Application(
        document,
        json_patch,
        exact=_compares_or_copies(operations) or _adds_null(operations),
        spelled=spelled is not None,
    )
    for index, operation in enumerate(spelled or operations):
        try:
            application.apply(operation)
        except (RefusalError, RecursionError) as error:
            panics = isinstance(error, PanicError)
            message = str(error) or "nested too deep"
            raise PatchError(index, operations[index], message, panics=panics) from None
    return application.result()


def _operations(value: JsonValue) -> tuple[Operation, ...] | UndecodablePatch:
    if value is None:
        return ()
    if not isinstance(value, list):
        return _mismatch(value, "jsonpatch.Patch")
    operations: list[Operation] = []
    for element in value:
        if element is not None and not isinstance(element, dict):
            return _mismatch(element, "jsonpatch.Operation")
        operations.append(element)
    return tuple(operations)


def _mismatch(value: JsonValue, go_type: str) -> UndecodablePatch:
    name = json_type_name(value)
    return UndecodablePatch(detail=f"json: cannot unmarshal {name} into Go value of type {go_type}")


def _compares_or_copies(operations: Sequence[Operation]) -> bool:
    # A tuple, not a set: what stands at "op" need not be hashable.
    return any(operation and operation.get("op") in ("test", "copy") for operation in operations)


def _adds_null(operations: Sequence[Operation]) -> bool:
    return any(operation and operation.get("value", "") is None for operation in operations)


def _spelled_operations(
    data: bytes, operations: tuple[Operation, ...]
) -> tuple[Operation, ...] | None:
    """The operations read once more with their spelling, if any operation can see it."""
    if not _compares_or_copies(operations) or not may_be_unusual(data):
        return None
    try:
        spelled = _operations(read_spelled(data.decode("utf-8", errors="go-replacement")))
    except RecursionError:
        return None
    return None if isinstance(spelled, UndecodablePatch) else spelled
