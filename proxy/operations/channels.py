"""How do supervisor and workers talk?

Over a pair of sockets, one message after the other, each with its length before it. Both ends are
this program and nobody else can open the pair, so messages may be pickled. The end of the channel
is a message too: whoever was at the other end is gone, by whatever way.
"""

import asyncio
import pickle
import socket
import struct
from typing import Final, Generic, Self, TypeVar

_Sent = TypeVar("_Sent")
_Received = TypeVar("_Received")
_LENGTH: Final = struct.Struct("!Q")


class Channel(Generic[_Sent, _Received]):
    """One end of the pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """The channel over a connected socket, which belongs to it from then on."""
        end.settimeout(0)
        return cls(*await asyncio.open_connection(sock=end))

    def send(self, message: _Sent) -> None:
        """Send it in the background; what the other end no longer wants is lost."""
        if not self._writer.is_closing():
            content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
            self._writer.write(_LENGTH.pack(len(content)) + content)

    async def flush(self) -> None:
        """Wait until not much of what was sent is still here."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return  # the other end is gone, which `receive` tells

    async def receive(self) -> _Received | None:
        """The next message; None when the other end is gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            content = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        message: _Received = pickle.loads(content)  # noqa: S301 - written by ourselves, see above
        return message

    def close(self) -> None:
        """Tell the other end that nothing more comes."""
        self._writer.close()
