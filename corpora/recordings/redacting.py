"""How do secrets stay out of a recording?

By their place first: values of variables, annotations, data of Secrets and ConfigMaps, who asked,
headers that authenticate. Then by their look: tokens, keys, passwords in URLs and options. What was
masked for its place is then looked for everywhere else in the same exchange, and in the next ones:
a value of a variable turns up again in patches, messages and errors. Equal values get equal tokens;
the salt is in memory only, so that tokens cannot be looked up.
"""

import base64
import binascii
import hashlib
import json
import operator
import re
import secrets
from collections import OrderedDict
from dataclasses import replace
from typing import Final
from urllib.parse import quote

import orjson

from webhook_fuzz.corpora.exchanges import Answered, CallFailure, Outcome
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.maskings import KEPT_ANNOTATIONS
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange, TextHeaders

_PLAIN: Final = re.compile(r"(true|false|enabled|disabled|yes|no|\d{1,4})", re.IGNORECASE)
# All of their values are secrets: those of a variable are in its `value`.
_MAPS: Final = frozenset(
    {"annotations", "auditAnnotations", "data", "stringData", "binaryData", "volumeAttributes"}
)
_NAMED_VALUES: Final = frozenset({"env", "httpHeaders"})
_TEXTS: Final = frozenset({"args", "command"})
_SPECIAL: Final = _MAPS | _NAMED_VALUES | _TEXTS
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
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "@"),
)
"""Without any of them a text holds no credential: looking for them is cheaper."""
_MARKS_AS_BYTES: Final = tuple(mark.encode() for mark in _MARKS)
_OPTION: Final = re.compile(
    r"((?:pass(?:word|wd)?|token|secret|api-?_?key|credentials?)[\w.-]*[=:\s]\s*)([^\s,;&\"']+)",
    re.IGNORECASE,
)
_LONG: Final = re.compile(r"(?<![\w+/-])(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])[\w+/-]{32,}={0,2}")
_POINTERS: Final = frozenset({"op", "path", "from"})
_LEAST_LEARNED: Final = 8
_LONG_ENOUGH: Final = 16
_MOST_RECENT: Final = 64
_MOST_TOKENS: Final = 8192


