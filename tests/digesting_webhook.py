"""A webhook that says what it was sent, served by a process of its own that may be killed.

usage: python digesting_webhook.py HOST PORT CERT KEY

Its answer holds the digest of the request's body, and a header the digest of the answer's: whoever
compares them knows whether a single byte was changed on the way, in either direction.
"""

import asyncio
import hashlib
import ssl
import sys
from typing import Final, cast

_UID: Final = b'"uid":"'
ANSWER: Final = (
    b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"%b",'
    b'"allowed":true,"warnings":["%b"]}}'
)
DIGEST_HEADER: Final = b"x-digest"


def digest(body: bytes) -> bytes:
    """Of a body, as text."""
    return hashlib.blake2b(body, digest_size=12).hexdigest().encode()


class _Webhook(asyncio.Protocol):
    """One connection: requests with a Content-Length, one after the other."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        start = body.index(_UID, body.index(b'"request":')) + len(_UID)
        answer = ANSWER % (body[start : body.index(b'"', start)], digest(body))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        head += b"%b: %b\r\nContent-Length: %d\r\n\r\n" % (
            DIGEST_HEADER,
            digest(answer),
            len(answer),
        )
        if self._transport is not None:
            self._transport.write(head + answer)


async def _serve(host: str, port: int, cert: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.get_running_loop().create_server(_Webhook, host, port, ssl=context)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    async with server:
        await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
