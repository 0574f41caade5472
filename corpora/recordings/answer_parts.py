"""What does an outcome consist of, and how is it put together again when a part was masked?

The patch of an answer is base64 of JSON within JSON: it is opened, so that what is masked in it can
be, and an answer nothing was masked in stays the very bytes that came, because how a number is
spelled can matter.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import orjson

from webhook_fuzz.corpora.exchanges import Answered, CallFailure, Outcome
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue

_Place: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An outcome, taken apart.

    `review` is the body of an answer that is JSON, without its patches, None where it is not JSON;
    `patches` are these, opened, by the names of the members they stand in: the API server reads the
    one that is spelled right, but the others are kept as well. A patch that is no JSON is a text.
    `body` is the text of everything that is no JSON, `detail` that of a failure.
    """

    original: Outcome
    review: JsonValue = None
    patches: tuple[tuple[_Place, JsonValue], ...] = ()
    body: str = ""
    detail: str = ""
    texts: Mapping[_Place, bytes] = field(default_factory=dict[_Place, bytes])
    """The patches as they came."""
    hides: bool = False
    """Whether a member stands twice in it: what the first one holds was not looked at."""
    _before: "Said | None" = field(default=None, repr=False)

    def written(self) -> JsonValue:
        """Everything in it, as one JSON value to be looked through."""
        return [self.review, [patch for _, patch in self.patches], self.body, self.detail]

    def changed_by(
        self,
        *,
        value: Callable[[JsonValue], JsonValue],
        patch: Callable[[JsonValue], JsonValue],
        text: Callable[[str], str],
    ) -> "Said":
        """The same with every part changed; parts that stay are to be the same objects."""
        return replace(
            self,
            review=value(self.review),
            patches=tuple((place, patch(operations)) for place, operations in self.patches),
            body=text(self.body),
            detail=text(self.detail),
            _before=self._before or self,
        )

    def outcome(self) -> Outcome:
        """The outcome it is now: the original where nothing was changed."""
        before = self._before or self
        if isinstance(self.original, CallFailure):
            if (self.body, self.detail) == (before.body, before.detail):
                return self.original
            return replace(self.original, detail=self.detail, body=self.body.encode())
        if before.review is None:
            if self.body == before.body:
                return self.original
            return replace(self.original, body=self.body.encode())
        texts = {
            place: self.texts[place] if patch is old and not self.hides else _closed(patch)
            for (place, patch), (_, old) in zip(self.patches, before.patches, strict=True)
        }
        if self.review is before.review and texts == self.texts and not self.hides:
            return self.original
        encoded = {place: base64.b64encode(text).decode() for place, text in texts.items()}
        return replace(self.original, body=orjson.dumps(_with_texts(self.review, encoded)))


def take_apart(outcome: Outcome) -> Said:
    """The parts of an outcome."""
    if isinstance(outcome, CallFailure):
        body = outcome.body.decode("utf-8", "replace")
        return Said(original=outcome, body=body, detail=outcome.detail)
    try:
        review: JsonValue = orjson.loads(outcome.body)
    except orjson.JSONDecodeError:
        return Said(original=outcome, body=outcome.body.decode("utf-8", "replace"))
    texts = _patch_texts(review)
    patches = tuple((place, _opened(text)) for place, text in texts.items())
    hides = _repeats_names(outcome.body, review) or any(
        not isinstance(patch, str) and _repeats_names(texts[place], patch)
        for place, patch in patches
    )
    # Base64 looks like credentials, and what it says is opened beside it.
    without = _with_texts(review, dict.fromkeys(texts, ""))
    return Said(original=outcome, review=without, patches=patches, texts=texts, hides=hides)


def read_patch(answered: Answered) -> JsonValue:
    """The operations of an answer's patch; None where there are none that can be read."""
    try:
        review: JsonValue = orjson.loads(answered.body)
    except orjson.JSONDecodeError:
        return None
    text = _patch_texts(review).get(("response", "patch"))
    patch = None if text is None else _opened(text)
    return None if isinstance(patch, str) else patch


def _patch_texts(review: JsonValue) -> dict[_Place, bytes]:
    found: dict[_Place, bytes] = {}
    for name, response in _members(review):
        if name.lower() != "response":
            continue
        for member, patch in _members(response):
            if member.lower() == "patch" and isinstance(patch, str) and patch:
                try:
                    found[name, member] = base64.b64decode(patch)
                except ValueError:
                    continue
    return found


def _members(value: JsonValue) -> list[tuple[str, JsonValue]]:
    return [*value.items()] if isinstance(value, dict) else []


def _opened(text: bytes) -> JsonValue:
    try:
        patch: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.decode("utf-8", "replace")
    return patch


def _closed(patch: JsonValue) -> bytes:
    return patch.encode() if isinstance(patch, str) else orjson.dumps(patch)


def _with_texts(review: JsonValue, texts: Mapping[_Place, str]) -> JsonValue:
    if not isinstance(review, dict):
        return review
    written: JsonObject = dict(review)
    for (name, member), text in texts.items():
        response = written[name]
        written[name] = {**(response if isinstance(response, dict) else {}), member: text}
    return written


def _repeats_names(written: bytes, value: JsonValue) -> bool:
    """Whether an object in it has a name twice."""
    if orjson.dumps(value) == written.strip():
        return False

    def refuse(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError
        return found

    try:
        json.loads(written, object_pairs_hook=refuse)
    except (ValueError, RecursionError):  # what cannot be told is not kept either
        return True
    return False