class TrafficRedactor:
    """Redacts the exchanges of one recording, in their order; what it remembers is bounded."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = salt or secrets.token_bytes(16)
        self._tokens: OrderedDict[str, str] = OrderedDict()
        self._recent: OrderedDict[str, None] = OrderedDict()

    def redact(self, recorded: RecordedExchange) -> RecordedExchange:
        """The exchange without its secrets; its structure, and what equals what, stay."""
        exchange = recorded.exchange
        walk = _Walk(self, orjson.dumps(exchange.review))
        review = walk.review(exchange.review)
        outcome = walk.outcome(exchange.outcome)
        self._remember(walk.found)
        spellings = _spellings(self._recent)
        return replace(
            recorded,
            exchange=replace(
                exchange,
                review=self._everywhere(review, spellings),
                outcome=self._outcome_everywhere(outcome, spellings),
            ),
            target=self._target(recorded.target, spellings),
            request_headers=self._headers(recorded.request_headers, spellings),
            answer_headers=self._headers(recorded.answer_headers, spellings),
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
            if len(self._tokens) > _MOST_TOKENS:
                self._tokens.popitem(last=False)
        return found

    def text(self, text: str) -> str:
        """A text without what looks like a credential."""
        if not any(mark in text for mark in _MARKS):
            return text
        return _CREDENTIALS.sub(lambda found: self.token(found[0]), text)

    def option(self, text: str) -> str:
        """The same of a word of a command line, where passwords and keys have no look."""
        known = _OPTION.sub(lambda found: found[1] + self.token(found[2]), self.text(text))
        return _LONG.sub(lambda found: self.token(found[0]), known)

    def _remember(self, found: set[str]) -> None:
        for value in found:
            self._recent[value] = None
            self._recent.move_to_end(value)
        while len(self._recent) > max(_MOST_RECENT, len(found)):
            self._recent.popitem(last=False)

    def _everywhere(self, review: JsonObject, spellings: dict[str, str]) -> JsonObject:
        written = orjson.dumps(review)
        if not any(_as_written(spelling) in written for spelling in spellings):
            return review
        replaced = self._replace(review, spellings)
        return replaced if isinstance(replaced, dict) else review

    def _replace(self, value: JsonValue, spellings: dict[str, str]) -> JsonValue:
        match value:
            case str():
                return self._known(value, spellings)
            case list():
                return [self._replace(element, spellings) for element in value]
            case dict():
                pointers = _POINTERS if "op" in value else frozenset[str]()
                return {
                    name: member if name in pointers else self._replace(member, spellings)
                    for name, member in value.items()
                }
            case _:
                return value

    def _known(self, text: str, spellings: dict[str, str]) -> str:
        for spelling, value in spellings.items():
            if spelling in text:
                text = text.replace(spelling, self.token(value))
        return text

    def _outcome_everywhere(self, outcome: Outcome, spellings: dict[str, str]) -> Outcome:
        if isinstance(outcome, CallFailure):
            detail, body = outcome.detail, outcome.body.decode("utf-8", "replace")
            return replace(
                outcome,
                detail=self._known(detail, spellings),
                body=self._known(body, spellings).encode(),
            )
        try:
            review: JsonValue = orjson.loads(outcome.body)
        except orjson.JSONDecodeError:
            said = outcome.body.decode("utf-8", "replace")
            text = self._known(said, spellings)
            return outcome if text == said else replace(outcome, body=text.encode())
        patch = read_patch(outcome.body)
        written = orjson.dumps([review, patch])
        if not any(_as_written(spelling) in written for spelling in spellings):
            return outcome
        replaced = self._replace(with_patch(review, self._replace(patch, spellings)), spellings)
        return replace(outcome, body=orjson.dumps(replaced))

    def _headers(self, headers: TextHeaders, spellings: dict[str, str]) -> TextHeaders:
        return tuple(
            (
                name,
                self.token(value)
                if _SECRET_HEADERS.fullmatch(name)
                else self._known(self.text(value), spellings),
            )
            for name, value in headers
        )

    def _target(self, target: str, spellings: dict[str, str]) -> str:
        path, mark, query = target.partition("?")
        kept = [
            pair if pair.startswith("timeout=") else self._parameter(pair)
            for pair in query.split("&")
        ]
        return self._known(self.text(path), spellings) + mark + "&".join(kept)

    def _parameter(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        return name + equals + self.token(value) if value else pair


class _Walk:
    """One pass over an exchange: masks what is secret for its place, and remembers it."""

    def __init__(self, redactor: TrafficRedactor, written: bytes) -> None:
        self._redactor = redactor
        # Most reviews hold nothing that looks like a credential: then no text is looked at.
        self._is_suspect = _is_suspect(written)
        self.found: set[str] = set()

    def review(self, review: JsonObject) -> JsonObject:
        """A review of a request."""
        walked = self._value(review)
        if not isinstance(walked, dict):
            return review
        request = walked.get("request")
        if isinstance(request, dict) and "userInfo" in request:
            return {**walked, "request": {**request, "userInfo": self._user(request["userInfo"])}}
        return walked

    def outcome(self, outcome: Outcome) -> Outcome:
        """An answer, with the operations of its patch; or a failure."""
        if isinstance(outcome, CallFailure):
            text = self._redactor.option(outcome.body.decode("utf-8", "replace"))
            return replace(
                outcome, detail=self._redactor.option(outcome.detail), body=text.encode()
            )
        try:
            review: JsonValue = orjson.loads(outcome.body)
        except orjson.JSONDecodeError:
            said = outcome.body.decode("utf-8", "replace")
            text = self._redactor.option(said)
            return outcome if text == said else replace(outcome, body=text.encode())
        patch = read_patch(outcome.body)
        self._is_suspect = _is_suspect(outcome.body) or patch is not None
        walked = self._value(review)
        masked = self._patch(patch) if isinstance(patch, list) else patch
        if walked is review and masked is patch and not _repeats_names(outcome.body, review):
            return outcome  # the very bytes: how a number is spelled can matter
        body = with_patch(walked, masked) if masked is not patch else walked
        return Answered(
            status=outcome.status, content_type=outcome.content_type, body=orjson.dumps(body)
        )

    def _value(self, value: JsonValue) -> JsonValue:
        """The value, the same object where nothing in it is masked."""
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            elements = [self._value(element) for element in value]
            same = all(map(operator.is_, elements, value))
            return value if same else elements
        if isinstance(value, str) and self._is_suspect:
            return self._redactor.text(value)
        return value

    def _object(self, value: JsonObject) -> JsonObject:
        changed: JsonObject | None = None
        for name, member in value.items():
            if name in _SPECIAL:
                new = self._member(name, member)
            elif isinstance(member, dict | list) or self._is_suspect:
                new = self._value(member)
            else:
                continue
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
                self._redactor.option(each) if isinstance(each, str) else self._value(each)
                for each in member
            ]
            return member if words == member else [*words]
        return self._value(member)

    def _map_value(self, name: str, key: str, value: JsonValue) -> JsonValue:
        if name == "annotations" and KEPT_ANNOTATIONS.fullmatch(key):
            return self._value(value)
        if name == "data" and isinstance(value, str):
            self._learn_decoded(value)
        return self._secret(value)

    def _learn_decoded(self, value: str) -> None:
        """Data of a Secret is base64: what it says turns up elsewhere as it is."""
        try:
            text = base64.b64decode(value, validate=True).decode()
        except ValueError:
            return
        if _is_learned(text) and not _PLAIN.fullmatch(text):
            self.found.add(text)

    def _variable(self, variable: JsonValue) -> JsonValue:
        if not isinstance(variable, dict) or "value" not in variable:
            return self._value(variable)
        rest = self._value({name: each for name, each in variable.items() if name != "value"})
        masked = self._secret(variable["value"])
        return {**variable, **(rest if isinstance(rest, dict) else {}), "value": masked}

    def _secret(self, value: JsonValue) -> JsonValue:
        if not isinstance(value, str):
            return self._value(value)
        if not value or _PLAIN.fullmatch(value):
            return value
        if _is_learned(value):
            self.found.add(value)
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

    def _patch(self, patch: list[JsonValue]) -> list[JsonValue]:
        operations = [self._operation(operation) for operation in patch]
        same = all(new is old for new, old in zip(operations, patch, strict=True))
        return patch if same else operations

    def _operation(self, operation: JsonValue) -> JsonValue:
        path = operation.get("path") if isinstance(operation, dict) else None
        if not isinstance(operation, dict) or not isinstance(path, str) or "value" not in operation:
            return operation
        value = operation["value"]
        steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
        place = next((at for at in reversed(range(len(steps))) if steps[at] in _SPECIAL), None)
        if place is None:
            masked = self._value(value)
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


def read_patch(body: bytes) -> JsonValue:
    """The operations of an answer's patch; None where there are none that can be read."""
    try:
        review: JsonValue = orjson.loads(body)
        response = review.get("response") if isinstance(review, dict) else None
        patch = response.get("patch") if isinstance(response, dict) else None
        return orjson.loads(base64.b64decode(patch)) if isinstance(patch, str) and patch else None
    except (binascii.Error, ValueError):
        return None


