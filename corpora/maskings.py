"""What must be taken out of a cluster's objects before they are kept in a file?

Values of environment variables and annotations, wherever they are: in pods, in templates, in the
operations of a patch; and what looks like a credential in any text at all (tokens, keys). Equal
values get equal tokens. Names, labels and selectors stay, because they are what is judged; so do
the annotations that say who manages an object.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Final

import orjson

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.redaction import Redactor

KEPT_ANNOTATIONS: Final = re.compile(
    r"(.+\.)?(cert-manager\.io|helm\.sh|olm\.[\w.]+|operatorframework\.io|argoproj\.io"
    r"|toolkit\.fluxcd\.io|admissions\.enforcer)/.+"
    r"|kubernetes\.io/(limit-ranger|config\..+|psp|description)"
    r"|deployment\.kubernetes\.io/.+|pod-security\.kubernetes\.io/.+"
)
"""Annotations that say who manages an object, or what the API server did to it."""

_CREDENTIALS: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    r"|\b[Bb]earer +[\w.~+/=-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|\b(gh[pousr]_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16})",
    re.DOTALL,
)
_CREDENTIAL: Final = "redacted-credential"
# `Always`, `ClusterFirst`: an annotation may say the same, and the pod would not be one any more.
_WORD_OF_THE_API: Final = re.compile(r"[A-Z][A-Za-z]*")
_POINTERS: Final = frozenset({"op", "path", "from"})
_VARIABLE: Final = re.compile(r"/env(/(-|[+-]?\d+)(/value)?)?$")
_ANNOTATION: Final = re.compile(r"/annotations(?:/([^/]+))?$")


class Masker:
    """Masks objects; one for all that goes into one file, so that equal values stay equal."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = salt or secrets.token_bytes(16)
        self._everywhere = Redactor(self._salt)
        self._known: set[str] = set()

    def mask(self, value: JsonValue) -> JsonValue:
        """A value in which what is known by its place, or by its look, is masked."""
        match value:
            case str():
                return _CREDENTIALS.sub(_CREDENTIAL, value)
            case list():
                return [self.mask(element) for element in value]
            case dict():
                return {name: self._member(name, member) for name, member in value.items()}
            case _:
                return value

    def mask_traffic(self, value: JsonValue) -> JsonValue:
        """The same, and what was masked is replaced in every text that is masked afterwards.

        For what passes between API server and webhooks, in its order: what is a secret in a pod
        turns up again in patches and messages.
        """
        found = {each for each in _secrets(value) if not _WORD_OF_THE_API.fullmatch(each)}
        found -= self._known
        if found:  # learning is dear: most exchanges hold the same secrets
            self._known |= found
            self._everywhere.learn(map(_carrier, found))
        return self._redacted(self.mask(value))

    def mask_body(self, body: bytes) -> bytes:
        """The body of a webhook's answer, the patch in it included; what is no JSON, as text.

        Where there is nothing to mask, the very bytes: how a number is spelled can matter.
        """
        try:
            review = orjson.loads(body)
        except orjson.JSONDecodeError:
            text = body.decode("utf-8", "replace")
            masked_text = str(self.mask_traffic(text))
            return body if masked_text == text else masked_text.encode()
        masked = self.mask_traffic(self._with_masked_patch(review))
        return body if masked == review else orjson.dumps(masked)

    def _with_masked_patch(self, review: JsonValue) -> JsonValue:
        response = review.get("response") if isinstance(review, dict) else None
        patch = _patch_of(response)
        if not isinstance(review, dict) or not isinstance(response, dict) or patch is None:
            return review
        masked = self.mask_traffic(patch)
        if masked == patch:
            return review
        encoded = base64.b64encode(orjson.dumps(masked)).decode()
        return {**review, "response": {**response, "patch": encoded}}

    def _redacted(self, value: JsonValue) -> JsonValue:
        """As Redactor.redact, but where a patch is applied stays: there are keys, and no values."""
        match value:
            case dict():
                pointers = _POINTERS if "op" in value else frozenset[str]()
                return {
                    name: member if name in pointers else self._redacted(member)
                    for name, member in value.items()
                }
            case list():
                return [self._redacted(element) for element in value]
            case _:
                return self._everywhere.redact(value)

    def _member(self, name: str, member: JsonValue) -> JsonValue:
        if name == "annotations" and isinstance(member, dict):
            return {
                key: self.mask(each) if KEPT_ANNOTATIONS.fullmatch(key) else self._token(each)
                for key, each in member.items()
            }
        if name == "env" and isinstance(member, list):
            return [self._variable(each) for each in member]
        return self.mask(member)

    def _variable(self, variable: JsonValue) -> JsonValue:
        if not isinstance(variable, dict) or "value" not in variable:
            return self.mask(variable)
        return {**variable, "value": self._token(variable["value"])}

    def _token(self, value: JsonValue) -> JsonValue:
        """The token of one value, wherever it stands; other texts are not looked at."""
        if not isinstance(value, str):
            return self.mask(value)
        one = Redactor(self._salt)
        one.learn([_carrier(value)])
        return one.redact(value)


def _patch_of(response: JsonValue) -> JsonValue:
    """The operations of an answer; None where there are none that can be read."""
    patch = response.get("patch") if isinstance(response, dict) else None
    try:
        encoded = patch if isinstance(patch, str) else ""
        operations: JsonValue = orjson.loads(base64.b64decode(encoded)) if encoded else None
    except (binascii.Error, ValueError):
        return None
    return operations


def _carrier(value: str) -> JsonObject:
    """A pod that has the value as its only secret."""
    return {"metadata": {"annotations": {"": value}}}


def _secrets(value: JsonValue) -> Iterator[str]:
    """The texts that are masked for their place, in objects and in the operations of patches."""
    if isinstance(value, list):
        for element in value:
            yield from _secrets(element)
    if not isinstance(value, dict):
        return
    yield from _secrets_of_operation(value)
    for name, member in value.items():
        if name == "annotations" and isinstance(member, dict):
            yield from (
                each
                for key, each in member.items()
                if isinstance(each, str) and not KEPT_ANNOTATIONS.fullmatch(key)
            )
        elif name == "env" and isinstance(member, list):
            yield from _values_of_variables(member)
        else:
            yield from _secrets(member)


def _secrets_of_operation(operation: JsonObject) -> Iterator[str]:
    path, value = operation.get("path"), operation.get("value")
    if not isinstance(path, str) or "op" not in operation:
        return
    if _VARIABLE.search(path):
        yield from _values_of_variables(value if isinstance(value, list) else [value])
    elif (found := _ANNOTATION.search(path)) is not None:
        key = str(found[1] or "").replace("~1", "/").replace("~0", "~")
        values: JsonObject = value if isinstance(value, dict) and not key else {key: value}
        yield from (
            each
            for name, each in values.items()
            if isinstance(each, str) and not KEPT_ANNOTATIONS.fullmatch(name)
        )


def _values_of_variables(variables: Sequence[JsonValue]) -> Iterator[str]:
    for variable in variables:
        found = variable.get("value") if isinstance(variable, dict) else variable
        if isinstance(found, str):
            yield found
