"""How does what passed get into a recording?

A sink masks an exchange, places it among the others, and appends it to the segment it has open. A
full disk or a folder that is gone costs records, which are counted and told; it is tried again a
little later, and whoever handed the exchange over never hears of it.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import Exchange
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.recordings.answers import read_outcome
from webhook_fuzz.corpora.recordings.appending import Rotation, SegmentWriter
from webhook_fuzz.corpora.recordings.grouping import Grouper
from webhook_fuzz.corpora.recordings.raw_exchanges import Headers, RawAnswer, RawExchange
from webhook_fuzz.corpora.recordings.recorded_exchanges import RecordedExchange, TextHeaders
from webhook_fuzz.corpora.recordings.redacting import TrafficRedactor
from webhook_fuzz.corpora.recordings.retention import Retention
from webhook_fuzz.corpora.recordings.schemas import render_exchange
from webhook_fuzz.corpora.recordings.sinks import Count

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSinkFactory:
    """Opens the sink of a folder. Sizes are in bytes of the disk, 0 for `retain_…` keeps all.

    A segment ends when it has `rotate_bytes` or is `rotate_seconds` old; the oldest segments go
    when the folder has more than `retain_bytes`, or when they are older than `retain_seconds`.
    `raw` records what passed as it passed, secrets included. `tool` is this program's version.
    """

    folder: Path
    raw: bool = False
    rotate_bytes: int = 64 * 2**20
    rotate_seconds: float = 3600.0
    retain_bytes: int = 0
    retain_seconds: float = 0.0
    tool: str = "webhook-fuzz"

    def __call__(self) -> "RecordingSink":
        """The sink; InputError where nothing can be written into the folder."""
        return RecordingSink(self)


class RecordingSink:
    """Writes a recording; a Sink."""

    def __init__(self, options: RecordingSinkFactory) -> None:
        _prepare_folder(options.folder)
        self._options = options
        self._writer_id = secrets.token_hex(6)
        self._redactor = None if options.raw else TrafficRedactor()
        self._grouper = Grouper()
        self._segments = SegmentWriter(
            options.folder,
            Rotation(bytes=options.rotate_bytes, seconds=options.rotate_seconds),
            writer=self._writer_id,
            tool=options.tool,
            raw=options.raw,
        )
        self._retention = Retention(
            options.folder,
            retain_bytes=options.retain_bytes,
            retain_seconds=options.retain_seconds,
            abandoned_seconds=max(2 * options.rotate_seconds, 3600.0),
        )
        self._taken = 0
        self._failed = 0

    def take(self, exchange: RawExchange) -> None:
        """Record one exchange; what fails is counted."""
        self._taken += 1
        try:
            id_ = f"{self._writer_id}-{self._taken:08d}"
            line = render_exchange(self._build(exchange, id_))
        # Whatever is in an exchange may come from anybody, and the next one is to be recorded.
        except Exception:  # noqa: BLE001
            self._failed += 1
            # What the error says could be of the exchange, so that only its kind is told.
            _LOG.warning("an exchange could not be recorded", exc_info=False)
            return
        self._segments.append(line)

    def tick(self, now: float) -> None:
        """Put what is waiting on the disk, end segments that are old, delete the oldest."""
        self._segments.tick(now)
        self._retention.apply(now, own=self._segments.path)

    def counts(self) -> Sequence[Count]:
        """What was written, what was not, and how much there is."""
        segments = self._segments
        return (
            Count(name="records_written", value=segments.written),
            Count(name="records_failed", value=self._failed + segments.failed),
            Count(name="bytes_written", value=segments.bytes_written),
            Count(name="segments", value=segments.begun),
            Count(name="segments_deleted", value=self._retention.deleted),
            Count(name="bytes_on_disk", value=self._retention.bytes_on_disk, is_gauge=True),
        )

    def close(self) -> None:
        """End the segment that is open."""
        self._segments.close()

    def _build(self, exchange: RawExchange, id_: str) -> RecordedExchange:
        review = parse_review(exchange.request_body)
        place = self._grouper.place(
            exchange.webhook, review, id_=id_, started_at=exchange.started_at
        )
        answer = exchange.answer if isinstance(exchange.answer, RawAnswer) else None
        recorded = RecordedExchange(
            id=id_,
            exchange=Exchange(
                webhook=exchange.webhook,
                review=review,
                outcome=read_outcome(exchange.answer),
                seconds=exchange.seconds,
            ),
            started_at=exchange.started_at,
            upstream_seconds=exchange.upstream_seconds,
            target=exchange.target.decode("utf-8", "replace"),
            request=place.request,
            attempt=place.attempt,
            invocation=place.invocation,
            hung_up=exchange.hung_up,
            raw=self._redactor is None,
            request_headers=_texts(exchange.request_headers),
            status=answer.status if answer else None,
            answer_headers=_texts(answer.headers) if answer else (),
            unread_request=b"" if review else exchange.request_body,
        )
        return recorded if self._redactor is None else self._redactor.redact(recorded)


def parse_review(body: bytes) -> JsonObject:
    """The review of a request's body; empty where it is no JSON object."""
    try:
        review: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return review if isinstance(review, dict) else {}


def _texts(headers: Headers) -> TextHeaders:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _prepare_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".{secrets.token_hex(6)}"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"nothing can be recorded in {folder}: {error.strerror}",
            hint="Choose another folder with --recording, or make it writable.",
        ) from error
