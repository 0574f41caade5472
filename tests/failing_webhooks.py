"""A webhook that fails in every way there is, one way a path, served from a thread of its own.

What it was asked is counted by a label of the pod, so that a test can tell a repeated call.
"""

import asyncio
import base64
import contextlib
import gzip
import json
import ssl
import threading
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import cast

from hostile_servers import (
    Behaviour,
    Conversation,
    closes_before_answering,
    closes_between_chunks,
    closes_in_the_middle,
    resets_before_answering,
    serve_raw,
    talks_garbage,
)
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at

LABEL = "matrix"
"""The label a call that worked leaves on the pod."""
CELL = "cell"
"""The label that says which test a pod belongs to."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """How often a webhook was asked, by the cell, and how often nobody waited for the answer."""

    calls: Counter[str] = field(default_factory=Counter[str])
    abandoned: Counter[str] = field(default_factory=Counter[str])
    closed: Counter[str] = field(default_factory=Counter[str])
    """Connections of which both sides know that they are over."""


def path_of(talk: Conversation) -> str:
    """The path without its query."""
    return talk.head.split(" ", 2)[1].partition("?")[0]


def _cell_of(talk: Conversation) -> str:
    metadata: JsonObject = json.loads(talk.body)["request"]["object"]["metadata"]
    return str(object_at(metadata, "labels").get(CELL, ""))


def review_answer(talk: Conversation, **response: object) -> bytes:
    """An AdmissionReview that allows, and marks the pod; `response` are further members."""
    request = json.loads(talk.body)["request"]
    return answer_to(request["uid"], _marking(request["object"]), **response)


def answer_to(uid: str, patch: list[JsonValue], **response: object) -> bytes:
    """The answer to a uid, with a patch where it has operations."""
    answer: dict[str, object] = {"uid": uid, "allowed": True}
    if patch:
        answer["patchType"] = "JSONPatch"
        answer["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    return json.dumps({**review, "response": {**answer, **response}}).encode()


def _marking(pod: JsonObject) -> list[JsonValue]:
    labels = {**object_at(object_at(pod, "metadata"), "labels"), LABEL: "yes"}
    return [{"op": "add", "path": "/metadata/labels", "value": labels}]


async def answers(talk: Conversation) -> None:
    """As a good webhook does."""
    await talk.answer(review_answer(talk))


async def annotates(talk: Conversation) -> None:
    """Another change than `answers` makes."""
    request = json.loads(talk.body)["request"]
    patch: list[JsonValue] = [
        {"op": "add", "path": "/metadata/annotations", "value": {"second": "was here"}}
    ]
    await talk.answer(answer_to(request["uid"], patch))


async def denies(talk: Conversation) -> None:
    status = {"message": "not on a Friday", "code": 418, "reason": "Forbidden"}
    uid = json.loads(talk.body)["request"]["uid"]
    await talk.answer(answer_to(uid, [], allowed=False, status=status))


async def warns(talk: Conversation) -> None:
    await talk.answer(review_answer(talk, warnings=["mind the gap"]))


async def zips(talk: Conversation) -> None:
    packed = gzip.compress(review_answer(talk))
    await talk.answer(packed, headers="Content-Encoding: gzip\r\n")


async def answers_in_chunks(talk: Conversation) -> None:
    body = review_answer(talk)
    await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 50):
        piece = body[start : start + 50]
        await talk.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    await talk.send(b"0\r\n\r\n")


async def answers_and_closes(talk: Conversation) -> None:
    """Keep-alive, as it seems: the answer does not say that the connection ends with it."""
    await answers(talk)
    talk.writer.close()


async def answers_hugely(talk: Conversation) -> None:
    """20 MiB, most of them in a message that nobody reads."""
    status = {"message": "x" * (20 * 2**20)}
    await talk.answer(review_answer(talk, status=status))


async def sends_no_json(talk: Conversation) -> None:
    await talk.answer(b"{oops")


async def answers_another(talk: Conversation) -> None:
    await talk.answer(answer_to("somebody-else", []))


async def answers_nothing(talk: Conversation) -> None:
    await talk.answer(b"")


async def resets_in_headers(talk: Conversation) -> None:
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-")
    await asyncio.sleep(0.05)  # or the kernel would throw it away with the reset
    await resets_before_answering(talk)


async def closes_in_headers(talk: Conversation) -> None:
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-")
    talk.writer.close()


async def resets_in_body(talk: Conversation) -> None:
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await asyncio.sleep(0.05)
    await resets_before_answering(talk)


def sleeps(seconds: float) -> Behaviour:
    """Answers after a time, unless nobody waits any more; that is counted."""

    async def behave(talk: Conversation) -> None:
        gone = asyncio.ensure_future(talk.reader.read(1))
        await asyncio.wait([gone], timeout=seconds)
        if gone.done():
            talk.writer.close()
            raise ConnectionAbortedError
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        await answers(talk)

    return behave


def refuses(status: str, headers: str = "") -> Behaviour:
    """An HTTP status with a body for people."""

    async def behave(talk: Conversation) -> None:
        await talk.answer(b"no, thank you", status=status, headers=headers)

    return behave


BEHAVIOURS: Mapping[str, Behaviour] = {
    "healthy": answers,
    "denies": denies,
    "warns": warns,
    "gzip": zips,
    "chunked": answers_in_chunks,
    "slow, in time": sleeps(1.0),
    "slow, too late": sleeps(30.0),
    "reset before headers": resets_before_answering,
    "closed before headers": closes_before_answering,
    "reset in headers": resets_in_headers,
    "closed in headers": closes_in_headers,
    "reset in body": resets_in_body,
    "closed in body": closes_in_the_middle,
    "closed between chunks": closes_between_chunks,
    "400": refuses("400 Bad Request"),
    "404": refuses("404 Not Found"),
    "429": refuses("429 Too Many Requests"),
    "429, Retry-After": refuses("429 Too Many Requests", "Retry-After: 1\r\n"),
    "500": refuses("500 Internal Server Error"),
    "500, Retry-After": refuses("500 Internal Server Error", "Retry-After: 1\r\n"),
    "503": refuses("503 Service Unavailable"),
    "503, Retry-After": refuses("503 Service Unavailable", "Retry-After: 1\r\n"),
    "redirect": refuses("307 Temporary Redirect", "Location: /healthy\r\n"),
    "no JSON": sends_no_json,
    "wrong uid": answers_another,
    "empty answer": answers_nothing,
    "no HTTP": talks_garbage,
    "huge answer": answers_hugely,
    "3 MiB pod": answers,
    "keep-alive closed": answers_and_closes,
}


def path_for(case: str) -> str:
    """The path at which a webhook behaves so."""
    return "/" + "".join(each if each.isalnum() else "-" for each in case.lower())


_BY_PATH = {
    **{path_for(case): behaviour for case, behaviour in BEHAVIOURS.items()},
    "/second": annotates,
}


@contextlib.contextmanager
def failing_webhook(
    host: str, port: int, context: ssl.SSLContext, *, behaviours: Mapping[str, Behaviour] = _BY_PATH
) -> Generator[Seen]:
    """Serve, in a thread, until the end of the block; what no path is for is healthy."""
    seen = Seen()
    loop = asyncio.new_event_loop()
    up, stop = threading.Event(), asyncio.Event()

    async def behave(talk: Conversation) -> None:
        cell = _cell_of(talk)
        seen.calls[cell] += 1
        try:
            await behaviours.get(path_of(talk), answers)(talk)
        except ConnectionAbortedError:
            seen.abandoned[cell] += 1
            raise
        if talk.writer.is_closing():
            with contextlib.suppress(OSError):
                await talk.writer.wait_closed()  # until the other side has closed it, too
            seen.closed[cell] += 1

    async def serve() -> None:
        async with serve_raw(cast("Behaviour", behave), context, host=host, port=port):
            up.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    if not up.wait(timeout=5):
        raise AssertionError(f"nobody listens on {host}:{port}")
    try:
        yield seen
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)
        loop.close()
