"""Which value does the body of a webhook's answer hold?

kube-apiserver looks at the first character, not at the content type: `{` means JSON, anything else
is tried as YAML. YAML is read here without aliases and up to a size, because it may come from
anybody and its aliases multiply.

Source: k8s.io/apimachinery pkg/runtime/serializer/recognizer/recognizer.go decoder.Decode,
pkg/util/yaml/decoder.go IsJSONBuffer.
"""

import math
from typing import cast

import yaml

from webhook_fuzz.corpora.json_values import JsonValue
from webhook_fuzz.fuzzer.apiserver.encoding import NotJsonError, read_json

# The reader needs some seconds for a megabyte; an answer in YAML is a few kilobytes at most.
YAML_LIMIT = 256 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_YAML_DEVIATION = "the body is YAML, not JSON"


class UnreadableBodyError(ValueError):
    """The body is neither JSON nor YAML; the message says what was met."""


def read_body(body: bytes) -> tuple[JsonValue, tuple[str, ...]]:
    """The value of a body, and what is odd about its form. Raises UnreadableBodyError."""
    try:
        return read_json(body), ()
    except NotJsonError as error:
        if body.lstrip().startswith(b"{"):
            raise UnreadableBodyError(str(error)) from None
    value = _read_yaml(body)
    if not isinstance(value, dict):
        raise UnreadableBodyError(f"neither JSON nor a YAML mapping: {_beginning(body)}")
    return value, (_YAML_DEVIATION,)


class _PlainLoader(yaml.SafeLoader):
    """YAML of JSON's types only: no aliases, no timestamps, no tags of its own."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise UnreadableBodyError("YAML aliases are not read here")
        return super().compose_node(parent, index)


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read_yaml(body: bytes) -> JsonValue:
    if len(body) > YAML_LIMIT:
        raise UnreadableBodyError(
            f"not JSON, and with {len(body)} bytes too large to be tried as YAML"
        )
    loader: _PlainLoader | None = None
    try:
        loader = _PlainLoader(body.removeprefix(_BYTE_ORDER_MARK))
        return _as_json(loader.get_single_data())
    except UnreadableBodyError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        detail = str(error).partition("\n")[0] or "nested too deep"
        raise UnreadableBodyError(f"neither JSON nor YAML: {detail}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _as_json(value: object) -> JsonValue:
    """A YAML value with the keys and types JSON has. Source: sigs.k8s.io/yaml yaml.go."""
    if isinstance(value, dict):
        mapping = cast("dict[object, object]", value)
        return {_key(key): _as_json(member) for key, member in mapping.items()}
    if isinstance(value, list):
        return [_as_json(element) for element in cast("list[object]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number JSON does not have")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__}, which JSON does not have")


def _key(key: object) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise TypeError(f"a key of type {type(key).__name__}")


def _beginning(body: bytes) -> str:
    return body[:40].decode("utf-8", errors="replace")
