"""What does one operation after the other do to a document?

The operations of evanphx/json-patch v4, error texts included, on a document that is copied where
it is written to and shared with the input everywhere else.

Source: gopkg.in/evanphx/json-patch.v4 patch.go Patch.add to Patch.copy, v4.12.0 and v4.13.0.
"""

from typing import NoReturn, TypeAlias

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.fuzzer.apiserver.encoding import encode_json
from webhook_fuzz.fuzzer.apiserver.json_patch_versions import JsonPatchVersion
from webhook_fuzz.fuzzer.apiserver.patch_values import (
    ADDED_NULL,
    COPIED_NULL,
    AddedNull,
    CopiedNull,
    marshalled_size,
    passes_test,
    purified,
    remarshalled,
)
from webhook_fuzz.fuzzer.apiserver.pointers import (
    Container,
    PanicError,
    RefusalError,
    add_member,
    child_of,
    existing_index,
    member_of,
    pointer_of,
    remove_member,
    tokens_of,
)

# An operation as it stands in the patch; `None` where the patch has `null`.
Operation: TypeAlias = JsonObject | None
# k8s.io/apiserver pkg/server/config.go JSONPatchMaxCopyBytes
COPY_LIMIT = 3 * 1024 * 1024
NIL_POINTER = "invalid memory address or nil pointer dereference"


