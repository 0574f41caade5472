"""How do secrets stay out of a recording?

By their place first: values of variables, annotations, data of Secrets and ConfigMaps, who asked,
headers that authenticate. Then by their look: tokens, keys, passwords in URLs and options. What was
masked for its place is then looked for everywhere else in the same exchange, and in the next ones:
a value of a variable turns up again in patches, messages and errors. Equal values get equal tokens;
the salt is in memory only, so that tokens cannot be looked up.
"""

import base64
import hashlib
import operator
import re
import secrets
from collections import OrderedDict
from dataclasses import replace
from typing import Final, TypeAlias

import orjson

from webhook_fuzz.corpora.bounded import Bounded
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.maskings import KEPT_ANNOTATIONS
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.recordings.answer_parts import Said, take_apart
from webhook_fuzz.corpora.recordings.known_secrets import (
    KnownSecrets,
    Replacing,
    is_learned,
    long_runs_of,
    runs_of,
)
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange, TextHeaders

_PLAIN: Final = re.compile(r"(true|false|enabled|disabled|yes|no|\d{1,4})", re.IGNORECASE)
# All of their values are secrets: those of a variable are in its `value`.
_MAPS: Final = frozenset(
    {"annotations", "auditAnnotations", "data", "stringData", "binaryData", "volumeAttributes"}
)
_NAMED_VALUES: Final = frozenset({"env", "httpHeaders"})
_TEXTS: Final = frozenset({"args", "command"})
_SPECIAL: Final = _MAPS | _NAMED_VALUES | _TEXTS
_ELEMENTS: Final = frozenset({"containers", "initContainers", "ephemeralContainers"})
_OBJECTS: Final = frozenset({"object", "oldObject"})
_WALKED: Final = _SPECIAL | _ELEMENTS | _OBJECTS
_SECRET_HEADERS: Final = re.compile(
    r"(proxy-)?authorization|(set-)?cookie|.*(token|secret|key|credential|password).*",
    re.IGNORECASE,
)
_CREDENTIALS: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    r"|(?<=[Bb]earer )[\w.~+/=-]{8,}"
    r"|(?<=[Bb]asic )[\w+/=-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|\b(?:gh[pousr]_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16})"
    r"|(?<=://)[^/@\s\"]+(?=@)",
    re.DOTALL,
)
_MARKS: Final = (
    *("eyJ", "earer ", "asic ", "PRIVATE KEY", "glpat-", "xox", "AKIA"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
)
_USER_INFO: Final = r"://[^/@\s\"]+@"
_SUSPECT: Final = re.compile("|".join([*_MARKS, _USER_INFO]))
"""Quick for a short text; for a long one it is quicker to look for one after the other."""
_USER_INFO_BYTES: Final = re.compile(_USER_INFO.encode())
_MARKS_AS_BYTES: Final = tuple(mark.encode() for mark in _MARKS)
_OPTION: Final = re.compile(
    r"((?:pass(?:word|wd)?|token|secret|api-?_?key|credentials?)[\w.-]*[=:\s]\s*)([^\s,;&\"']+)",
    re.IGNORECASE,
)
_LONG: Final = re.compile(r"(?<![\w+/-])(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])[\w+/-]{32,}={0,2}")
_CONTAINERS: Final = (dict, list)
_MOST_TOKENS: Final = 8192
_ELEMENT_BYTES: Final = 2 * 2**20
_OBJECT_BYTES: Final = 2**19
"""As they are written; what Python makes of them is some times as large."""

_Masked: TypeAlias = tuple[JsonValue, tuple[str, ...], set[bytes]]
"""What a part is when it is masked, the values that were found in it, and the runs left in it."""


class TrafficRedactor:
    """Redacts the exchanges of one recording, in their order; what it remembers is bounded."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = salt or secrets.token_bytes(16)
        self._tokens = Bounded[str, str](_MOST_TOKENS)
        self._known = KnownSecrets()
        # Replicas have the same containers, and most pods are sent to several webhooks unchanged.
        self.elements = _Memory(_ELEMENT_BYTES)
        self.objects = _Memory(_OBJECT_BYTES)

    def redact(self, recorded: RecordedExchange) -> RecordedExchange:
        """The exchange without its secrets; its structure, and what equals what, stay."""
        exchange = recorded.exchange
        said = take_apart(exchange.outcome)
        others = orjson.dumps([_without_objects(exchange.review), said.written()])
        walk = _Walk(self, is_suspect=_is_suspect(others))
        review = walk.review(exchange.review)
        said = walk.outcome(said)
        target = self._target(recorded.target)
        headers = self._headers(recorded.request_headers)
        answer_headers = self._headers(recorded.answer_headers)
        rest = [said.written(), target, headers, answer_headers]
        runs = walk.runs | runs_of(orjson.dumps([_without_objects(review), rest]))
        own = self._known.learn(walk.found)
        known = self._known.find(own, runs, lambda: orjson.dumps([review, rest]))
        replacing = Replacing(known, self.token)
        replaced = replacing.value(review)
        return replace(
            recorded,
            exchange=replace(
                exchange,
                review=replaced if isinstance(replaced, dict) else {},
                outcome=said.changed_by(
                    value=replacing.value, patch=replacing.value, text=replacing.text
                ).outcome(),
            ),
            raw=False,
            target=replacing.text(target),
            request_headers=_replaced(headers, replacing),
            answer_headers=_replaced(answer_headers, replacing),
            unread_request=self.token(recorded.unread_request.decode("utf-8", "replace")).encode()
            if recorded.unread_request
            else b"",
        )

    def token(self, value: str) -> str:
        """The token that stands for a value."""
        found = self._tokens.get(value)
        if found is None:
            salted = self._salt + value.encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(salted, digest_size=6)
            found = self._tokens[value] = f"redacted-{digest.hexdigest()}"
        return found

    def text(self, text: str) -> str:
        """A text without what looks like a credential."""
        if not _SUSPECT.search(text):
            return text
        return _CREDENTIALS.sub(lambda found: self.token(found[0]), text)

    def option(self, text: str) -> str:
        """The same of a word of a command line, where passwords and keys have no look."""
        known = _OPTION.sub(lambda found: found[1] + self.token(found[2]), self.text(text))
        return _LONG.sub(lambda found: self.token(found[0]), known)

    def _headers(self, headers: TextHeaders) -> TextHeaders:
        return tuple(
            (name, self.token(value) if _SECRET_HEADERS.fullmatch(name) else self.text(value))
            for name, value in headers
        )

    def _target(self, target: str) -> str:
        path, mark, query = target.partition("?")
        kept = [
            pair if pair.startswith("timeout=") else self._parameter(pair)
            for pair in query.split("&")
        ]
        return self.text(path) + mark + "&".join(kept)

    def _parameter(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return name + equals + self.token(value) if value else pair


class _Memory:
    """What was masked lately, by how it was written; the oldest goes when it is too much."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._masked: OrderedDict[bytes, _Masked] = OrderedDict()

    def get(self, written: bytes) -> _Masked | None:
        return self._masked.get(written)

    def put(self, written: bytes, masked: _Masked) -> None:
        self._masked[written] = masked
        self._bytes += len(written)
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._masked.popitem(last=False)[0])


