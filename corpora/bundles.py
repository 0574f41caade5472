"""What has to be kept of a cluster so that it can be judged again without it?

One JSON document, gzip-compressed where the file's name ends in `.gz`: what the API server answered
to whoever asked, the pods that were sent as seeds, every exchange with a webhook and every dry run.
It is masked before it is kept (`maskings.py`), readable by its owner only, and complete or not
there. `bundle.schema.json` describes it for any validator; loading says in words what is wrong.
"""

import base64
import binascii
import contextlib
import gzip
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import orjson

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import (
    Answered,
    CallFailure,
    Exchange,
    FailureKind,
    Outcome,
    WebhookIdentity,
)
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.corpora.maskings import Masker

BUNDLE_VERSION: Final = "webhook-fuzz/bundle/v1"
_MODE: Final = 0o600
_GZIP: Final = b"\x1f\x8b"
_HINT: Final = "Give a file that --offline-bundle wrote."
# A thousand nodes with their metrics are 20 MB; a small file may unpack to anything.
MAX_BYTES: Final = 512 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What the API server answered to one question, or the trouble there was instead.

    `sent` is the question's body where it had one. `trouble` is a word for why there was no answer,
    "" where there was one; then `message` says it to people.
    """

    method: str
    path: str
    query: Mapping[str, str]
    sent: JsonValue = None
    status: int = 0
    content_type: str = ""
    body: JsonValue = None
    trouble: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All that was kept. `made_at` is a time in UTC (RFC 3339), `dry_runs` are raw objects.

    `server` is the URL of the API server, `context` what the user called it.
    """

    context: str
    server: str
    made_at: str
    tool: str
    answers: tuple[KeptAnswer, ...] = field(default=(), repr=False)
    seeds: tuple[JsonObject, ...] = field(default=(), repr=False)
    exchanges: tuple[Exchange, ...] = field(default=(), repr=False)
    dry_runs: tuple[JsonObject, ...] = field(default=(), repr=False)


def save_bundle(bundle: Bundle, path: Path, *, masker: Masker | None = None) -> None:
    """Write the bundle, masked, whole or not at all, readable by its owner only.

    Answers are masked already, with the same `masker`, by whoever recorded them. Raises InputError
    where the file cannot be written.
    """
    data = orjson.dumps(_document(bundle, masker or Masker()))
    packed = gzip.compress(data, mtime=0) if path.suffix == ".gz" else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(packed, path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Choose another file for the bundle.",
        ) from error


