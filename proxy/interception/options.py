"""Which webhooks are to be called through the proxy, and where does the API server find it?"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.webhooks import ServiceReference

_SERVICE: Final = re.compile(r"([a-z0-9.-]+)/([a-z0-9-]+)(?::(\d{1,5}))?")
_PORTS: Final = range(1, 65536)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is put into the webhooks' clientConfig: a Service, or the beginning of a URL.

    `url` has scheme, host and port only.
    """

    service: ServiceReference | None = None
    url: str = ""

    @property
    def server_name(self) -> str:
        """The name or address the API server verifies the proxy's certificate for."""
        if self.service is not None:
            return self.service.server_name
        return urlsplit(self.url).hostname or ""

    def __str__(self) -> str:
        if self.service is None:
            return self.url
        return f"service {self.service.namespace}/{self.service.name}:{self.service.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptionOptions:
    """What is asked for.

    `webhooks` are `CONFIG/NAME`; `all` takes every webhook of the cluster. `dial` maps such a name
    to the address the webhook is reached at from the proxy, where that is not the ClusterIP of its
    Service; with `inside`, Services are dialled by name. `server` is the API server's URL, which
    the backup is filed under. `backup_folder` defaults to `default_backup_folder()`.
    """

    target: Target
    webhooks: tuple[str, ...] = ()
    all: bool = False
    ttl: timedelta = timedelta(hours=1)
    inside: bool = False
    dial: Mapping[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    server: str = ""
    backup_folder: Path | None = None


def parse_service_target(text: str) -> Target:
    """`NS/NAME[:PORT]`. Raises InputError."""
    found = _SERVICE.fullmatch(text)
    port = int(found[3] or 443) if found else 0
    if found is None or port not in _PORTS:
        raise InputError(
            f"{text!r} is no service", hint="Write NAMESPACE/NAME or NAMESPACE/NAME:PORT."
        )
    return Target(service=ServiceReference(namespace=found[1], name=found[2], port=port))


def parse_url_target(text: str) -> Target:
    """`https://HOST[:PORT]`. Raises InputError for anything else, a path included."""
    parts = urlsplit(text)
    try:
        port_is_good = parts.port is None or parts.port in _PORTS
    except ValueError:
        port_is_good = False
    rest = parts.path.rstrip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme != "https" or not parts.hostname or rest or not port_is_good:
        raise InputError(
            f"{text!r} is no address the API server can call",
            hint="Write https://HOST:PORT as the API server is to call the proxy, without a path.",
        )
    return Target(url=f"https://{parts.netloc}")


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, an IPv6 address in brackets. Raises InputError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) not in _PORTS:
        raise InputError(f"{text!r} is no address", hint="Write HOST:PORT.")
    return host, int(port)


def default_backup_folder() -> Path:
    """In XDG_STATE_HOME, or ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME")
    parent = Path(state) if state else Path.home() / ".local" / "state"
    return parent / "webhook-fuzz" / "interceptions"