class _Walk:
    """One pass over an exchange: masks what is secret for its place, and remembers it."""

    def __init__(self, redactor: TrafficRedactor, *, is_suspect: bool) -> None:
        self._redactor = redactor
        self._is_suspect = is_suspect
        self.found: dict[str, None] = {}
        self.runs: set[bytes] = set()

    def review(self, review: JsonObject) -> JsonObject:
        """A review of a request."""
        walked = self._object(review)
        request = walked.get("request")
        if isinstance(request, dict) and "userInfo" in request:
            return {**walked, "request": {**request, "userInfo": self._user(request["userInfo"])}}
        return walked

    def outcome(self, said: Said) -> Said:
        """An answer, with the operations of its patch; or a failure."""
        return said.changed_by(value=self.value, patch=self._patch, text=self._redactor.option)

    def value(self, value: JsonValue) -> JsonValue:
        """The value, the same object where nothing in it is masked."""
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            elements = [self.value(element) for element in value]
            return value if all(map(operator.is_, elements, value)) else elements
        if self._is_suspect and isinstance(value, str):
            return self._redactor.text(value)
        return value

    def _object(self, value: JsonObject) -> JsonObject:
        changed: JsonObject | None = None
        are_texts_read = self._is_suspect
        for name, member in value.items():
            # A review has hundreds of texts and a few dozen objects.
            if not (are_texts_read or isinstance(member, _CONTAINERS)):
                continue
            new = self._member(name, member) if name in _WALKED else self.value(member)
            if new is not member:
                changed = {} if changed is None else changed
                changed[name] = new
        return value if changed is None else {**value, **changed}

    def _member(self, name: str, member: JsonValue) -> JsonValue:
        if name in _MAPS and isinstance(member, dict):
            return {key: self._map_value(name, key, each) for key, each in member.items()}
        if name in _NAMED_VALUES and isinstance(member, list):
            return [self._variable(each) for each in member]
        if name in _TEXTS and isinstance(member, list):
            words = [
                self._redactor.option(each) if isinstance(each, str) else self.value(each)
                for each in member
            ]
            return member if words == member else [*words]
        if name in _OBJECTS and isinstance(member, dict):
            return self._remembered(member, self._redactor.objects)
        if name in _ELEMENTS and isinstance(member, list):
            elements = [self._remembered(each, self._redactor.elements) for each in member]
            return member if all(map(operator.is_, elements, member)) else elements
        return self.value(member)

    def _remembered(self, part: JsonValue, memory: _Memory) -> JsonValue:
        """A part of an exchange that is likely to come again."""
        written = orjson.dumps(part)
        known = memory.get(written)
        if known is None:
            walk = _Walk(self._redactor, is_suspect=_is_suspect(written))
            masked = walk.value(part)
            known = (masked, tuple(walk.found), walk.runs | long_runs_of(orjson.dumps(masked)))
            memory.put(written, known)
        masked, found, runs = known
        self.found |= dict.fromkeys(found)
        self.runs |= runs
        return masked

    def _map_value(self, name: str, key: str, value: JsonValue) -> JsonValue:
        if name == "annotations" and KEPT_ANNOTATIONS.fullmatch(key):
            return self.value(value)
        if name == "data" and isinstance(value, str):
            self._learn_decoded(value)
        return self._secret(value)

    def _learn_decoded(self, value: str) -> None:
        """Data of a Secret is base64: what it says turns up elsewhere as it is."""
        try:
            text = base64.b64decode(value, validate=True).decode()
        except ValueError:
            return
        if is_learned(text) and not _PLAIN.fullmatch(text):
            self.found[text] = None

    def _variable(self, variable: JsonValue) -> JsonValue:
        if not isinstance(variable, dict) or "value" not in variable:
            return self.value(variable)
        rest = self.value({name: each for name, each in variable.items() if name != "value"})
        masked = self._secret(variable["value"])
        return {**variable, **(rest if isinstance(rest, dict) else {}), "value": masked}

    def _secret(self, value: JsonValue) -> JsonValue:
        if not isinstance(value, str):
            return self.value(value)
        if not value or _PLAIN.fullmatch(value):
            return value
        if is_learned(value):
            self.found[value] = None
        return self._redactor.token(value)

    def _user(self, user: JsonValue) -> JsonValue:
        match user:
            case str():
                return user if user.startswith("system:") else self._secret(user)
            case list():
                return [self._user(each) for each in user]
            case dict():
                return {name: self._user(each) for name, each in user.items()}
            case _:
                return user

    def _patch(self, patch: JsonValue) -> JsonValue:
        if not isinstance(patch, list):
            return self._redactor.option(patch) if isinstance(patch, str) else self.value(patch)
        operations = [self._operation(operation) for operation in patch]
        return patch if all(map(operator.is_, operations, patch)) else operations

    def _operation(self, operation: JsonValue) -> JsonValue:
        path = operation.get("path") if isinstance(operation, dict) else None
        if not isinstance(operation, dict) or not isinstance(path, str) or "value" not in operation:
            return operation
        value = operation["value"]
        steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
        place = next((at for at in reversed(range(len(steps))) if steps[at] in _SPECIAL), None)
        if place is None:
            masked = self.value(value)
        else:
            masked = self._at(steps[place], steps[place + 1 :], value)
        return operation if masked is value else {**operation, "value": masked}

    def _at(self, name: str, steps: list[str], value: JsonValue) -> JsonValue:
        """The value as it is masked below a member: what is around it is put there meanwhile."""
        wrapped: JsonValue = value
        for step in reversed(steps):
            wrapped = [wrapped] if step == "-" or step.isdecimal() else {step: wrapped}
        masked = self._member(name, wrapped)
        for step in steps:
            if isinstance(masked, list):
                masked = masked[0]
            elif isinstance(masked, dict):
                masked = masked[step]
        return masked


def _replaced(headers: TextHeaders, replacing: Replacing) -> TextHeaders:
    return tuple((name, replacing.text(value)) for name, value in headers)


def _without_objects(review: JsonObject) -> JsonObject:
    """The review without its objects, which are looked at by themselves."""
    request = object_at(review, "request")
    objects = [name for name in request.keys() & _OBJECTS if isinstance(request[name], dict)]
    if not objects:
        return review
    return {**review, "request": {name: request[name] for name in request.keys() - objects}}


def _is_suspect(written: bytes) -> bool:
    """Whether anything in it can be a credential: most exchanges hold nothing that looks so."""
    for mark in _MARKS_AS_BYTES:
        if mark in written:
            return True
    return _USER_INFO_BYTES.search(written) is not None