class Application:
    """One patch being applied to one document, copying containers the first time it writes."""

    __slots__ = ("_copied", "_exact", "_impure", "_owned", "_root", "_version")

    def __init__(
        self, document: JsonObject, version: JsonPatchVersion, *, exact: bool, spelled: bool
    ) -> None:
        self._root: Container = document
        self._version = version
        # Whether an operation can tell the kinds of null and the spellings apart.
        self._exact = exact
        # Whether the document can hold a marked value, so that the result has to be cleaned.
        self._impure = spelled
        # Containers made by this application, by identity: those may be written to in place.
        self._owned: dict[int, Container] = {}
        self._copied = 0

    def result(self) -> JsonValue:
        """The document as it is now, plain JSON again."""
        return purified(self._root) if self._impure else self._root

    def apply(self, operation: Operation) -> None:
        """Carry out one operation. Raises RefusalError with the library's text."""
        kind = operation.get("op") if operation else None
        if operation is None or not isinstance(kind, str):
            raise RefusalError("Unexpected kind: unknown")
        match kind:
            case "add":
                self._add(operation)
            case "remove":
                self._remove(operation)
            case "replace":
                self._replace(operation)
            case "move":
                self._move(operation)
            case "test":
                self._test(operation)
            case "copy":
                self._copy(operation)
            case _:
                raise RefusalError(f"Unexpected kind: {kind}")

    def _add(self, operation: JsonObject) -> None:
        path = operation.get("path")
        if not isinstance(path, str):
            raise RefusalError("add operation failed to decode path: missing value")
        container, key = self._writable_parent(path) or _refuse(
            _absent("add", f'doc is missing path: "{path}"')
        )
        try:
            add_member(container, key, self._value(operation))
        except IndexError as error:
            raise RefusalError(f"error in add for path: '{path}': {error}") from None

    def _remove(self, operation: JsonObject) -> None:
        path = operation.get("path")
        if not isinstance(path, str):
            raise RefusalError("remove operation failed to decode path: missing value")
        container, key = self._writable_parent(path) or _refuse(
            _absent("remove", f'doc is missing path: "{path}"')
        )
        try:
            remove_member(container, key)
        except (IndexError, KeyError) as error:
            raise RefusalError(f"error in remove for path: '{path}': {error.args[0]}") from None

    def _replace(self, operation: JsonObject) -> None:
        path = pointer_of(operation, "path", "replace operation failed to decode path")
        if not path:
            self._replace_document(operation)
            return
        container, key = self._writable_parent(path) or _refuse(
            _absent("replace", f"doc is missing path: {path}")
        )
        if isinstance(container, dict):
            container[key] = self._value(operation)
            return
        try:
            container[existing_index(container, key)] = self._value(operation)
        except IndexError:
            raise RefusalError(_absent("replace", f"doc is missing key: {path}")) from None

    def _replace_document(self, operation: JsonObject) -> None:
        if "value" not in operation:
            raise PanicError(NIL_POINTER)
        value = operation["value"]
        if isinstance(value, dict | list):
            self._root = value
        elif self._version is not JsonPatchVersion.V4_12:
            # v4.12 wraps a nil error here, which is no error: the operation has no effect.
            raise RefusalError("replace operation value must be object or array: %!w(<nil>)")

    def _move(self, operation: JsonObject) -> None:
        origin = pointer_of(operation, "from", "move operation failed to decode from")
        container, key = self._writable_parent(origin) or _refuse(
            _absent("move", f"doc is missing from path: {origin}")
        )
        try:
            value = remove_member(container, key)
        except (IndexError, KeyError) as error:
            raise RefusalError(f"error in move for path: '{key}': {error.args[0]}") from None
        path = pointer_of(operation, "path", "move operation failed to decode path")
        container, key = self._writable_parent(path) or _refuse(
            _absent("move", f"doc is missing destination path: {path}")
        )
        try:
            add_member(container, key, value)
        except IndexError as error:
            raise RefusalError(f"error in move for path: '{path}': {error}") from None

    def _copy(self, operation: JsonObject) -> None:
        origin = pointer_of(operation, "from", "copy operation failed to decode from")
        container, key = self._parent(origin) or _refuse(
            _absent("copy", f"doc is missing from path: {origin}")
        )
        try:
            value = member_of(container, key)
        except IndexError as error:
            raise RefusalError(f"error in copy for from: '{origin}': {error}") from None
        path = operation.get("path")
        if not isinstance(path, str):
            raise RefusalError("copy operation failed to decode path: missing value")
        container, key = self._writable_parent(path) or _refuse(
            _absent("copy", f"doc is missing destination path: {path}")
        )
        self._count_copy(value)
        # Two places now hold what was copied, so neither may be written to in place.
        self._owned.clear()
        container, key = self._writable_parent(path) or (container, key)
        try:
            add_member(container, key, self._duplicated(value))
        except IndexError as error:
            raise RefusalError(f"error while adding value during copy: {error}") from None

    def _count_copy(self, value: JsonValue) -> None:
        if value is None:
            return
        self._copied += marshalled_size(value) if self._impure else len(encode_json(value))
        if self._copied > COPY_LIMIT:
            raise RefusalError(
                "Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied}, exceeding the limit {COPY_LIMIT}"
            )

    def _duplicated(self, value: JsonValue) -> JsonValue:
        """What evanphx's deepCopy makes of a value: the same, marshalled once."""
        if not self._impure:
            return value
        if isinstance(value, AddedNull | CopiedNull):
            return COPIED_NULL
        return remarshalled(value)

    def _test(self, operation: JsonObject) -> None:
        path = pointer_of(operation, "path", "test operation failed to decode path")
        if not path:
            self._test_value(self._root, operation, path)
            return
        container, key = self._parent(path) or _refuse(_absent("test", f"is missing path: {path}"))
        try:
            value = member_of(container, key)
        except IndexError as error:
            raise RefusalError(f"error in test for path: '{path}': {error}") from None
        if value is not None:
            self._test_value(value, operation, path)
        elif "value" not in operation and self._version is JsonPatchVersion.V4_12:
            raise PanicError(NIL_POINTER)
        elif operation.get("value") is not None:
            raise RefusalError(f"testing value {path} failed: test failed")

    def _test_value(self, value: JsonValue, operation: JsonObject, path: str) -> None:
        if "value" not in operation and not path:
            raise PanicError(NIL_POINTER)
        if "value" not in operation or not passes_test(value, operation["value"]):
            raise RefusalError(f"testing value {path} failed: test failed")

    def _value(self, operation: JsonObject) -> JsonValue:
        """An operation's value as the library keeps it; absent is null."""
        value = operation.get("value")
        if value is None and self._exact and "value" in operation:
            self._impure = True
            return ADDED_NULL
        return value

    def _parent(self, path: str) -> tuple[Container, str] | None:
        """The container a pointer's last token is looked up in, for reading; None if missing."""
        node, tokens = self._root, tokens_of(path)
        if not tokens:
            return None
        for token in tokens[:-1]:
            child = self._inner(child_of(node, token))
            if child is None:
                return None
            node = child
        return node, tokens[-1]

    def _writable_parent(self, path: str) -> tuple[Container, str] | None:
        """The same, with every container on the way copied unless this application made it."""
        tokens = tokens_of(path)
        if not tokens:
            return None
        owned = self._owned
        node = self._root
        if id(node) not in owned:
            node = self._root = self._own(node)
        last = tokens.pop()
        for token in tokens:
            child = node.get(token) if type(node) is dict else child_of(node, token)
            inner = child if type(child) is dict else self._inner(child)
            if inner is None:
                return None
            if id(inner) not in owned:
                inner = self._own(inner)
                if isinstance(node, dict):
                    node[token] = inner
                else:
                    node[int(token)] = inner
            node = inner
        return node, last

    def _inner(self, child: JsonValue) -> Container | None:
        """The container to descend into, None if it is none. Source: patch.go findObject."""
        if type(child) is AddedNull:
            if self._version is JsonPatchVersion.V4_12:
                raise PanicError(NIL_POINTER)
            return None
        return child if isinstance(child, dict | list) else None

    def _own(self, container: Container) -> Container:
        if type(container) is CopiedNull:
            return container
        copy = container.copy()
        self._owned[id(copy)] = copy
        return copy


def _absent(kind: str, what: str) -> str:
    return f"{kind} operation does not apply: {what}: missing value"


def _refuse(message: str) -> NoReturn:
    raise RefusalError(message)
