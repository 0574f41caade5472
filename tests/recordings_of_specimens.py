"""Recordings on disk, written by the sink that the proxy writes them with."""

from collections.abc import Callable, Iterable
from pathlib import Path

import orjson

from fakes import outcome_of
from replayed import RECORDED_WEBHOOK, creation
from webhook_fuzz.corpora.exchanges import CallFailure, WebhookIdentity
from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.corpora.recordings.writing import RecordingSinkFactory
from webhook_fuzz.fuzzer.specimens.programs import Program


def write_recording(
    folder: Path,
    program: Program,
    pods: Iterable[JsonObject],
    *,
    webhook: WebhookIdentity = RECORDED_WEBHOOK,
    masked: Callable[[JsonObject], JsonObject] = lambda pod: pod,
) -> Path:
    """Record the creation of pods, redacted as by default, and return the folder.

    The webhook answered the pods; what is kept of them is what `masked` makes of each.
    """
    sink = RecordingSinkFactory(folder=folder)()
    for number, pod in enumerate(pods):
        outcome = outcome_of(program(creation(pod, number)))
        review = creation(masked(pod), number)
        sink.take(
            RawExchange(
                webhook=webhook,
                started_at=1_700_000_000.0 + number,
                seconds=0.002,
                upstream_seconds=0.002,
                target=b"/mutate?timeout=10s",
                request_headers=((b"Host", b"mpod.shop.svc:443"),),
                request_body=orjson.dumps(review),
                answer=outcome
                if isinstance(outcome, CallFailure)
                else RawAnswer(status=200, headers=(), body=outcome.body),
            )
        )
    sink.close()
    return folder
