"""How is a webhook asked over one connection, and how does the answer come apart?

httptools reads the answer; beside that, its bytes are kept as they came until it is complete.
Whatever is no complete answer this reader knows (no HTTP, an encoding of its own, more than is
kept) is passed on as those bytes, so that the API server's own reader meets what it would have met.
"""

import asyncio
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol

import httptools

from webhook_fuzz.corpora.exchanges import CallFailure, FailureKind
from webhook_fuzz.proxy.forwarding.failures import (
    Failed,
    Manner,
    Phase,
    failure,
    lost,
    tls_failure,
)
from webhook_fuzz.proxy.forwarding.messages import (
    CHUNKED,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    WITHOUT_BODY,
    Answer,
    HeaderList,
    has_header,
    render_block,
    render_interim,
)
from webhook_fuzz.proxy.forwarding.options import ForwardingOptions
from webhook_fuzz.proxy.forwarding.plain_heads import read_plain_answer
from webhook_fuzz.proxy.forwarding.readiness import Readiness
from webhook_fuzz.proxy.forwarding.transports import as_transport

# How far an answer has been read. Plain numbers: they are looked at for every header.
_HEAD: Final = 0
_BODY: Final = 1
_DONE: Final = 2
# After bytes nobody understands there is no telling whether more will come.
_QUIET_SECONDS: Final = 1.0
_UNKNOWN_ENCODING: Final = "answers in a transfer encoding other than chunked"


