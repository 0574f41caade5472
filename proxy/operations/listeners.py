"""On which sockets do several processes wait for the same port?

Each worker has a socket of its own (SO_REUSEPORT), made here and inherited by it: the kernel
spreads connections over them by hash. Of a shared socket one worker takes most connections, at a
burst often all of them (two workers and sixteen connections: 16/0 in four bursts of eight, where
sockets of their own had 12/4 at worst), and an API server keeps its connections, so that the first
spreading is the last. The supervisor keeps the sockets: connections that wait at a worker that died
are taken by the next one. Where the kernel does not spread (not Linux), all share one socket.
"""

import errno
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from webhook_fuzz.corpora.errors import IncompleteRunError, InputError

_SPREADS = sys.platform == "linux"
_HIGHEST_PORT = 65535
_BACKLOG = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; no host means all addresses of the machine, port 0 any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, option: str) -> Address:
    """`127.0.0.1:8443`, `[::1]:8443`, `:8443`. Raises InputError for anything else."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    is_sound = colon and port.isascii() and port.isdigit() and int(port) <= _HIGHEST_PORT
    if not is_sound or (":" in host and not bracketed):
        raise InputError(
            f"{option} {text}: this is not HOST:PORT",
            hint=f"Give an address and a port: {option} 127.0.0.1:8443, {option} [::1]:8443.",
        )
    return Address(host=host[1:-1] if bracketed else host, port=int(port))


class Listeners:
    """The sockets of all workers. `addresses` are what was bound in the end."""

    def __init__(self, sockets: list[list[socket.socket]]) -> None:
        self._sockets = sockets
        self.addresses = tuple(
            Address(host=bound.getsockname()[0], port=bound.getsockname()[1])
            for bound in sockets[0]
        )

    @classmethod
    def bind(cls, wanted: Sequence[Address], *, workers: int) -> Self:
        """Sockets for so many workers. Raises IncompleteRunError where an address is taken."""
        first: list[socket.socket] = []
        rest: list[list[socket.socket]] = []
        try:
            for address in wanted:
                _bind_all(address, first)
            for _ in range(workers - 1):
                rest.append([])
                rest[-1].extend(_share(bound) for bound in first)
        except BaseException:
            for bound in (*first, *(each for more in rest for each in more)):
                bound.close()
            raise
        return cls([first, *rest])

    def of(self, worker: int) -> Sequence[socket.socket]:
        """What this worker listens on."""
        return tuple(self._sockets[worker])

    def release(self, worker: int) -> None:
        """Take nothing more for this worker: what waits for it is reset, and can be tried again."""
        for bound in self._sockets[worker]:
            bound.close()
        self._sockets[worker] = []

    def acquire(self, worker: int) -> None:
        """Take connections for it again. Raises IncompleteRunError where an address is taken."""
        if not self._sockets[worker]:
            self._sockets[worker] = [self._bind_again(address) for address in self.addresses]

    def _bind_again(self, address: Address) -> socket.socket:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            return _bind(family, address.host, address.port)
        except OSError as error:
            raise _cannot_listen(address, error) from error

    def close(self) -> None:
        """Take nothing more: what is bound anywhere else stays there."""
        for bound in (each for sockets in self._sockets for each in sockets):
            bound.close()


def _bind_all(address: Address, bound: list[socket.socket]) -> None:
    """Bind all that a name stands for; `bound` grows, so that nothing is lost on the way."""
    port = address.port
    missing: OSError | None = None
    count = len(bound)
    for family, host in _resolve(address):
        try:
            _refuse_taken(family, host, port)
            bound.append(_bind(family, host, port))
        except OSError as error:
            if not isinstance(error, PermissionError) and _is_absent(error):
                missing = error  # `localhost` is two addresses, and a machine may have one of them
                continue
            raise _cannot_listen(address, error) from error
        port = port or bound[-1].getsockname()[1]
    if missing is not None and len(bound) == count:
        raise _cannot_listen(address, missing) from missing


def _resolve(address: Address) -> list[tuple[int, str]]:
    try:
        found = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise InputError(
            f"{address.host}: there is no such address: {error.strerror}",
            hint="Give an address of this machine, or none for all: --listen :8443.",
        ) from error
    return list(dict.fromkeys((each[0], str(each[4][0])) for each in found))


def _is_absent(error: OSError) -> bool:
    return error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def _refuse_taken(family: int, host: str, port: int) -> None:
    """A port that another proxy shares among its workers could be shared by us, unnoticed."""
    with _open(family, spreads=False) as probe:
        probe.bind((host, port))


def _bind(family: int, host: str, port: int) -> socket.socket:
    opened = _open(family, spreads=_SPREADS)
    try:
        opened.bind((host, port))
        opened.listen(_BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


def _share(bound: socket.socket) -> socket.socket:
    return _bind(bound.family, *bound.getsockname()[:2]) if _SPREADS else bound.dup()


def _open(family: int, *, spreads: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if spreads:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    opened.settimeout(0)
    return opened


def _cannot_listen(address: Address, error: OSError) -> IncompleteRunError:
    if error.errno == errno.EADDRINUSE:
        hint = "Stop what listens there, or choose another port with --listen."
    elif isinstance(error, PermissionError):
        hint = "Ports below 1024 are root's: choose another with --listen, such as :8443."
    else:
        hint = "Give an address of this machine with --listen."
    return IncompleteRunError(f"{address}: cannot listen there: {error.strerror}", hint=hint)
