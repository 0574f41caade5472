import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planted_secrets import answer_of, exchange
from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind, WebhookIdentity
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.proxy.recorder.frames import FrameError, FrameReader, decode_frame, encode_frame

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
BYTES = st.binary(max_size=60)
HEADERS = st.lists(st.tuples(BYTES, BYTES), max_size=4).map(tuple)
TIMES = st.floats(min_value=0, max_value=1e10)
ANSWERS = st.builds(RawAnswer, status=st.integers(100, 999), headers=HEADERS, body=BYTES)
FAILURES = st.builds(
    CallFailure,
    kind=st.sampled_from(FailureKind),
    detail=TEXTS,
    status=st.none() | st.integers(100, 999),
    body=BYTES,
)
EXCHANGES = st.builds(
    RawExchange,
    webhook=st.builds(WebhookIdentity, configuration=TEXTS, name=TEXTS, url=TEXTS),
    started_at=TIMES,
    seconds=TIMES,
    upstream_seconds=TIMES,
    target=BYTES,
    request_headers=HEADERS,
    request_body=BYTES,
    answer=ANSWERS | FAILURES,
    hung_up=st.booleans(),
)


def frame_of(sent: RawExchange) -> bytes:
    parts, size = encode_frame(sent)
    frame = b"".join(parts)
    assert len(frame) == size
    return frame


@settings(max_examples=80, deadline=None)
@given(sent=st.lists(EXCHANGES, max_size=3), step=st.integers(1, 90))
def test_frames_are_exchanges_again_however_they_were_cut(
    sent: list[RawExchange], step: int
) -> None:
    stream = b"".join(map(frame_of, sent))
    reader = FrameReader()
    chunks = [stream[at : at + step] for at in range(0, len(stream), step)]
    assert [each for chunk in chunks for each in reader.feed(chunk)] == sent


@settings(max_examples=150, deadline=None)
@given(sent=EXCHANGES, at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_damaged_frame_raises_nothing_but_frame_errors(
    sent: RawExchange, at: int, byte: int
) -> None:
    damaged = bytearray(frame_of(sent))
    damaged[at % len(damaged)] = byte
    with contextlib.suppress(FrameError):
        decode_frame(bytes(damaged))
    with contextlib.suppress(FrameError):
        list(FrameReader().feed(bytes(damaged)))


@settings(max_examples=100, deadline=None)
@given(frame=st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing_but_frame_errors(frame: bytes) -> None:
    with contextlib.suppress(FrameError):
        decode_frame(frame)


def test_a_frame_that_is_too_long_is_refused_by_its_length() -> None:
    with pytest.raises(FrameError, match="4294967295 bytes"):
        list(FrameReader().feed(b"\xff" * 4))


def test_a_frame_that_was_cut_off_is_refused() -> None:
    whole = frame_of(exchange(b"{}", answer_of(b"{}")))
    for length in range(len(whole)):
        with pytest.raises(FrameError):
            decode_frame(whole[:length])