class Asking(Protocol):
    """Whoever asked the webhook, and is told once how that ended.

    Either `answered`, or `lost`, or `relayed` any number of times and `relay_ended`.
    """

    def answered(self, answer: Answer) -> None:
        """There is a complete answer."""
        ...

    def lost(self, failed: Failed, begun: bytes) -> None:
        """The connection ended; `begun` are the bytes of the answer's beginning, as they came."""
        ...

    def relayed(self, data: bytes, why: CallFailure) -> None:
        """The next bytes of an answer that is passed on as it comes."""
        ...

    def relay_ended(self, manner: Manner) -> None:
        """Nothing more will come of it."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """One connection to a webhook; asked by one call at a time.

    `on_lost` is called when it has ended, `on_free` when it can be asked again.
    """

    def __init__(
        self,
        where: str,
        options: ForwardingOptions,
        *,
        authorization: bytes | None,
        on_lost: Callable[["UpstreamConnection"], None],
        on_free: Callable[["UpstreamConnection"], None],
    ) -> None:
        self.authorization = authorization
        self.idle_since = 0.0
        self._where = where
        self._options = options
        self._on_lost = on_lost
        self._on_free = on_free
        self._transport: asyncio.Transport | None = None
        self._readiness: Readiness | None = None
        self._parser = httptools.HttpResponseParser(self)
        # Go reads lines that end in LF alone, and spaces after the size of a chunk.
        self._parser.set_dangerous_leniencies(
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
            lenient_data_after_close=True,
        )
        self._asking: Asking | None = None
        self._to_head = False
        self._relaying: CallFailure | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self._state = _HEAD
        self._reusable = False
        self._status = 0
        self._reason = b""
        self._headers: HeaderList = []
        self._has_length = False
        self._encoding = b""
        self._body: list[bytes] = []
        self._interim = b""
        self._plain: Answer | None = None
        self._missing = 0
        self._raw: list[bytes] = []
        self._raw_bytes = 0

    def is_usable(self) -> bool:
        """Whether nothing says that the webhook has closed it; the operating system is asked."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._readiness is None:
            return False
        return not self._readiness.has_something()

    def ask(self, asking: Asking, data: bytes, *, to_head: bool) -> None:
        """Send a request; `asking` is told how it ended."""
        self._asking, self._to_head = asking, to_head
        self._begin()
        if self._transport is not None:
            self._transport.write(data)

    def abandon(self) -> None:
        """Nobody waits for the answer any more: a server notices that at once."""
        self._asking = None
        self.close()

    def close(self) -> None:
        """End the connection, whatever it is doing."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Read no more for now: whom it is passed on to takes no more."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over."""
        self._transport = as_transport(transport)
        self._readiness = Readiness(transport)

    def data_received(self, data: bytes) -> None:
        """More bytes."""
        if self._asking is None:
            self.close()  # nobody asked: what it says cannot be the answer to the next request
            return
        if self._relaying is not None:
            self._relay(self._asking, data)
            return
        first = not self._raw_bytes
        self._raw.append(data)
        self._raw_bytes += len(data)
        if self._plain is not None:
            self._read_on(data)
            problem = None
        elif first and not self._to_head and self._begins_plainly(data):
            problem = None
        else:
            problem = self._feed(data)
        if self._state is _DONE:
            self._finish(self._asking, clean=problem is None)
        elif problem is not None:
            detail = f"{self._where} does not answer in HTTP/1.1: {problem}"
            self._relay_from_now(self._asking, FailureKind.MALFORMED_HTTP, detail)
        else:
            self._assert_within_limits(self._asking)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, with an error unless in good order."""
        if self._quiet is not None:
            self._quiet.cancel()
        self._on_lost(self)
        asking, self._asking = self._asking, None
        if asking is None:
            return
        if self._relaying is not None:
            asking.relay_ended(lost(exc, self._where, Phase.BODY).manner)
        elif self._ends_with_the_connection(exc):
            self._answer(asking)
        else:
            asking.lost(self._loss(exc), b"".join(self._raw))

    # httptools

    def on_message_begin(self) -> None:
        """A message begins."""
        if self._state is _DONE:
            self._reusable = False  # somebody answers what was not asked

    def on_status(self, reason: bytes) -> None:
        """A part of the reason."""
        if self._state is _HEAD:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or trailer."""
        if self._state is not _HEAD:
            return  # a trailer
        self._headers.append((name, value))
        length = len(name)
        if length == len(CONTENT_LENGTH):
            self._has_length = self._has_length or name.lower() == CONTENT_LENGTH
        elif length == len(TRANSFER_ENCODING) and name.lower() == TRANSFER_ENCODING:
            self._encoding = value.strip().lower()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._state is not _HEAD:
            return
        self._state = _BODY
        self._status = self._parser.get_status_code()
        self._reusable = self._parser.should_keep_alive()
        if self._to_head and self._status >= HTTPStatus.OK:
            self._state, self._reusable = _DONE, False  # the parser waits for a body

    def on_body(self, body: bytes) -> None:
        """A part of the body, without its framing."""
        if self._state is _BODY and self._relaying is None:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """The message is complete."""
        if self._state is not _BODY:
            return
        if self._status >= HTTPStatus.OK:
            self._state = _DONE
            return
        self._interim += render_interim(self._status, self._reason, self._headers)
        self._state, self._reason, self._headers = _HEAD, b"", []

    # what follows from it

    def _begins_plainly(self, data: bytes) -> bool:
        """Whether the answer is one that needs no parser."""
        plain = read_plain_answer(data)
        if plain is None or plain[1] > self._options.answer_limit:
            return False
        self._plain, self._missing, self._reusable = plain
        self._state, self._has_length = _BODY, True
        self._read_on(self._plain.body)
        return True

    def _read_on(self, body: bytes) -> None:
        missing = self._missing - len(body)
        if missing < 0:
            body, self._reusable = body[: self._missing], False  # somebody says more than asked
        self._body.append(body)
        self._missing = max(0, missing)
        if not self._missing:
            self._state = _DONE

    def _feed(self, data: bytes) -> str | None:
        """Let the parser read; what it did not understand."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return "it switches to another protocol"
        except httptools.HttpParserError as error:
            return str(error)
        return None

    def _assert_within_limits(self, asking: Asking) -> None:
        in_head = self._state is _HEAD
        limit = self._options.head_limit if in_head else self._options.answer_limit
        if self._raw_bytes > limit:
            what = "the headers are" if in_head else "the answer is"
            detail = f"{what} longer than {limit:,} bytes"
            self._relay_from_now(asking, FailureKind.TOO_LARGE, detail)

    def _finish(self, asking: Asking, *, clean: bool) -> None:
        if self._encoding not in {b"", CHUNKED}:
            detail = f"{self._where} {_UNKNOWN_ENCODING}"
            self._relay_from_now(asking, FailureKind.MALFORMED_HTTP, detail)
            return
        self._asking = None
        transport = self._transport
        unsent = transport is None or transport.get_write_buffer_size() > 0
        if clean and self._reusable and not unsent:
            self._on_free(self)
        else:
            self.close()
        self._answer(asking)

    def _answer(self, asking: Asking) -> None:
        answer = self._complete_answer()
        self._begin()  # nothing of it is kept here
        asking.answered(answer)

    def _complete_answer(self) -> Answer:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if self._plain is not None:
            self._plain.body = body
            return self._plain
        status, headers = self._status, self._headers
        without_body = self._to_head or status in WITHOUT_BODY
        block = render_block(headers, length=None if without_body else len(body))
        if not (without_body or self._encoding or has_header(headers, CONTENT_LENGTH)):
            block += b"Content-Length: %d\r\n" % len(body)
        return Answer(status, self._reason, headers, block, body, self._interim)

    def _ends_with_the_connection(self, exc: Exception | None) -> bool:
        """Whether that was the end of a body without a length (RFC 9112 section 6.3, rule 8)."""
        framed = self._has_length or self._encoding
        return exc is None and self._state is _BODY and not framed

    def _loss(self, exc: Exception | None) -> Failed:
        if isinstance(exc, ssl.SSLError) and not self._raw:
            return tls_failure(exc, self._where)
        if exc is None and self._encoding not in {b"", CHUNKED}:
            detail = f"{self._where} {_UNKNOWN_ENCODING}"
            malformed = failure(FailureKind.MALFORMED_HTTP, detail)
            return Failed(failure=malformed, manner=Manner.CLOSE)
        phase = Phase.BODY if self._state is _BODY else Phase.HEAD
        return lost(exc, self._where, phase if self._raw else Phase.ASKING)

    def _relay_from_now(self, asking: Asking, kind: FailureKind, detail: str) -> None:
        self._relaying = failure(kind, detail)
        begun, self._raw, self._body = b"".join(self._raw), [], []
        self._pass_on(asking, begun)

    def _relay(self, asking: Asking, data: bytes) -> None:
        if self._relaying is not None and self._relaying.kind is FailureKind.TOO_LARGE:
            self._feed(data)
        self._pass_on(asking, data)

    def _pass_on(self, asking: Asking, data: bytes) -> None:
        why = self._relaying
        if why is None:
            return
        if self._quiet is not None:
            self._quiet.cancel()
        asking.relayed(data, why)
        if self._asking is not asking:
            return  # it was given up meanwhile
        if why.kind is FailureKind.TOO_LARGE:
            if self._state is _DONE:
                self._end_relay()
        else:
            loop = asyncio.get_running_loop()
            self._quiet = loop.call_later(_QUIET_SECONDS, self._end_relay)

    def _end_relay(self) -> None:
        asking, self._asking = self._asking, None
        self.close()
        if asking is not None:
            asking.relay_ended(Manner.CLOSE)