def _replace(data: bytes, path: Path) -> None:
    """A neighbour is written, with mode 0600 from the start, and renamed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_MODE)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _document(bundle: Bundle, masker: Masker) -> JsonObject:
    seeds = [masker.mask_traffic(seed) for seed in bundle.seeds]
    # In the order they were made: a secret is learned from the pod it is in first.
    dry_runs = [masker.mask_traffic(dry_run) for dry_run in bundle.dry_runs]
    return {
        "schema": BUNDLE_VERSION,
        "tool": {"name": "webhook-fuzz", "version": bundle.tool},
        "made_at": bundle.made_at,
        "context": bundle.context,
        "server": bundle.server,
        "answers": [_write_answer(answer) for answer in bundle.answers],
        "seeds": seeds,
        "exchanges": [_write_exchange(each, masker) for each in bundle.exchanges],
        "dry_runs": dry_runs,
    }


def _write_answer(answer: KeptAnswer) -> JsonObject:
    return {
        "method": answer.method,
        "path": answer.path,
        "query": {**answer.query},
        "sent": answer.sent,
        "status": answer.status,
        "content_type": answer.content_type,
        "body": answer.body,
        "trouble": answer.trouble,
        "message": answer.message,
    }


def _write_exchange(exchange: Exchange, masker: Masker) -> JsonObject:
    webhook, outcome = exchange.webhook, exchange.outcome
    review = masker.mask_traffic(exchange.review)
    written: JsonObject = {
        "webhook": {
            "configuration": webhook.configuration,
            "name": webhook.name,
            "url": webhook.url,
        },
        "review": review,
        "seconds": exchange.seconds,
        "answered": None,
        "failed": None,
    }
    if isinstance(outcome, Answered):
        written["answered"] = {
            "status": outcome.status,
            "content_type": outcome.content_type,
            "body": base64.b64encode(masker.mask_body(outcome.body)).decode(),
        }
    else:
        written["failed"] = {
            "kind": outcome.kind.value,
            "detail": masker.mask_traffic(outcome.detail),
            "status": outcome.status,
            "body": base64.b64encode(masker.mask_body(outcome.body)).decode(),
        }
    return written


def load_bundle(path: Path) -> Bundle:
    """The bundle in a file.

    Raises InputError where it cannot be read, is none, is of another version, or has a wrong shape;
    the message says where.
    """
    document = _read_document(path)
    version = document.get("schema")
    if version != BUNDLE_VERSION:
        of_version = f" but of {version!r}" if isinstance(version, str) else ""
        raise InputError(
            f"{path} is not a bundle of version {BUNDLE_VERSION}{of_version}",
            hint="Read it with the release that wrote it." if of_version else _HINT,
        )
    try:
        return _Reader(document, "").bundle()
    except _MisshapenError as error:
        raise InputError(
            f"{path} does not have the shape of a bundle: {error}", hint=_HINT
        ) from error


def _read_document(path: Path) -> JsonObject:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, EOFError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint=_HINT) from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES // 2**20} MiB", hint=_HINT)
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON: {error}", hint=_HINT) from error
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a bundle", hint=_HINT)
    return value


class _MisshapenError(Exception):
    """Says where a document differs from the schema."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one object of the document; `at` is where it stands."""

    holder: JsonObject
    at: str

    def bundle(self) -> Bundle:
        return Bundle(
            context=self.text("context"),
            server=self.text("server"),
            made_at=self.text("made_at"),
            tool=self.inner("tool").text("version"),
            answers=tuple(each.answer() for each in self.inners("answers")),
            seeds=tuple(each.holder for each in self.inners("seeds")),
            exchanges=tuple(each.exchange() for each in self.inners("exchanges")),
            dry_runs=tuple(each.holder for each in self.inners("dry_runs")),
        )

    def answer(self) -> KeptAnswer:
        query = self.inner("query")
        return KeptAnswer(
            method=self.text("method"),
            path=self.text("path"),
            query={name: query.text(name) for name in query.holder},
            sent=self.holder.get("sent"),
            status=self.number("status"),
            content_type=self.text("content_type"),
            body=self.holder.get("body"),
            trouble=self.text("trouble"),
            message=self.text("message"),
        )

    def exchange(self) -> Exchange:
        webhook = self.inner("webhook")
        seconds = self.holder.get("seconds")
        if not isinstance(seconds, int | float):
            raise self.misshapen("seconds", "number", seconds)
        return Exchange(
            webhook=WebhookIdentity(
                configuration=webhook.text("configuration"),
                name=webhook.text("name"),
                url=webhook.text("url"),
            ),
            review=self.inner("review").holder,
            outcome=self.outcome(),
            seconds=seconds,
        )

    def outcome(self) -> Outcome:
        if self.holder.get("answered") is not None:
            answered = self.inner("answered")
            return Answered(
                status=answered.number("status"),
                content_type=answered.text("content_type"),
                body=answered.data("body"),
            )
        failed = self.inner("failed")
        kind = failed.text("kind")
        if kind not in set(FailureKind):
            raise _MisshapenError(f"{failed.at}.kind: {kind!r} is no failure of a call")
        status = failed.holder.get("status")
        return CallFailure(
            kind=FailureKind(kind),
            detail=failed.text("detail"),
            status=None if status is None else failed.number("status"),
            body=failed.data("body"),
        )

    def text(self, name: str) -> str:
        value = self.holder.get(name)
        if not isinstance(value, str):
            raise self.misshapen(name, "string", value)
        return value

    def number(self, name: str) -> int:
        value = self.holder.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.misshapen(name, "integer", value)
        return value

    def data(self, name: str) -> bytes:
        try:
            return base64.b64decode(self.text(name), validate=True)
        except binascii.Error as error:
            raise _MisshapenError(f"{self.at}.{name}: not base64: {error}") from error

    def inner(self, name: str) -> "_Reader":
        value = self.holder.get(name)
        if not isinstance(value, dict):
            raise self.misshapen(name, "object", value)
        return _Reader(value, f"{self.at}.{name}".lstrip("."))

    def inners(self, name: str) -> "list[_Reader]":
        value = self.holder.get(name)
        if not isinstance(value, list):
            raise self.misshapen(name, "array", value)
        for index, each in enumerate(value):
            if not isinstance(each, dict):
                raise self.misshapen(f"{name}[{index}]", "object", each)
        path = f"{self.at}.{name}".lstrip(".")
        return [
            _Reader(cast("JsonObject", each), f"{path}[{index}]")
            for index, each in enumerate(value)
        ]

    def misshapen(self, name: str, expected: str, value: JsonValue) -> _MisshapenError:
        path = f"{self.at}.{name}".lstrip(".")
        return _MisshapenError(f"{path}: {expected} expected, not {json_type_name(value)}")
