"""How is a recorded exchange written as one line of JSON?

The members are those of `recording.schema.json`. A body is kept as text where it is UTF-8, so that
it can be read and searched, and is the very bytes again when it is read; else in base64.
"""

import base64
import binascii
import math
from functools import cache
from importlib import resources
from typing import Final, cast

import orjson

from webhook_fuzz.corpora.exchanges import (
    Answered,
    CallFailure,
    Exchange,
    FailureKind,
    Outcome,
    WebhookIdentity,
)
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange, TextHeaders

RECORDING_VERSION: Final = "webhook-fuzz/recording/v1"


@cache
def load_recording_schema() -> JsonObject:
    """The JSON Schema of the lines of a recording (2020-12), as shipped with this package."""
    raw = resources.files(str(__package__)).joinpath("recording.schema.json").read_bytes()
    schema: JsonObject = orjson.loads(raw)
    return schema


def render_exchange(recorded: RecordedExchange) -> bytes:
    """One line, with its end. Raises ValueError for what no JSON can hold."""
    exchange = recorded.exchange
    webhook = exchange.webhook
    record = {
        "id": recorded.id,
        "startedAt": recorded.started_at,
        "seconds": exchange.seconds,
        "upstreamSeconds": recorded.upstream_seconds,
        "webhook": {
            "configuration": webhook.configuration,
            "name": webhook.name,
            "url": webhook.url,
        },
        "target": recorded.target,
        "request": recorded.request,
        "attempt": recorded.attempt,
        "invocation": recorded.invocation,
        "hungUp": recorded.hung_up,
        "raw": recorded.raw,
        "requestHeaders": recorded.request_headers,
        "review": exchange.review,
        "outcome": _render_outcome(exchange.outcome),
        "status": recorded.status,
        "answerHeaders": recorded.answer_headers,
    }
    if recorded.unread_request:
        record |= {"unreadRequest": base64.b64encode(recorded.unread_request).decode()}
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"it cannot be written as JSON: {error}") from error


def parse_exchange(record: JsonObject) -> RecordedExchange:
    """The exchange of one record. Raises ValueError that says which member is not what it is."""
    webhook = _object(record, "webhook")
    exchange = Exchange(
        webhook=WebhookIdentity(
            configuration=_text(webhook, "configuration"),
            name=_text(webhook, "name"),
            url=_text(webhook, "url"),
        ),
        review=_object(record, "review"),
        outcome=_parse_outcome(_object(record, "outcome")),
        seconds=_number(record, "seconds"),
    )
    return RecordedExchange(
        id=_text(record, "id"),
        exchange=exchange,
        started_at=_number(record, "startedAt"),
        upstream_seconds=_number(record, "upstreamSeconds"),
        target=_text(record, "target"),
        request=_text(record, "request"),
        attempt=_whole(record, "attempt"),
        invocation=_whole(record, "invocation"),
        hung_up=record.get("hungUp") is True,
        raw=record.get("raw") is True,
        request_headers=_headers(record, "requestHeaders"),
        status=None if record.get("status") is None else _whole(record, "status"),
        answer_headers=_headers(record, "answerHeaders"),
        unread_request=_base64(record, "unreadRequest"),
    )


def _render_outcome(outcome: Outcome) -> JsonObject:
    if isinstance(outcome, Answered):
        answered: JsonObject = {"status": outcome.status, "contentType": outcome.content_type}
        return answered | _render_body(outcome.body)
    failed: JsonObject = {"failure": outcome.kind.value, "detail": outcome.detail}
    if outcome.status is not None:
        failed["status"] = outcome.status
    return failed | _render_body(outcome.body) if outcome.body else failed


def _render_body(body: bytes) -> JsonObject:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"bodyBase64": base64.b64encode(body).decode()}


def _parse_outcome(outcome: JsonObject) -> Outcome:
    body = _base64(outcome, "bodyBase64")
    if not body and "body" in outcome:
        body = _text(outcome, "body").encode()
    if "failure" not in outcome:
        content_type, status = _text(outcome, "contentType"), _whole(outcome, "status")
        return Answered(status=status, content_type=content_type, body=body)
    return CallFailure(
        kind=FailureKind(_text(outcome, "failure")),
        detail=_text(outcome, "detail"),
        status=_whole(outcome, "status") if "status" in outcome else None,
        body=body,
    )


def _text(record: JsonObject, name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise _unexpected(name, "a string", value)
    return value


def _object(record: JsonObject, name: str) -> JsonObject:
    value = record.get(name)
    if not isinstance(value, dict):
        raise _unexpected(name, "an object", value)
    return value


def _number(record: JsonObject, name: str) -> float:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _unexpected(name, "a number", value)
    return float(value)


def _whole(record: JsonObject, name: str) -> int:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _unexpected(name, "a whole number", value)
    return value


def _headers(record: JsonObject, name: str) -> TextHeaders:
    pairs = record.get(name, [])
    if not isinstance(pairs, list):
        raise _unexpected(name, "a list", pairs)
    for pair in pairs:
        if not isinstance(pair, list) or [type(each) for each in pair] != [str, str]:
            raise _unexpected(name, "a list of names and values", pair)
    return tuple((pair[0], pair[1]) for pair in cast("list[list[str]]", pairs))


def _base64(record: JsonObject, name: str) -> bytes:
    value = record.get(name, "")
    if not isinstance(value, str):
        raise _unexpected(name, "a string", value)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"`{name}` is no base64: {error}") from error


def _unexpected(name: str, expected: str, found: JsonValue) -> ValueError:
    return ValueError(f"`{name}` is to be {expected} and is {json_type_name(found)}")