def with_patch(review: JsonValue, patch: JsonValue) -> JsonValue:
    """The answer with another patch, where it has one."""
    response = review.get("response") if isinstance(review, dict) else None
    if patch is None or not isinstance(review, dict) or not isinstance(response, dict):
        return review
    encoded = base64.b64encode(orjson.dumps(patch)).decode()
    return {**review, "response": {**response, "patch": encoded}}


def _is_learned(value: str) -> bool:
    """Whether it is looked for elsewhere; short words turn up in names, which have to stay."""
    if len(value) >= _LONG_ENOUGH:
        return True
    return len(value) >= _LEAST_LEARNED and any(char.isdigit() for char in value)


def _spellings(values: OrderedDict[str, None]) -> dict[str, str]:
    """Every spelling a secret may have elsewhere, longest first: plain, base64, URL, JSON."""
    found = {value: value for value in values}
    for value in values:
        written = value.encode("utf-8", "surrogatepass")
        found[base64.b64encode(written).decode()] = value
        found[quote(written)] = found[quote(written, safe="")] = value
        found[json.dumps(value, ensure_ascii=False)[1:-1]] = value
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _repeats_names(body: bytes, value: JsonValue) -> bool:
    """Whether an object in it has a name twice: what the first one held was not looked at."""
    if orjson.dumps(value) == body.strip():
        return False

    def refuse(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError
        return found

    try:
        json.loads(body, object_pairs_hook=refuse)
    except (ValueError, RecursionError):  # what cannot be told is not kept either
        return True
    return False


def _is_suspect(written: bytes) -> bool:
    return any(mark in written for mark in _MARKS_AS_BYTES)


def _as_written(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]
