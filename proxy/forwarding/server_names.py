"""Which name did a client ask for in its TLS handshake?

Python tells it to a callback of the context only, so that is where it is noted down, on the object
that stands for the connection. Another callback that was there before is still asked.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, TypeAlias

_ATTRIBUTE: Final = "webhook_fuzz_asked_name"
_Callback: TypeAlias = Callable[[ssl.SSLObject, str, ssl.SSLContext], int | None]


class _Noting:
    """Notes the name, and asks whoever was asked before."""

    def __init__(self, before: _Callback | None) -> None:
        self._before = before

    def __call__(self, tls: ssl.SSLObject, name: str, context: ssl.SSLContext) -> int | None:
        setattr(tls, _ATTRIBUTE, name)
        return None if self._before is None else self._before(tls, name, context)


def note_names(context: ssl.SSLContext) -> None:
    """From now on, `asked_name` knows what is asked for in handshakes of this context."""
    before = context.sni_callback
    if not isinstance(before, _Noting):
        context.sni_callback = _Noting(before)


def asked_name(transport: asyncio.BaseTransport) -> str | None:
    """The name a client asked for, None where it asked for none (an address, usually)."""
    name: str | None = getattr(transport.get_extra_info("ssl_object"), _ATTRIBUTE, None)
    return name
