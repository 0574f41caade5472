"""How do a user's secrets stay out of what is written to disk?

Pods carry secrets in env values and annotations. They have to reach the webhook, which may act on
them, and nobody else: before a result is written, every such value is replaced wherever it turns
up (pod, patch, message) by a token. Equal values get equal tokens within one run, so that what
moved can still be seen; the salt is thrown away, so that tokens cannot be looked up.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator

from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.pods import containers

_SHORTEST = 4
"""Shorter values ("1", "on") are no secrets, and replacing them would garble everything else."""

# Annotations that say what a webhook did or is to do, by key: `istio.io/rev`, `…/inject: "true"`.
# Only values of one word are kept: a token or a manifest is none.
_PLAIN_WORD = re.compile(r"(true|false|enabled|disabled|yes|no|\d+)", re.IGNORECASE)


class Redactor:
    """Learns the secrets of pods, then replaces them in any JSON value."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = salt or secrets.token_bytes(16)
        self._tokens: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def learn(self, pods: Iterable[JsonObject]) -> None:
        """Remember the env values and annotation values of pods as secrets."""
        for pod in pods:
            for value in _sensitive_values(pod):
                if len(value) >= _SHORTEST and not _PLAIN_WORD.fullmatch(value):
                    self._tokens.setdefault(value, self._token(value))
        # Longest first, or a secret that contains another would only be replaced in part.
        longest_first = sorted(self._tokens, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        )

    def redact(self, value: JsonValue) -> JsonValue:
        """The value with every secret in it replaced; member names stay."""
        match value:
            case str():
                return self.redact_text(value)
            case list():
                return [self.redact(element) for element in value]
            case dict():
                return {name: self.redact(member) for name, member in value.items()}
            case _:
                return value

    def redact_text(self, text: str) -> str:
        """A text with every secret in it replaced."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._tokens[found[0]], text)

    def _token(self, value: str) -> str:
        digest = hashlib.sha256(self._salt + value.encode("utf-8", "surrogatepass")).hexdigest()
        return f"redacted-{digest[:8]}"


def _sensitive_values(pod: JsonObject) -> Iterator[str]:
    metadata = pod.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict):
        yield from (value for value in annotations.values() if isinstance(value, str))
    for _, container in containers(pod, "initContainers", "containers", "ephemeralContainers"):
        variables = container.get("env")
        for variable in variables if isinstance(variables, list) else ():
            if isinstance(variable, dict) and isinstance(value := variable.get("value"), str):
                yield value
