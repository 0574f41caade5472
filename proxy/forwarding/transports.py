"""What does a connection tell, and how is it ended so that the other side sees a reset?"""

import asyncio
import contextlib
import os
import socket
import struct
from typing import Final, Protocol

# l_onoff = 1, l_linger = 0: closing sends RST and throws away what was not sent (socket(7)).
_AT_ONCE: Final = struct.pack("ii", 1, 0)


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def as_transport(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """The transport of a stream; uvloop's are no asyncio.Transport, but have all it has."""
    return transport  # type: ignore[return-value] # what connections of TCP are given


def descriptor(transport: asyncio.BaseTransport) -> int:
    """The descriptor of the connection's socket, -1 where it is closed."""
    found: _HasDescriptor | None = transport.get_extra_info("socket")
    return -1 if found is None else found.fileno()


def reset(transport: asyncio.Transport) -> None:
    """End a connection with RST."""
    number = descriptor(transport)
    if number >= 0:
        # Through a copy of the descriptor: the sockets event loops give out do not do everything.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as copy:
            copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
